import type { Clock } from "../clock.ts";
import type { LogEvent, LogLevel } from "./event_log.ts";
import { Limits } from "../limits.ts";

const PERIOD_MS = 60_000;

/** Events of one kind, from one peer, that are reported one by one within a minute. */
const TOLD: Readonly<Record<LogLevel, number>> = { error: 32, warning: 5, info: 32, debug: 32 };

/** The same for events without a peer that have the same message. */
const OWN_TOLD: Readonly<Record<LogLevel, number>> = { error: 1, warning: 1, info: 32, debug: 32 };

/** Events of one kind, from one peer, within a minute. */
interface Run {
  told: number;
  untold: number;
  /** The last one of which nothing was said. */
  last: LogEvent | undefined;
  readonly cancel: () => void;
}

/**
 * Keeps peers, and failures of our own, from flooding the log: what one peer does again and again is reported a few
 * times, then counted, and the count is reported when the minute is over. So is an event without a peer that is
 * repeated word for word.
 */
export class RepetitionFilter {
  readonly #write: (event: LogEvent) => void;
  readonly #clock: Clock;
  readonly #runs = new Map<string, Run>();

  constructor(write: (event: LogEvent) => void, clock: Clock) {
    this.#write = write;
    this.#clock = clock;
  }

  /** Takes an event. */
  write(event: LogEvent): void {
    const { details, level } = event;
    const peer = details?.peer;
    const run = peer === undefined ? this.#ownRunOf(event) : this.#runOf(`${level} ${details!.event}`, peer);
    if (run === undefined) return this.#write(event);
    if (run.told < (peer === undefined ? OWN_TOLD : TOLD)[level]) {
      run.told++;
      return this.#write(event);
    }
    run.untold++;
    run.last = event;
  }

  /** Tells all that was not told. */
  flush(): void {
    for (const key of [...this.#runs.keys()]) this.#end(key);
  }

  /** When there are many peers, those that come later share what each of the others has for itself. */
  #runOf(kind: string, peer: string): Run {
    const own = `${kind} ${peer}`;
    const isKnown = this.#runs.has(own);
    const key = isKnown || this.#runs.size < Limits.loggedPeers ? own : kind;
    return this.#runs.get(key) ?? this.#begin(key);
  }

  /** Undefined when there are so many peers that one more message cannot be remembered: then it passes. */
  #ownRunOf({ level, message }: LogEvent): Run | undefined {
    const key = `${level} of ours: ${message}`;
    return this.#runs.get(key) ?? (this.#runs.size < Limits.loggedPeers ? this.#begin(key) : undefined);
  }

  #begin(key: string): Run {
    const run = {
      told: 0,
      untold: 0,
      last: undefined,
      cancel: this.#clock.after(PERIOD_MS, () => this.#end(key)),
    };
    this.#runs.set(key, run);
    return run;
  }

  #end(key: string): void {
    const { cancel, last, untold } = this.#runs.get(key)!;
    cancel();
    this.#runs.delete(key);
    if (last !== undefined) this.#write({ ...last, repeats: untold - 1 });
  }
}
