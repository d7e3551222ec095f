/**
 * What a command that moves blocks to or from the initiator has to do with those that must not be interrupted: it stays
 * away from a range that one of them has, and, from its first piece to its last, keeps them away from its own.
 *
 * A command whose data comes in one piece that is moved at once needs no hold, as nothing can come in between. That is
 * nearly every command, and costs it two comparisons.
 */
import type { LogicalUnit } from "../logical_unit.ts";
import type { RangeHold } from "./range_locks.ts";

/** The blocks of one command on their way. */
export abstract class BlockTransfer {
  readonly lengthBytes: number;
  protected readonly unit: LogicalUnit;
  protected readonly startBytes: number;
  #hold: RangeHold | undefined = undefined;
  #entering: Promise<RangeHold> | undefined = undefined;
  /** Pieces that a medium which completes later is at work on, or that wait for the range. */
  #underWay = 0;
  #isOver = false;

  constructor(unit: LogicalUnit, lba: number, blocks: number) {
    this.lengthBytes = blocks * unit.blockSizeBytes;
    this.unit = unit;
    this.startBytes = lba * unit.blockSizeBytes;
  }

  /** Begins with a hold on the range. */
  startWith(hold: RangeHold): this {
    this.#hold = hold;
    return this;
  }

  /** Whether a piece may be moved at once. It may not while others wait for the range: theirs is the hold on it. */
  protected mayMoveNow(pieceBytes: number): boolean {
    if (this.#hold !== undefined) return true;
    if (this.#entering !== undefined) return false;
    const { ranges } = this.unit;
    if (ranges.isLocked(this.startBytes, this.lengthBytes)) return false;
    if (pieceBytes < this.lengthBytes) this.#hold = ranges.share(this.startBytes, this.lengthBytes);
    return true;
  }

  /**
   * Keeps the range until `leave` at least. A piece may be moved when this resolves, or at once when it returns
   * undefined: so a medium that completes later begins while further commands are still being received.
   */
  protected enter(): Promise<void> | undefined {
    this.#underWay++;
    const { ranges } = this.unit;
    if (this.#hold === undefined && this.#entering === undefined) {
      if (ranges.isLocked(this.startBytes, this.lengthBytes)) {
        this.#entering = ranges.shareLater(this.startBytes, this.lengthBytes);
      } else this.#hold = ranges.share(this.startBytes, this.lengthBytes);
    }
    return this.#hold === undefined ? this.#entered(this.#entering!) : undefined;
  }

  async #entered(entering: Promise<RangeHold>): Promise<void> {
    this.#hold = await entering;
  }

  /** A piece that entered has been moved. */
  protected leave(): void {
    this.#underWay--;
    if (this.#isOver) this.end();
  }

  /** Another command waits to have some of the range for itself. */
  blocksOthers(): boolean {
    return this.#hold !== undefined && this.unit.ranges.isAwaited(this.startBytes, this.lengthBytes);
  }

  /** No further piece will be moved, but for those under way. */
  end(): void {
    this.#isOver = true;
    if (this.#hold === undefined || this.#underWay > 0) return;
    this.unit.ranges.release(this.#hold);
    this.#hold = undefined;
    this.#entering = undefined;
  }
}
