import type { Expectation } from "../task/expectation.ts";

interface Awaited {
  readonly statSN: number;
  readonly resolve: () => void;
}

/** Statuses of one connection whose receipt the initiator is still to acknowledge, before others may be sent. */
export class AwaitedAcknowledgements {
  readonly #awaited = new Set<Awaited>();

  /** How many are waited for. */
  get count(): number {
    return this.#awaited.size;
  }

  /** Waits for the acknowledgement of everything before a StatSN. */
  expect(statSN: number): Expectation {
    const { promise, resolve } = Promise.withResolvers<void>();
    const awaited = { statSN, resolve };
    this.#awaited.add(awaited);
    return { met: promise, giveUp: () => this.#end(awaited) };
  }

  /** Ends the waiting for what the initiator has acknowledged by now. */
  update(isAcknowledged: (statSN: number) => boolean): void {
    for (const awaited of this.#awaited) if (isAcknowledged(awaited.statSN)) this.#end(awaited);
  }

  /** Waits for nothing any longer: the connection is over. */
  giveUp(): void {
    for (const awaited of this.#awaited) this.#end(awaited);
  }

  #end(awaited: Awaited): void {
    this.#awaited.delete(awaited);
    awaited.resolve();
  }
}
