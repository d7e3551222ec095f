import { addressFamily, parseNetwork } from "../bytes/network.ts";
import type { Clock } from "./clock.ts";
import { Limits } from "./limits.ts";

/** Who has failed to prove what it had to, and how long the next who does from there waits for its answer. */
export class FailedLogins {
  readonly #clock: Pick<Clock, "now">;
  /** By address; who failed last stands last. */
  readonly #failures = new Map<string, { readonly count: number; readonly lastMs: number }>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Takes note of one more, and says for how long its answer is to be held back. */
  add(peerAddress: string): number {
    const key = origin(peerAddress);
    const before = this.#failures.get(key);
    const now = this.#clock.now();
    const isForgotten = before === undefined || now - before.lastMs >= Limits.failedLoginMemoryMs;
    const count = isForgotten ? 1 : before.count + 1;
    this.#failures.delete(key);
    this.#failures.set(key, { count, lastMs: now });
    if (this.#failures.size > Limits.failedLoginAddresses) {
      this.#failures.delete(this.#failures.keys().next().value!);
    }
    return Math.min(Limits.failedLoginFirstMs * 2 ** Math.min(count - 1, 30), Limits.failedLoginMaxMs);
  }
}

/** An address, or the subnet that one host of IPv6 has for itself (RFC 4291, 2.5.1). */
function origin(address: string): string {
  return addressFamily(address) === "ipv6" ? parseNetwork(`${address}/64`)!.address : address;
}
