/**
 * Coordination of block transfers with uninterrupted commands. A transfer stays out of a range that such a command
 * holds, and keeps such commands out of its own range from its first piece to its last.
 *
 * A transfer whose data is moved in one piece at once needs no hold, because nothing can run in between. Nearly every
 * command is of this kind, and pays two comparisons.
 */
import type { LogicalUnit } from "../logical_unit.ts";
import type { RangeHold } from "./range_locks.ts";

/** The block transfer of one command. */
export abstract class BlockTransfer {
  readonly lengthBytes: number;
  protected readonly unit: LogicalUnit;
  protected readonly startBytes: number;
  #hold: RangeHold | undefined = undefined;
  #awaitedHold: Promise<RangeHold> | undefined = undefined;
  /** Pieces that an asynchronous medium is moving, or that wait for the range. */
  #underWay = 0;
  #isOver = false;

  constructor(unit: LogicalUnit, lba: number, blocks: number) {
    this.lengthBytes = blocks * unit.blockSizeBytes;
    this.unit = unit;
    this.startBytes = lba * unit.blockSizeBytes;
  }

  /** Starts with a hold on the range. */
  startWith(hold: RangeHold): this {
    this.#hold = hold;
    return this;
  }

  /**
   * Returns whether a piece may be moved at once. It may not while earlier pieces wait for the range, because the hold
   * will be theirs.
   */
  protected mayMoveNow(pieceBytes: number): boolean {
    if (this.#hold !== undefined) return true;
    if (this.#awaitedHold !== undefined) return false;
    const { ranges } = this.unit;
    if (ranges.isLocked(this.startBytes, this.lengthBytes)) return false;
    if (pieceBytes < this.lengthBytes) this.#hold = ranges.share(this.startBytes, this.lengthBytes);
    return true;
  }

  /**
   * Takes the range until `leave`. Returns undefined when a piece may be moved at once, and otherwise a promise that
   * resolves when it may. So an asynchronous medium starts while further commands are received.
   */
  protected enter(): Promise<void> | undefined {
    this.#underWay++;
    const { ranges } = this.unit;
    if (this.#hold === undefined && this.#awaitedHold === undefined) {
      if (ranges.isLocked(this.startBytes, this.lengthBytes)) {
        this.#awaitedHold = ranges.shareLater(this.startBytes, this.lengthBytes);
      } else this.#hold = ranges.share(this.startBytes, this.lengthBytes);
    }
    return this.#hold === undefined ? this.#receiveHold(this.#awaitedHold!) : undefined;
  }

  async #receiveHold(awaited: Promise<RangeHold>): Promise<void> {
    this.#hold = await awaited;
  }

  /** Ends a piece that `enter` began. */
  protected leave(): void {
    this.#underWay--;
    if (this.#isOver) this.end();
  }

  /** Returns whether another command waits to lock some of the range. */
  blocksOthers(): boolean {
    return this.#hold !== undefined && this.unit.ranges.isAwaited(this.startBytes, this.lengthBytes);
  }

  /** Ends the transfer, after the pieces that are under way. */
  end(): void {
    this.#isOver = true;
    if (this.#hold === undefined || this.#underWay > 0) return;
    this.unit.ranges.release(this.#hold);
    this.#hold = undefined;
    this.#awaitedHold = undefined;
  }
}
