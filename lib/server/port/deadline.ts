import type { Clock } from "../../iscsi/clock.ts";

/** The moment at a fixed time after a signal is aborted. */
export class Deadline implements Disposable {
  readonly #reached = Promise.withResolvers<void>();
  #cancel: () => void = () => {};

  constructor(stop: AbortSignal, delayMs: number, clock: Clock) {
    const begin = (): void => {
      this.#cancel = clock.after(delayMs, this.#reached.resolve);
    };
    if (stop.aborted) begin();
    else stop.addEventListener("abort", begin, { once: true });
  }

  /** Resolves at that moment. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}
