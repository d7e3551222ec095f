import type { Expectation } from "../task/expectation.ts";
import type { ReplyWriter } from "../wire/reply_writer.ts";

/** The status numbers of a connection. */
export type StatusNumbers = Pick<ReplyWriter, "statSN" | "acknowledge" | "isAcknowledged">;

interface Awaited {
  readonly statSN: number;
  readonly resolve: () => void;
}

/** The initiator's acknowledgements of the statuses that one connection has sent (ExpStatSN; RFC 7143, 4.2.2.2). */
export class Acknowledgements {
  readonly #numbers: StatusNumbers;
  readonly #awaited = new Set<Awaited>();

  constructor(numbers: StatusNumbers) {
    this.#numbers = numbers;
  }

  /** The number of acknowledgements that are waited for. */
  get count(): number {
    return this.#awaited.size;
  }

  /** Records the ExpStatSN of a request. */
  receive(expStatSN: number): void {
    this.#numbers.acknowledge(expStatSN);
    if (this.#awaited.size > 0) this.#endAcknowledged();
  }

  /** Waits until every status sent so far is acknowledged. Returns undefined when all are. */
  expect(): Expectation | undefined {
    const { statSN } = this.#numbers;
    if (this.#numbers.isAcknowledged(statSN)) return undefined;
    const { promise, resolve } = Promise.withResolvers<void>();
    const awaited = { statSN, resolve };
    this.#awaited.add(awaited);
    return { met: promise, giveUp: () => this.#end(awaited) };
  }

  /** Ends every wait: the connection is over. */
  giveUp(): void {
    for (const awaited of this.#awaited) this.#end(awaited);
  }

  #endAcknowledged(): void {
    for (const awaited of this.#awaited) {
      if (this.#numbers.isAcknowledged(awaited.statSN)) this.#end(awaited);
    }
  }

  #end(awaited: Awaited): void {
    this.#awaited.delete(awaited);
    awaited.resolve();
  }
}
