import type { Clock } from "../clock.ts";
import type { LogEvent, LogLevel } from "./event_log.ts";
import { Limits } from "../limits.ts";

const PERIOD_MS = 60_000;

/** Events of one kind from one peer that are logged individually within a period. */
const LOGGED_PER_PEER: Readonly<Record<LogLevel, number>> = { error: 32, warning: 5, info: 32, debug: 32 };

/** Events without a peer and with the same message that are logged individually within a period. */
const LOGGED_PER_MESSAGE: Readonly<Record<LogLevel, number>> = { error: 1, warning: 1, info: 32, debug: 32 };

/** The similar events of one period. */
interface Run {
  logged: number;
  suppressed: number;
  /** The last suppressed event. */
  last: LogEvent | undefined;
  /** Cancels the end of the period. */
  readonly cancel: () => void;
}

/**
 * A filter that keeps peers and repeated failures from flooding the log. It logs the first events of one kind from one
 * peer, counts further ones, and logs the last of them with their number at the end of the period. Events without a
 * peer are similar if their messages are equal.
 */
export class RepetitionFilter {
  readonly #write: (event: LogEvent) => void;
  readonly #clock: Clock;
  readonly #runs = new Map<string, Run>();

  constructor(write: (event: LogEvent) => void, clock: Clock) {
    this.#write = write;
    this.#clock = clock;
  }

  /** Logs an event, or suppresses and counts it. */
  write(event: LogEvent): void {
    const { details, level } = event;
    const peer = details?.peer;
    const run = peer === undefined
      ? this.#runOfMessage(event)
      : this.#runOfPeer(`${level} ${details!.event}`, peer);
    if (run === undefined) return this.#write(event);
    if (run.logged < (peer === undefined ? LOGGED_PER_MESSAGE : LOGGED_PER_PEER)[level]) {
      run.logged++;
      return this.#write(event);
    }
    run.suppressed++;
    run.last = event;
  }

  /** Ends all periods: logs the last suppressed event of each run. */
  flush(): void {
    for (const key of [...this.#runs.keys()]) this.#end(key);
  }

  /** Returns the run of a kind and a peer; beyond the limit, further peers share one run for each kind. */
  #runOfPeer(kind: string, peer: string): Run {
    const own = `${kind} ${peer}`;
    const isKnown = this.#runs.has(own);
    const key = isKnown || this.#runs.size < Limits.loggedPeers ? own : kind;
    return this.#runs.get(key) ?? this.#begin(key);
  }

  /** Returns the run of a message; undefined beyond the limit, and the event is then logged. */
  #runOfMessage({ level, message }: LogEvent): Run | undefined {
    const key = `${level}: ${message}`;
    return this.#runs.get(key) ?? (this.#runs.size < Limits.loggedPeers ? this.#begin(key) : undefined);
  }

  #begin(key: string): Run {
    const run = {
      logged: 0,
      suppressed: 0,
      last: undefined,
      cancel: this.#clock.after(PERIOD_MS, () => this.#end(key)),
    };
    this.#runs.set(key, run);
    return run;
  }

  #end(key: string): void {
    const { cancel, last, suppressed } = this.#runs.get(key)!;
    cancel();
    this.#runs.delete(key);
    if (last !== undefined) this.#write({ ...last, repeats: suppressed - 1 });
  }
}
