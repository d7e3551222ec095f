import {
  decodeAnswer,
  decodeWorkerMessage,
  type UncheckedAnswer,
  type WorkerMessage,
} from "./decode_worker_message.ts";
import { MalformedValue } from "./decoder.ts";
import type { ToWorker, WorkerEnd } from "./messages.ts";
import type { AnswerTo, WorkerRequest } from "./worker_requests.ts";

/** A message of a worker about its work, without having been asked. */
export type WorkerNews = Exclude<
  WorkerMessage,
  WorkerEnd | { readonly kind: "answered" | "ending" }
>;

/** How a worker came to its end. */
export type ProcessEnd =
  | WorkerEnd
  /** It has died without having said that nothing of it is under way. */
  | { readonly kind: "lost"; readonly message: string };

/** How a worker is observed. */
export interface WorkerObserver {
  readonly onNews: (message: WorkerNews) => void;
  /** Called when the worker takes long to end, with the reason, as the end of a sentence. */
  readonly onSlowEnd: (reason: string) => void;
}

/** Milliseconds of ending after which an observer is told what takes so long. */
const PATIENCE_MS = 1_000;

/** A question without an answer. */
interface PendingRequest {
  readonly kind: WorkerRequest["kind"];
  readonly settle: (answer: UncheckedAnswer) => void;
}

/**
 * The target worker as its supervisor sees it: started once, with its rights, and ended once.
 *
 * File operations that a worker has begun off its event loop go on when it is terminated, and reach the files
 * whenever the system gets to them. So a worker is terminated only when it has said that none is under way, and until
 * then it has not ended. One that stands in a system call says nothing: it is waited for.
 */
export class WorkerProcess {
  readonly #worker: Worker;
  readonly #observer: WorkerObserver;
  readonly #ending = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<ProcessEnd>();
  readonly #questions = new Map<number, PendingRequest>();
  #lastQuestion = 0;
  /** It has begun something that may change files. */
  #hasBegun = false;
  #hasEnded = false;
  #isCut = false;
  /** What it still changes, once it has said so. */
  #busyFiles: readonly string[] | undefined;
  #patience: ReturnType<typeof setTimeout> | undefined;
  /** The observer has been told that it takes long. */
  #isImpatient = false;

  /**
   * Starts a worker, which does nothing before it is told what to serve.
   *
   * @param permissions all that it may do, for as long as it lives
   */
  constructor(permissions: Deno.PermissionOptionsObject, observer: WorkerObserver) {
    this.#observer = observer;
    this.#worker = new Worker(new URL("./target_worker.ts", import.meta.url).href, {
      type: "module",
      name: "target",
      deno: { permissions },
    });
    this.#worker.onmessage = ({ data }: MessageEvent<unknown>) => this.#onMessage(data);
    // A worker that runs reports its faults itself. This is one that could not be loaded, or not even do that.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end({ kind: this.#hasBegun ? "lost" : "crashed", message: event.message });
    };
  }

  /** Resolves when the worker begins to end, in whatever way: nothing more can be asked. */
  get ending(): Promise<void> {
    return this.#ending.promise;
  }

  /** Resolves when the worker has ended, in whatever way, and nothing that it has begun is under way. */
  get ended(): Promise<ProcessEnd> {
    return this.#ended.promise;
  }

  /** Tells the worker something while it runs. */
  post(message: ToWorker, transfer: Transferable[] = []): void {
    if (message.kind === "start") this.#hasBegun = true;
    if (!this.#hasEnded) this.#worker.postMessage(message, transfer);
  }

  /**
   * Asks the worker something while it runs.
   *
   * @param limitMs undefined to wait as long as it runs
   * @throws {Error} (rejects) when it says that it cannot, ends, or takes longer than `limitMs`
   */
  async ask<Asked extends WorkerRequest>(question: Asked, limitMs?: number): Promise<AnswerTo<Asked>> {
    const id = ++this.#lastQuestion;
    const answered = Promise.withResolvers<UncheckedAnswer>();
    this.#questions.set(id, { kind: question.kind, settle: answered.resolve });
    const fail = (fault: string): void => answered.resolve({ kind: "answered", id, fault });
    const onLimit = (): void => fail(`target worker has not answered within ${limitMs} ms`);
    const timer = limitMs === undefined ? undefined : setTimeout(onLimit, limitMs);
    this.post({ kind: "ask", id, question });
    const { answer, fault } = await answered.promise;
    clearTimeout(timer);
    this.#questions.delete(id);
    if (fault !== undefined) throw new Error(fault);
    return answer as AnswerTo<Asked>;
  }

  /**
   * Ends the worker in order, or cuts what it does when it has not ended after `limitMs`. Resolves when nothing that
   * it has begun is under way, however long that takes.
   */
  async stop(limitMs: number): Promise<ProcessEnd> {
    this.#ending.resolve();
    this.post({ kind: "stop" });
    const limit = setTimeout(() => this.#cut(`target worker has not stopped within ${limitMs} ms`), limitMs);
    const end = await this.ended;
    clearTimeout(limit);
    return end;
  }

  /**
   * Gives up on the worker: the whole process is about to end, or it was never told what to serve. What it has under
   * way goes on.
   *
   * @returns what that is, as far as it is known
   */
  abandon(): string {
    const message = this.#hasEnded
      ? "target worker has ended, but holes are still made for it"
      : `target worker has not ended: ${this.#whatIsUnderWay()}`;
    this.#end({ kind: "lost", message });
    return message;
  }

  #onMessage(data: unknown): void {
    if (this.#hasEnded) return;
    try {
      this.#take(decodeWorkerMessage(data));
    } catch (error) {
      if (!(error instanceof MalformedValue)) throw error;
      this.#cut(`target worker has sent what is no message: ${error.message}`);
    }
  }

  #take(message: WorkerMessage): void {
    switch (message.kind) {
      case "answered":
        return this.#answer(message);
      case "ending":
        this.#busyFiles = message.files;
        // What was said before is not the whole truth.
        if (this.#isImpatient) this.#sayWhatIsUnderWay();
        return this.#expectEnd();
      case "stopped":
      case "failed":
      case "crashed":
        return this.#end(message);
      default:
        return this.#observer.onNews(message);
    }
  }

  #answer(message: UncheckedAnswer): void {
    const question = this.#questions.get(message.id);
    if (question === undefined) return;
    const { answer, fault } = message;
    // The worker is at fault, and the one who has asked is told that it ends.
    question.settle(
      fault === undefined ? { ...message, answer: decodeAnswer(question.kind, answer) } : message,
    );
  }

  #cut(message: string): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.post({ kind: "cut", message });
    this.#expectEnd();
  }

  #expectEnd(): void {
    this.#ending.resolve();
    this.#failPending();
    this.#patience ??= setTimeout(() => this.#sayWhatIsUnderWay(), PATIENCE_MS);
  }

  #sayWhatIsUnderWay(): void {
    this.#isImpatient = true;
    this.#observer.onSlowEnd(this.#whatIsUnderWay());
  }

  /** What keeps the worker from ending. */
  #whatIsUnderWay(): string {
    const files = this.#busyFiles?.map((file) => `"${file}"`).join(", ");
    return files === undefined
      ? "an operation on a disk blocks it"
      : `operations that it has begun still change ${files}`;
  }

  #failPending(): void {
    for (const [id, { settle }] of this.#questions) {
      settle({ kind: "answered", id, fault: "target worker has ended" });
    }
  }

  #end(end: ProcessEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#worker.terminate();
    clearTimeout(this.#patience);
    this.#ending.resolve();
    this.#ended.resolve(end);
    this.#failPending();
  }
}
