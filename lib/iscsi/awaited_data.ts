import { type DataOut, RESERVED_TAG } from "./initiator_pdus.ts";

/**
 * Data that one connection's R2Ts have asked for, and that is still on its way for tasks that are over: the initiator
 * sends it all the same (RFC 7143, 4.2.3.3).
 */
export class AwaitedData {
  /** Of the R2Ts. */
  readonly #targetTransferTags = new Set<number>();
  #complete: PromiseWithResolvers<void> | undefined;

  /** Waits for the end of the data with these tags as well. Resolves when all has come that is waited for. */
  expect(targetTransferTags: Iterable<number>): Promise<void> {
    for (const tag of targetTransferTags) this.#targetTransferTags.add(tag);
    this.#complete ??= Promise.withResolvers();
    return this.#complete.promise;
  }

  /** Data has come that belongs to no task. */
  receive({ targetTransferTag, final }: DataOut): void {
    if (targetTransferTag === RESERVED_TAG || !final) return;
    if (this.#targetTransferTags.delete(targetTransferTag) && this.#targetTransferTags.size === 0) {
      this.giveUp();
    }
  }

  /** Waits no longer. */
  giveUp(): void {
    this.#targetTransferTags.clear();
    this.#complete?.resolve();
    this.#complete = undefined;
  }
}
