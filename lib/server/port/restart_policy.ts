import type { UnwantedEnd } from "./unwanted_end.ts";

/** The consequence of an unwanted end. */
export interface RestartDecision {
  /** True if a worker was ready before, so this end belongs in the log. */
  readonly isLogged: boolean;
  /** The reason for which no other worker is started; undefined when one is. */
  readonly failure: string | undefined;
}

/** Consecutive unwanted ends, each within `PAUSE_MS` of the one before, that end the server. */
const ENDS_MAX = 5;
const PAUSE_MS = 60_000;

/** Decides whether another worker is started after an unwanted end. */
export class RestartPolicy {
  #wasReady = false;
  #count = 0;
  #lastMs = -Infinity;

  /** True if a worker has been ready since the server started. */
  get wasReady(): boolean {
    return this.#wasReady;
  }

  /** Records that a worker is ready. */
  noteReady(): void {
    this.#wasReady = true;
  }

  /** Decides about one unwanted end. */
  decideRestart({ kind, message }: UnwantedEnd, nowMs: number): RestartDecision {
    // Another worker must not touch files that a lost one may still change.
    if (kind === "lost") return { isLogged: false, failure: message };
    // A conf that could not be served at the first start cannot be served at the second.
    if (kind === "failed" && !this.#wasReady) return { isLogged: false, failure: message };
    this.#count = nowMs - this.#lastMs < PAUSE_MS ? this.#count + 1 : 1;
    this.#lastMs = nowMs;
    const failure = this.#count < ENDS_MAX
      ? undefined
      : `target worker ended ${this.#count} times in a short while, last: ${message}`;
    return { isLogged: true, failure };
  }
}
