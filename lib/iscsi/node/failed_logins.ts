import type { Clock } from "../clock.ts";
import { Limits } from "../limits.ts";

/**
 * Counts CHAP failures per address and computes the delay before the next attempt.
 *
 * The delay precedes the attempt. Every one of many simultaneous attempts is delayed, and right and wrong secrets take
 * the same time.
 */
export class FailedLogins {
  readonly #clock: Pick<Clock, "monotonicMs">;
  /** By address; the last to fail is last. */
  readonly #failures = new Map<string, { readonly count: number; readonly lastMs: number }>();

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Counts a failure. */
  add(peerAddress: string): void {
    const count = this.#countOf(peerAddress) + 1;
    this.#failures.delete(peerAddress);
    this.#failures.set(peerAddress, { count, lastMs: this.#clock.monotonicMs() });
    if (this.#failures.size > Limits.failedLoginAddresses) {
      this.#failures.delete(this.#failures.keys().next().value!);
    }
  }

  /** Returns how long the next login with CHAP from an address waits. */
  delayMs(peerAddress: string): number {
    const count = this.#countOf(peerAddress);
    if (count === 0) return 0;
    return Math.min(Limits.failedLoginFirstMs * 2 ** Math.min(count - 1, 30), Limits.failedLoginMaxMs);
  }

  #countOf(peerAddress: string): number {
    const failure = this.#failures.get(peerAddress);
    const isForgotten = failure === undefined ||
      this.#clock.monotonicMs() - failure.lastMs >= Limits.failedLoginMemoryMs;
    return isForgotten ? 0 : failure.count;
  }
}
