import type { FromWorker, ToWorker } from "./messages.ts";
import type { Answered, AnswerTo, Question } from "./questions.ts";

/** What a worker says of its work, unasked. */
export type WorkerNews = Exclude<FromWorker, Answered | { readonly kind: "stopped" | "failed" }>;

/** How a worker came to its end. */
export type WorkerEnd =
  /** In order, as it was told to. */
  | { readonly kind: "stopped" }
  /** It could not do what it was told to, and said why. */
  | { readonly kind: "failed"; readonly message: string }
  /** A fault of ours ended it. */
  | { readonly kind: "crashed"; readonly message: string };

/** The target worker as its supervisor sees it: started once, with its rights, and ended once. */
export class WorkerProcess {
  readonly #worker: Worker;
  readonly #ended = Promise.withResolvers<WorkerEnd>();
  /** Who waits for an answer, by the number of the question. */
  readonly #waiting = new Map<number, (answered: Answered) => void>();
  #lastQuestion = 0;

  /**
   * Starts a worker, which does nothing before it is told what to serve.
   *
   * @param permissions all that it may do, for as long as it lives
   * @param onMessage hears everything it says of its work
   */
  constructor(
    permissions: Deno.PermissionOptionsObject,
    onMessage: (message: WorkerNews) => void,
  ) {
    this.#worker = new Worker(new URL("./target_worker.ts", import.meta.url).href, {
      type: "module",
      name: "target",
      deno: { permissions },
    });
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (data.kind === "stopped" || data.kind === "failed") this.#end(data);
      else if (data.kind === "answered") this.#waiting.get(data.id)?.(data);
      else onMessage(data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end({ kind: "crashed", message: event.message });
    };
  }

  /** Resolves when the worker has ended, in whatever way. */
  get ended(): Promise<WorkerEnd> {
    return this.#ended.promise;
  }

  /** Tells the worker something while it runs. */
  post(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  /**
   * Asks the worker something while it runs.
   *
   * @param limitMs undefined to wait as long as it runs
   * @throws {Error} (rejects) when it says that it cannot, ends, or takes longer than `limitMs`
   */
  async ask<Asked extends Question>(question: Asked, limitMs?: number): Promise<AnswerTo<Asked>> {
    const id = ++this.#lastQuestion;
    const answered = Promise.withResolvers<Answered>();
    this.#waiting.set(id, answered.resolve);
    const fail = (fault: string): void => answered.resolve({ kind: "answered", id, fault });
    const onLimit = (): void => fail(`target worker has not answered within ${limitMs} ms`);
    const timer = limitMs === undefined ? undefined : setTimeout(onLimit, limitMs);
    this.post({ kind: "ask", id, question });
    const result = await answered.promise;
    clearTimeout(timer);
    this.#waiting.delete(id);
    if ("fault" in result) throw new Error(result.fault);
    return result.answer as AnswerTo<Asked>;
  }

  /** Ends the worker in order, or by force when it has not ended after `limitMs`. */
  async stop(limitMs: number): Promise<WorkerEnd> {
    this.post({ kind: "stop" });
    const timeout = setTimeout(() => {
      this.#end({ kind: "failed", message: `target worker has not stopped within ${limitMs} ms` });
    }, limitMs);
    const end = await this.ended;
    clearTimeout(timeout);
    return end;
  }

  #end(end: WorkerEnd): void {
    this.#worker.terminate();
    this.#ended.resolve(end);
    for (const [id, tell] of this.#waiting) tell({ kind: "answered", id, fault: "target worker has ended" });
  }
}
