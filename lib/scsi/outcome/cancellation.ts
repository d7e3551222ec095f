/**
 * The failure of cancelled work. Work ends early only by throwing it, so the end of cancelled work is never a success.
 */
export class CancelledError extends Error {
  override readonly name = "CancelledError";
}

/** A request to stop work that takes long. The work cannot ask whether it is cancelled; it can only fail when it is. */
export class Cancellation {
  #isCancelled = false;

  /** Stops the work at its next step. */
  cancel(): void {
    this.#isCancelled = true;
  }

  /** @throws {CancelledError} when the work is cancelled */
  throwIfCancelled(): void {
    if (this.#isCancelled) throw new CancelledError("Cancelled");
  }
}
