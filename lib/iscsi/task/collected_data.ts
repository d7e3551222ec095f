import type { ByteBudget } from "../../scsi/medium/byte_budget.ts";
import type { DataOut, Later, Operation } from "../../scsi/outcome/operation.ts";
import { GOOD, type Outcome } from "../../scsi/outcome/outcome.ts";

/**
 * The data that an initiator sends unasked for a command that waits for its turn (SAM-5, 8): taken off the stream, on
 * which the data of older commands follows, and kept until the command wants it or does not.
 */
export class CollectedData implements DataOut {
  readonly kind = "dataOut";
  readonly #budget: ByteBudget;
  readonly #later: Later;
  readonly #giveUp: () => void;
  #bytes: Uint8Array;

  /**
   * Makes room for as much as will come; undefined when there is none.
   *
   * @param giveUp gives up the command, which waits for its turn in vain
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

  /** All has come: the command goes on waiting. */
  finish(): Operation {
    return this.#later;
  }

  /** The command ends without having begun. */
  end(): void {
    this.release();
    this.#giveUp();
  }

  /** The data, until it is released. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Drops the data; what it occupied may be used for other commands. */
  release(): void {
    this.#budget.giveBack(this.#bytes.length);
    this.#bytes = new Uint8Array();
  }
}
