/** Memory that may be in use for some purpose, in bytes. */
export class ByteBudget {
  #leftBytes: number;

  constructor(sizeBytes: number) {
    this.#leftBytes = sizeBytes;
  }

  /** Takes so much if there is so much left; returns whether there was. */
  take(lengthBytes: number): boolean {
    if (lengthBytes > this.#leftBytes) return false;
    this.#leftBytes -= lengthBytes;
    return true;
  }

  giveBack(lengthBytes: number): void {
    this.#leftBytes += lengthBytes;
  }
}
