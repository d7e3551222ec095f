import type { ByteBudget } from "../../scsi/medium/byte_budget.ts";
import type { DataOut, Later, Operation } from "../../scsi/outcome/operation.ts";
import { GOOD, type Outcome } from "../../scsi/outcome/outcome.ts";

/**
 * The unsolicited data of a command that waits for its turn (SAM-5, 8). It has to leave the stream, since the data of
 * older commands follows it, and is kept until the command takes it or ends.
 */
export class CollectedData implements DataOut {
  readonly kind = "dataOut";
  readonly #budget: ByteBudget;
  readonly #later: Later;
  readonly #giveUp: () => void;
  #bytes: Uint8Array;

  /**
   * Allocates memory for the data that is due. Returns undefined when the budget is exhausted.
   *
   * @param giveUp called when the data does not arrive, to abandon the waiting command
   */
  static of(
    lengthBytes: number,
    later: Later,
    budget: ByteBudget,
    giveUp: () => void,
  ): CollectedData | undefined {
    return budget.take(lengthBytes) ? new CollectedData(lengthBytes, later, budget, giveUp) : undefined;
  }

  private constructor(lengthBytes: number, later: Later, budget: ByteBudget, giveUp: () => void) {
    this.#bytes = new Uint8Array(lengthBytes);
    this.#later = later;
    this.#budget = budget;
    this.#giveUp = giveUp;
  }

  get lengthBytes(): number {
    return this.#bytes.length;
  }

  writeNow(offset: number, from: Uint8Array): Outcome {
    this.#bytes.set(from, offset);
    return GOOD;
  }

  write(offset: number, from: Uint8Array): Promise<Outcome> {
    return Promise.resolve(this.writeNow(offset, from));
  }

  /** Continues the wait for the command's turn: all data has arrived. */
  finish(): Operation {
    return this.#later;
  }

  /** Ends the command, which has not begun. */
  end(): void {
    this.release();
    this.#giveUp();
  }

  /** The data, until it is released. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Drops the data, and returns its memory to the budget. */
  release(): void {
    this.#budget.giveBack(this.#bytes.length);
    this.#bytes = new Uint8Array();
  }
}
