/** The failure of work that was cancelled. Work ends early only by throwing it, so its end is never a success. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";
}

/** Tells work that takes long to stop. The work can not ask whether it is cancelled; it can only fail when it is. */
export class Cancellation {
  #isCancelled = false;

  /** Stops the work at its next step. */
  cancel(): void {
    this.#isCancelled = true;
  }

  /** @throws {CancelledError} when the work is to stop */
  throwIfCancelled(): void {
    if (this.#isCancelled) throw new CancelledError("Cancelled");
  }
}
