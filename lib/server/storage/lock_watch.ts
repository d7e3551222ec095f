import type { Clock } from "../../iscsi/clock.ts";
import type { Lease } from "./serving.ts";

/** Milliseconds between two checks. */
const CHECK_MS = 5_000;

/** The collaborators of `LockWatch`. */
export interface LockWatchOptions {
  /** Returns the lease of the storage folder that is served now. */
  readonly lease: () => Pick<Lease, "findLoss">;
  readonly clock: Clock;
  /** Called once, with the reason. */
  readonly onLoss: (reason: string) => void;
}

/** Checks that the lock of the storage folder still belongs to this server. */
export class LockWatch {
  readonly #options: LockWatchOptions;
  #cancel: () => void = () => {};
  #isOver = false;

  constructor(options: LockWatchOptions) {
    this.#options = options;
    this.#schedule();
  }

  /** Ends the checks. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#cancel();
  }

  #schedule(): void {
    this.#cancel = this.#options.clock.after(CHECK_MS, () => this.#check());
  }

  /** Checks once. On a network file system that hangs, that waits like everything else. */
  async #check(): Promise<void> {
    const lease = this.#options.lease();
    const reason = await lease.findLoss?.();
    if (this.#isOver) return;
    // A reload may have released this lock meanwhile.
    if (reason === undefined || lease !== this.#options.lease()) return this.#schedule();
    this[Symbol.dispose]();
    this.#options.onLoss(reason);
  }
}
