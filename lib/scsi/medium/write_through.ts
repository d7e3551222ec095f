/**
 * Writing through (SBC-3, 4.15): on a unit without a volatile cache, GOOD means that what the command wrote is on
 * stable storage. This one place follows every command that changes the medium to its end, and flushes before GOOD.
 * Commands that end at the same time share a flush.
 */
import type { LogicalUnit } from "../logical_unit.ts";
import type { DataOut, Finished, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { finishLater, flush } from "./medium.ts";

/** A command that receives data, and whose end is followed. */
class WriteThrough implements DataOut {
  readonly kind = "dataOut";
  readonly #written: DataOut;
  readonly #unit: LogicalUnit;

  constructor(written: DataOut, unit: LogicalUnit) {
    this.#written = written;
    this.#unit = unit;
  }

  get lengthBytes(): number {
    return this.#written.lengthBytes;
  }

  get refusalOfOtherLength(): Finished | undefined {
    return this.#written.refusalOfOtherLength;
  }

  adaptTo(offeredBytes: number): void {
    this.#written.adaptTo?.(offeredBytes);
  }

  writeNow(offset: number, from: Uint8Array): Outcome | undefined {
    return this.#written.writeNow(offset, from);
  }

  write(offset: number, from: Uint8Array): Promise<Outcome> {
    return this.#written.write(offset, from);
  }

  finish(receivedBytes: number): Operation {
    return writeThrough(this.#written.finish(receivedBytes), this.#unit);
  }

  end(): void {
    this.#written.end?.();
  }

  blocksOthers(): boolean {
    return this.#written.blocksOthers?.() === true;
  }
}

/** Returns an operation that does the same and ends with GOOD only after a flush; any other status is passed on. */
export function writeThrough(operation: Operation, unit: LogicalUnit): Operation {
  switch (operation.kind) {
    case "finished":
      return operation.outcome !== GOOD || unit.isDurable
        ? operation
        : finishLater(flush(unit), { changesNothing: true });
    case "later":
      return { ...operation, operation: operation.operation.then((next) => writeThrough(next, unit)) };
    case "dataOut":
      return new WriteThrough(operation, unit);
    case "dataIn":
      // A command that changes the medium and answers with data would need a flush before its last piece.
      throw new TypeError("Cannot write through a command that sends data");
  }
}
