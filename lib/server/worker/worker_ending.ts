/** The orderly end of a target worker: none of its operations may change a file later. */
import type { FileActivity } from "../../store/file_activity.ts";
import type { FromWorker, WorkerEnd } from "./messages.ts";
import { errorMessage } from "../../base/error_message.ts";

/** The part of a worker's global scope that its end needs. */
export interface EndingScope {
  postMessage(message: FromWorker): void;
  addEventListener(type: string, listener: (event: Event) => void): void;
  close(): void;
}

/** Ends a worker, once. */
export class WorkerEnding {
  readonly #scope: EndingScope;
  readonly #activity: FileActivity;
  readonly #abort: () => void;
  #hasBegun = false;

  /**
   * Ends the worker at the first uncaught error.
   *
   * @param abort stops all work at once; operations off the event loop go on
   */
  constructor(scope: EndingScope, activity: FileActivity, abort: () => void) {
    this.#scope = scope;
    this.#activity = activity;
    this.#abort = abort;
    const crash = (event: Event, reason: unknown): void => {
      event.preventDefault();
      this.end({ kind: "crashed", message: describeFault(reason) });
    };
    scope.addEventListener("error", (event) => crash(event, (event as ErrorEvent).error));
    scope.addEventListener(
      "unhandledrejection",
      (event) => crash(event, (event as PromiseRejectionEvent).reason),
    );
  }

  /** True if the worker is ending, so that further messages are ignored. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Ends the worker. Starts no file operation, waits for running ones, and then reports the end. */
  async end(end: WorkerEnd): Promise<void> {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#activity.close();
    try {
      this.#abort();
    } catch (error) {
      // The original reason for the end is reported instead.
      reportAbort(this.#scope, error);
    }
    const files = this.#activity.paths;
    if (files.length > 0) this.#scope.postMessage({ kind: "ending", files });
    await this.#activity.idle();
    this.#scope.postMessage(end);
    this.#scope.close();
  }
}

/** Most lines of a stack trace in the log, where they form one line. */
const STACK_LINES_MAX = 6;

/** Describes an uncaught error with its stack trace. */
function describeFault(reason: unknown): string {
  const text = reason instanceof Error ? reason.stack ?? String(reason) : String(reason);
  return text.split("\n").slice(0, STACK_LINES_MAX).map((line) => line.trim()).join(" ");
}

function reportAbort(scope: EndingScope, error: unknown): void {
  const message = `Target worker cannot close everything: ${errorMessage(error)}`;
  scope.postMessage({ kind: "log", event: { level: "error", message } });
}
