/**
 * VERIFY (SBC-3, 5.29 to 5.31): reads the blocks and compares them with the data of the initiator, if it sends any. The
 * medium is verified, so data that only the page cache holds is flushed before the status.
 *
 * The initiator does not wait for the bytes themselves, so all reads are asynchronous and leave the event loop free.
 */
import type { BlockFields, VERIFY_FLAGS } from "../dispatch/block_cdb.ts";
import { isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import { BlockTransfer } from "../medium/block_transfer.ts";
import { checkCondition, FINISHED_GOOD, refused } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, refuseTransfer, settle } from "../medium/medium.ts";
import { sharing } from "../medium/range_access.ts";
import type { DataOut, Later, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { Sense } from "../outcome/sense.ts";
import { outcomeOfFailure } from "../medium/store_error_outcome.ts";

/** Values of BYTCHK; 10b is reserved. */
const ByteCheck = { none: 0b00, everyBlock: 0b01, reserved: 0b10, oneBlock: 0b11 } as const;

/** A function that reports whether `medium`, read `offset` bytes after the start of the range, is as expected. */
export type Check = (medium: Uint8Array, offset: number) => boolean;

/** Reports whether two arrays of the same length hold the same bytes. */
export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  for (let index = 0; index < a.length; index++) {
    if (a[index] !== b[index]) return false;
  }
  return true;
}

/** Reports whether `bytes` consist of repetitions of `block`. */
function isRepetition(bytes: Uint8Array, block: Uint8Array): boolean {
  for (let offset = 0; offset < bytes.length; offset += block.length) {
    if (!isEqual(bytes.subarray(offset, offset + block.length), block)) return false;
  }
  return true;
}

/** Reads a range piece by piece and checks each piece. */
export function verifyRange(
  unit: LogicalUnit,
  startBytes: number,
  lengthBytes: number,
  check: Check,
): Promise<Outcome> {
  return unit.scratch.use(async (scratch) => {
    for (let offset = 0; offset < lengthBytes; offset += scratch.length) {
      const piece = scratch.subarray(0, lengthBytes - offset);
      try {
        await unit.verifyingStore.read(startBytes + offset, piece);
      } catch (error) {
        return outcomeOfFailure(error);
      }
      if (!check(piece, offset)) return checkCondition(Sense.miscompareDuringVerifyOperation);
    }
    return GOOD;
  });
}

/** Verifies a range as the end of a command. */
function verifyLater(unit: LogicalUnit, startBytes: number, lengthBytes: number, check: Check): Later {
  const verified = sharing(
    unit,
    startBytes,
    lengthBytes,
    () => verifyRange(unit, startBytes, lengthBytes, check),
  ).then((outcome) => outcome === GOOD ? settle(unit) : outcome);
  return finishLater(verified, { changesNothing: true });
}

/** BYTCHK 01b: the initiator sends the expected content of every block. */
class VerifyBlocks extends BlockTransfer implements DataOut {
  readonly kind = "dataOut";

  writeNow(): undefined {
    return undefined;
  }

  async write(offset: number, from: Uint8Array): Promise<Outcome> {
    await this.enter();
    const outcome = await verifyRange(
      this.unit,
      this.startBytes + offset,
      from.length,
      (medium, at) => isEqual(medium, from.subarray(at, at + medium.length)),
    );
    this.leave();
    return outcome;
  }

  /** Refuses incomplete data: GOOD would vouch for blocks that were never compared. */
  finish(receivedBytes: number): Operation {
    this.end();
    return receivedBytes < this.lengthBytes
      ? refused(Sense.invalidFieldInCommandInformationUnit)
      : finishLater(settle(this.unit), { changesNothing: true });
  }
}

/** BYTCHK 11b: the initiator sends one block, the expected content of all of them. */
class VerifyRepeatedBlock implements DataOut {
  readonly kind = "dataOut";
  readonly #unit: LogicalUnit;
  readonly #lba: number;
  readonly #blocks: number;
  readonly #pattern: Uint8Array;

  constructor(unit: LogicalUnit, lba: number, blocks: number) {
    this.#unit = unit;
    this.#lba = lba;
    this.#blocks = blocks;
    this.#pattern = new Uint8Array(unit.blockSizeBytes);
  }

  get lengthBytes(): number {
    return this.#pattern.length;
  }

  writeNow(offset: number, from: Uint8Array): Outcome {
    this.#pattern.set(from, offset);
    return GOOD;
  }

  write(offset: number, from: Uint8Array): Promise<Outcome> {
    return Promise.resolve(this.writeNow(offset, from));
  }

  finish(receivedBytes: number): Operation {
    const pattern = this.#pattern;
    if (receivedBytes < pattern.length) return refused(Sense.invalidFieldInCommandInformationUnit);
    const [offset, length] = [this.#lba * pattern.length, this.#blocks * pattern.length];
    return verifyLater(this.#unit, offset, length, (medium) => isRepetition(medium, pattern));
  }
}

/** VERIFY. */
export function verify(
  { logicalUnit: unit }: ItlNexus,
  cdb: Uint8Array,
  fields: BlockFields & typeof VERIFY_FLAGS,
): Operation {
  if (isSet(cdb, fields.protect)) return refuseField(fields.protect);
  const lba = readField(cdb, fields.lba);
  const blocks = readField(cdb, fields.blocks);
  const refusal = refuseTransfer(unit, lba, blocks, fields.blocks.byte);
  if (refusal !== undefined) return refusal;
  const byteCheck = readField(cdb, fields.byteCheck);
  if (byteCheck === ByteCheck.reserved) return refuseField(fields.byteCheck);
  if (blocks === 0) return FINISHED_GOOD;
  switch (byteCheck) {
    case ByteCheck.everyBlock:
      return new VerifyBlocks(unit, lba, blocks);
    case ByteCheck.oneBlock:
      return new VerifyRepeatedBlock(unit, lba, blocks);
    default: {
      const { blockSizeBytes } = unit;
      return verifyLater(unit, lba * blockSizeBytes, blocks * blockSizeBytes, () => true);
    }
  }
}
