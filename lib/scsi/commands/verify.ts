/**
 * VERIFY (SBC-3, 5.29 to 5.31): the blocks are read, and what is read is held against what the initiator says. The
 * medium is verified: what only the page cache had is flushed before the status.
 *
 * Nobody waits for the bytes themselves, so all reading takes the form that leaves the event loop to others.
 */
import { readUint16, readUint32, readUint64 } from "../../bytes/big_endian.ts";
import { BlockTransfer } from "../medium/block_transfer.ts";
import { checkCondition, FINISHED_GOOD, refused, refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, outcomeOfFailure, refuseTransfer, settle } from "../medium/medium.ts";
import { sharing } from "../medium/range_access.ts";
import type { DataOut, Later, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { Sense } from "../outcome/sense.ts";

const VRPROTECT = 0xe0;

/** Whether `medium`, which was read at `offset` from where the verification starts, is as it should be. */
export type Check = (medium: Uint8Array, offset: number) => boolean;

/** Whether bytes, which are as many, are the same. */
export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  for (let index = 0; index < a.length; index++) {
    if (a[index] !== b[index]) return false;
  }
  return true;
}

/** Whether `bytes` are nothing but `block`, again and again. */
function isRepetition(bytes: Uint8Array, block: Uint8Array): boolean {
  for (let offset = 0; offset < bytes.length; offset += block.length) {
    if (!isEqual(bytes.subarray(offset, offset + block.length), block)) return false;
  }
  return true;
}

/** Reads a range piece by piece and checks each. */
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

/** Ends a command with the verification of a range. */
function verifyLater(unit: LogicalUnit, startBytes: number, lengthBytes: number, check: Check): Later {
  const verified = sharing(
    unit,
    startBytes,
    lengthBytes,
    () => verifyRange(unit, startBytes, lengthBytes, check),
  ).then((outcome) => outcome === GOOD ? settle(unit) : outcome);
  return finishLater(verified, { changesNothing: true });
}

/** BYTCHK 01b: the initiator sends what the blocks should hold. */
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

  /** GOOD would speak for blocks that were never compared, if the initiator did not send them all. */
  finish(receivedBytes: number): Operation {
    this.end();
    return receivedBytes < this.lengthBytes
      ? refused(Sense.invalidFieldInCommandInformationUnit)
      : finishLater(settle(this.unit), { changesNothing: true });
  }
}

/** BYTCHK 11b: the initiator sends one block, and all should be like it. */
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

function verify(
  unit: LogicalUnit,
  flags: number,
  lba: number,
  blocks: number,
  lengthByte: number,
): Operation {
  if ((flags & VRPROTECT) !== 0) return refusedForField(1, 7);
  const refusal = refuseTransfer(unit, lba, blocks, lengthByte);
  if (refusal !== undefined) return refusal;
  const byteCheck = flags >>> 1 & 0b11;
  if (byteCheck === 0b10) return refusedForField(1, 2);
  if (blocks === 0) return FINISHED_GOOD;
  switch (byteCheck) {
    case 0b01:
      return new VerifyBlocks(unit, lba, blocks);
    case 0b11:
      return new VerifyRepeatedBlock(unit, lba, blocks);
    default: {
      const { blockSizeBytes } = unit;
      return verifyLater(unit, lba * blockSizeBytes, blocks * blockSizeBytes, () => true);
    }
  }
}

/** VERIFY(10). */
export function verify10(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return verify(nexus.logicalUnit, cdb[1]!, readUint32(cdb, 2), readUint16(cdb, 7), 7);
}

/** VERIFY(12). */
export function verify12(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return verify(nexus.logicalUnit, cdb[1]!, readUint32(cdb, 2), readUint32(cdb, 6), 6);
}

/** VERIFY(16). */
export function verify16(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return verify(nexus.logicalUnit, cdb[1]!, readUint64(cdb, 2), readUint32(cdb, 10), 10);
}
