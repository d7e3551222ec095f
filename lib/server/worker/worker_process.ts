import type { Clock } from "../../iscsi/clock.ts";
import {
  decodeAnswer,
  decodeWorkerMessage,
  type UncheckedAnswer,
  type WorkerMessage,
} from "./decode_worker_message.ts";
import { MalformedValue } from "../decoder.ts";
import type { ToWorker, WorkerEnd } from "./messages.ts";
import type { StartWorker } from "../start_worker.ts";
import type { AnswerTo, WorkerRequest } from "./worker_requests.ts";

/** A message that a worker sends without a request. */
export type WorkerNews = Exclude<
  WorkerMessage,
  WorkerEnd | { readonly kind: "answered" | "ending" | "numbered" }
>;

/** The way in which a worker ended. */
export type ProcessEnd =
  | WorkerEnd
  /** It died without reporting that none of its operations is under way. */
  | { readonly kind: "lost"; readonly message: string };

/** The rights, collaborators and observers of a worker process. */
export interface WorkerProcessOptions {
  /** The port of its targets, for its name. */
  readonly port: number;
  /** The worker's rights, for its whole life. */
  readonly permissions: Deno.PermissionOptionsObject;
  readonly clock: Clock;
  readonly startWorker: StartWorker;
  readonly onNews: (message: WorkerNews) => void;
  /** Called when the worker takes long to end, with the reason as a clause. */
  readonly onSlowEnd: (reason: string) => void;
}

/** Milliseconds of ending after which `onSlowEnd` is called. */
const SLOW_END_MS = 1_000;

/** A request that has no answer yet. */
interface PendingRequest {
  readonly kind: WorkerRequest["kind"];
  readonly settle: (answer: UncheckedAnswer) => void;
}

/**
 * The supervisor's side of the target worker, which starts once and ends once.
 *
 * File operations that a worker has started off its event loop survive its termination and change files later. A worker
 * is therefore terminated only after it has reported that none is under way; until then it has not ended. A worker that
 * is blocked in a system call reports nothing, so the supervisor waits.
 */
export class WorkerProcess {
  readonly #worker: Worker;
  readonly #options: WorkerProcessOptions;
  readonly #ending = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<ProcessEnd>();
  readonly #requests = new Map<number, PendingRequest>();
  /** The memory in which the worker marks the file that it is about to use on its event loop. */
  readonly mark = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  /** The paths of files by their numbers in the mark. */
  readonly #numbered = new Map<number, string>();
  #lastId = 0;
  /** True if the worker has started to serve, and may change files. */
  #hasBegun = false;
  #hasEnded = false;
  #isCut = false;
  /** The files that the worker still changes, once it has reported them. */
  #busyFiles: readonly string[] | undefined;
  #cancelSlowEnd: (() => void) | undefined;
  #hasReportedSlowEnd = false;

