import { Limits } from "../limits.ts";

/** Responses of one connection that wait for work on a medium, or for something that the initiator owes. */
export class DeferredResponses {
  readonly #wake: () => void;
  #count = 0;

  /** @param wake sends what a response has put into the send buffer */
  constructor(wake: () => void) {
    this.#wake = wake;
  }

  /** True when no further request should be accepted whose response may have to wait. */
  get isFull(): boolean {
    return this.#count >= Limits.immediateCommands;
  }

  /** Responds when `settled` resolves, or at once when it is undefined, as it usually is. */
  after(settled: Promise<unknown> | undefined, respond: () => void): void {
    if (settled === undefined) return respond();
    this.#count++;
    settled.then(() => {
      this.#count--;
      respond();
      this.#wake();
    });
  }
}
