import { delay } from "../../base/delay.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import type { Clock } from "../../iscsi/clock.ts";

/**
 * The pauses of a trim, as a multiple of the time that it has just taken to give space back. While a file gets a hole,
 * all commands of its LUN are served off the event loop, which takes them some times as long.
 */
const REST_FACTOR = 9;

/** Options of `TrimPace`. */
export interface TrimPaceOptions {
  /** Null for no limit. */
  readonly bytesPerSecond: number | null;
  readonly clock: Clock;
  /** Returns the number of commands that initiators have sent so far. */
  readonly commands: () => number;
}

/** The pace of a trim beside initiators: it reads at a limited rate, and rests while they use the LUN. */
export class TrimPace {
  readonly #limit: RateLimit;
  readonly #clock: Clock;
  readonly #commands: () => number;
  readonly #after: Clock["after"];
  #commandsBefore: number;

  constructor({ bytesPerSecond, clock, commands }: TrimPaceOptions) {
    this.#clock = clock;
    this.#commands = commands;
    this.#commandsBefore = commands();
    this.#after = clock.after.bind(clock);
    this.#limit = new RateLimit(bytesPerSecond, {
      now: () => clock.monotonicMs(),
      wait: (delayMs, signal) => delay(delayMs, signal, this.#after),
    });
  }

  /** Waits as long as the rate requires after this many bytes were read. */
  readonly pace = (bytes: number, signal: AbortSignal): Promise<void> => this.#limit.take(bytes, signal);

  /** Gives space back, and rests if initiators have sent commands since the last time. */
  readonly release = async (work: () => Promise<void>, signal: AbortSignal): Promise<void> => {
    const began = this.#clock.monotonicMs();
    await work();
    const tookMs = this.#clock.monotonicMs() - began;
    const commands = this.#commands();
    const isUsed = commands !== this.#commandsBefore;
    this.#commandsBefore = commands;
    if (isUsed) await delay(tookMs * REST_FACTOR, signal, this.#after);
  };
}
