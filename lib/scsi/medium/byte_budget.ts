/** A budget of memory in bytes. */
export class ByteBudget {
  #leftBytes: number;

  constructor(sizeBytes: number) {
    this.#leftBytes = sizeBytes;
  }

  /** Takes memory from the budget; returns false when there is not enough left. */
  take(lengthBytes: number): boolean {
    if (lengthBytes > this.#leftBytes) return false;
    this.#leftBytes -= lengthBytes;
    return true;
  }

  /** Returns memory to the budget. */
  giveBack(lengthBytes: number): void {
    this.#leftBytes += lengthBytes;
  }
}
