import type { Expectation } from "./expectation.ts";
import type { DataOut } from "../pdu/initiator_pdus.ts";
import { RESERVED_TAG } from "../pdu/header.ts";

interface Awaited {
  readonly targetTransferTags: Set<number>;
  readonly resolve: () => void;
}

/**
 * Data that one connection's R2Ts have requested for tasks that have ended since. The initiator still sends it (RFC
 * 7143, 4.2.3.3).
 */
export class AwaitedData {
  readonly #awaited = new Set<Awaited>();

  /** Waits for the last data of R2Ts with these tags. */
  expect(targetTransferTags: Iterable<number>): Expectation {
    const { promise, resolve } = Promise.withResolvers<void>();
    const awaited = { targetTransferTags: new Set(targetTransferTags), resolve };
    this.#awaited.add(awaited);
    return { met: promise, giveUp: () => this.#end(awaited) };
  }

  /** The number of R2Ts whose data is waited for. */
  get count(): number {
    return this.#awaited.values().reduce((sum, { targetTransferTags }) => sum + targetTransferTags.size, 0);
  }

  /** Records data that belongs to no task. */
  receive({ targetTransferTag, final }: DataOut): void {
    if (targetTransferTag === RESERVED_TAG || !final) return;
    for (const awaited of this.#awaited) {
      const { targetTransferTags } = awaited;
      if (targetTransferTags.delete(targetTransferTag) && targetTransferTags.size === 0) this.#end(awaited);
    }
  }

  /** Ends every wait: the connection is over. */
  giveUp(): void {
    for (const awaited of this.#awaited) this.#end(awaited);
  }

  #end(awaited: Awaited): void {
    this.#awaited.delete(awaited);
    awaited.resolve();
  }
}
