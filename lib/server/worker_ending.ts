/** The way in which a target worker ends: with nothing under way that could reach a file later. */
import type { FileActivity } from "../store/file_activity.ts";
import type { FromWorker, WorkerEnd } from "./messages.ts";
import { errorMessage } from "../base/error_message.ts";

/** What the end of a worker needs of its global scope. */
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
   * Watches for faults that nobody has caught: each ends the worker.
   *
   * @param abort stops at once all that the worker does; what is under way off its event loop goes on
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

  /** Nothing that the worker is told matters now. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Ends the worker, and says so when nothing is under way that changes a file. Nothing begins meanwhile. */
  async end(end: WorkerEnd): Promise<void> {
    if (this.#hasBegun) return;
    this.#hasBegun = true;
    this.#activity.close();
    try {
      this.#abort();
    } catch (error) {
      // It ends for another reason already, and that is the one to tell.
      reportAbort(this.#scope, error);
    }
    const files = this.#activity.paths;
    if (files.length > 0) this.#scope.postMessage({ kind: "ending", files });
    await this.#activity.idle();
    this.#scope.postMessage(end);
    this.#scope.close();
  }
}

/** Lines of a stack that are told: all go into one line of the log. */
const STACK_LINES_MAX = 6;

/** Describes a fault of ours with the places in the program that led to it. */
function describeFault(reason: unknown): string {
  const text = reason instanceof Error ? reason.stack ?? String(reason) : String(reason);
  return text.split("\n").slice(0, STACK_LINES_MAX).map((line) => line.trim()).join(" ");
}

function reportAbort(scope: EndingScope, error: unknown): void {
  const message = `Target worker cannot close everything: ${errorMessage(error)}`;
  scope.postMessage({ kind: "log", event: { level: "error", message } });
}
