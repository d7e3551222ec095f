import type { Clock } from "../clock.ts";
import { Limits } from "../limits.ts";

/**
 * Who has failed to prove what it had to, and how long its next login from there waits before it may try. The wait
 * comes before the attempt: whoever tries much at once waits with each, and right and wrong ones wait alike.
 */
export class FailedLogins {
  readonly #clock: Pick<Clock, "monotonicMs">;
  /** By address; who failed last stands last. */
  readonly #failures = new Map<string, { readonly count: number; readonly lastMs: number }>();

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  /** Takes note of one more. */
  add(peerAddress: string): void {
    const count = this.#countOf(peerAddress) + 1;
    this.#failures.delete(peerAddress);
    this.#failures.set(peerAddress, { count, lastMs: this.#clock.monotonicMs() });
    if (this.#failures.size > Limits.failedLoginAddresses) {
      this.#failures.delete(this.#failures.keys().next().value!);
    }
  }

  /** How long a login from there waits that has to prove something. */
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
