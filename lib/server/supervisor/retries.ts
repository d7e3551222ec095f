import type { Clock } from "../../iscsi/clock.ts";
import { SupervisorLimits } from "../port/supervisor_limits.ts";

/** The attempts of a supervisor that are repeated after a pause, until it stops. */
export class Retries {
  readonly #clock: Clock;
  /** Each cancels a retry to come. */
  readonly #cancels = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `run` after the pause, unless `cancel` is called before. */
  later(run: () => void): void {
    const cancel = this.#clock.after(SupervisorLimits.retryMs, () => {
      this.#cancels.delete(cancel);
      run();
    });
    this.#cancels.add(cancel);
  }

  /** Cancels all retries to come. */
  cancel(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
  }
}