  /** Starts a worker, which is idle until it receives its settings. */
  constructor(options: WorkerProcessOptions) {
    this.#options = options;
    const url = new URL("./target_worker.ts", import.meta.url).href;
    this.#worker = options.startWorker({
      url,
      name: `target ${options.port}`,
      permissions: options.permissions,
    });
    this.#worker.onmessage = ({ data }: MessageEvent<unknown>) => this.#onMessage(data);
    // A running worker reports its own faults. This is a worker that could not be loaded, or cannot report.
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end({ kind: this.#hasBegun ? "lost" : "crashed", message: event.message });
    };
  }

  /** Resolves when the worker begins to end for whatever reason; from then on it answers no requests. */
  get ending(): Promise<void> {
    return this.#ending.promise;
  }

  /** Resolves when the worker has ended for whatever reason and none of its operations is under way. */
  get ended(): Promise<ProcessEnd> {
    return this.#ended.promise;
  }

  /** Sends the worker a message, unless it has ended. */
  post(message: ToWorker, transfer: Transferable[] = []): void {
    if (message.kind === "start") this.#hasBegun = true;
    if (!this.#hasEnded) this.#worker.postMessage(message, transfer);
  }

  /**
   * Sends the worker a request and returns its answer.
   *
   * @param limitMs undefined to wait as long as the worker runs
   * @throws {Error} (rejects) when the worker reports a failure, ends, or takes longer than `limitMs`
   */
  async ask<Asked extends WorkerRequest>(request: Asked, limitMs?: number): Promise<AnswerTo<Asked>> {
    const id = ++this.#lastId;
    const answered = Promise.withResolvers<UncheckedAnswer>();
    this.#requests.set(id, { kind: request.kind, settle: answered.resolve });
    const fail = (fault: string): void => answered.resolve({ kind: "answered", id, fault });
    const onLimit = (): void => fail(`target worker has not answered within ${limitMs} ms`);
    const cancel = limitMs === undefined ? undefined : this.#options.clock.after(limitMs, onLimit);
    this.post({ kind: "ask", id, question: request });
    const { answer, fault } = await answered.promise;
    cancel?.();
    this.#requests.delete(id);
    if (fault !== undefined) throw new Error(fault);
    return answer as AnswerTo<Asked>;
  }

  /**
   * Stops the worker in order; after `limitMs` it must abandon its work. Resolves when none of its operations is
   * under way, however long that takes.
   */
  async stop(limitMs: number): Promise<ProcessEnd> {
    this.#ending.resolve();
    this.post({ kind: "stop" });
    const onLimit = (): void => this.#cut(`target worker has not stopped within ${limitMs} ms`);
    const cancel = this.#options.clock.after(limitMs, onLimit);
    const end = await this.ended;
    cancel();
    return end;
  }

  /**
   * Stops waiting for the worker, because the whole process is about to exit or the worker never received its settings.
   * Its operations go on.
   *
   * @returns a description of these operations, as far as they are known
   */
  abandon(): string {
    const message = this.#hasEnded
      ? "target worker has ended, but holes are still made for it"
      : `target worker has not ended: ${this.#describeBusy()}`;
    this.#end({ kind: "lost", message });
    return message;
  }

  /** Returns what blocks the worker, which does not answer, as far as is known. */
  describeBlockage(): string {
    const path = this.#numbered.get(new Int32Array(this.mark)[0]!);
    return path === undefined ? "an operation on a disk blocks it" : `an operation on "${path}" blocks it`;
  }

  #onMessage(data: unknown): void {
    if (this.#hasEnded) return;
    try {
      this.#take(decodeWorkerMessage(data));
    } catch (error) {
      if (!(error instanceof MalformedValue)) throw error;
      this.#cut(`target worker has sent an invalid message: ${error.message}`);
    }
  }

  #take(message: WorkerMessage): void {
    switch (message.kind) {
      case "answered":
        return this.#answer(message);
      case "numbered":
        return void this.#numbered.set(message.number, message.path);
      case "ending":
        this.#busyFiles = message.files;
        // The earlier report did not name the files.
        if (this.#hasReportedSlowEnd) this.#reportSlowEnd();
        return this.#expectEnd();
      case "stopped":
      case "failed":
      case "crashed":
        return this.#end(message);
      default:
        return this.#options.onNews(message);
    }
  }

  #answer(message: UncheckedAnswer): void {
    const request = this.#requests.get(message.id);
    if (request === undefined) return;
    const { answer, fault } = message;
    // An invalid answer throws here and ends the worker, which fails the request.
    request.settle(
      fault === undefined ? { ...message, answer: decodeAnswer(request.kind, answer) } : message,
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
    this.#failRequests();
    this.#cancelSlowEnd ??= this.#options.clock.after(SLOW_END_MS, () => this.#reportSlowEnd());
  }

  #reportSlowEnd(): void {
    this.#hasReportedSlowEnd = true;
    this.#options.onSlowEnd(this.#describeBusy());
  }

  /** Returns why the worker has not ended. */
  #describeBusy(): string {
    const files = this.#busyFiles?.map((file) => `"${file}"`).join(", ");
    return files === undefined
      ? this.describeBlockage()
      : `operations that it has begun still change ${files}`;
  }

  #failRequests(): void {
    for (const [id, { settle }] of this.#requests) {
      settle({ kind: "answered", id, fault: "target worker has ended" });
    }
  }

  #end(end: ProcessEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#worker.terminate();
    this.#cancelSlowEnd?.();
    this.#ending.resolve();
    this.#ended.resolve(end);
    this.#failRequests();
  }
}
