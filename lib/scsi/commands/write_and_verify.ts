/**
 * WRITE AND VERIFY (SBC-3, 5.36 to 5.38): the blocks are written and made durable, and read back; with BYTCHK 01b what
 * is read is held against what was to be written.
 *
 * ```text
 *            (10)           (12)           (16)
 *   byte 1   WRPROTECT (7-5), DPO (4), BYTCHK (2-1)
 *   address  2-5            2-5            2-9
 *   length   7-8            6-9            10-13
 * ```
 */
import { readUint16, readUint32, readUint64 } from "../../bytes/big_endian.ts";
import { BlockTransfer } from "../medium/block_transfer.ts";
import { checkCondition, FINISHED_GOOD, refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, flush, outcomeOfFailure, refuseTransfer } from "../medium/medium.ts";
import type { DataOut, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { sharing } from "../medium/range_access.ts";
import { Sense } from "../outcome/sense.ts";
import { isEqual, verifyRange } from "./verify.ts";

const WRPROTECT = 0xe0;

/** Blocks on their way to the medium, and back for a look. */
class WriteAndVerifyBlocks extends BlockTransfer implements DataOut {
  readonly kind = "dataOut";
  readonly #comparesBytes: boolean;

  constructor(unit: LogicalUnit, lba: number, blocks: number, comparesBytes: boolean) {
    super(unit, lba, blocks);
    this.#comparesBytes = comparesBytes;
  }

  writeNow(): undefined {
    return undefined;
  }

  async write(offset: number, from: Uint8Array): Promise<Outcome> {
    await this.enter();
    try {
      return await this.#writePiece(this.startBytes + offset, from);
    } catch (error) {
      return outcomeOfFailure(error);
    } finally {
      this.leave();
    }
  }

  finish(receivedBytes: number): Operation {
    this.end();
    return finishLater(this.#makeDurable(receivedBytes));
  }

  async #writePiece(startBytes: number, from: Uint8Array): Promise<Outcome> {
    const { store, verifyingStore } = this.unit;
    await store.write(startBytes, from);
    if (!this.#comparesBytes) return GOOD;
    const written = new Uint8Array(from.length);
    await verifyingStore.read(startBytes, written);
    return isEqual(written, from) ? GOOD : checkCondition(Sense.miscompareDuringVerifyOperation);
  }

  async #makeDurable(receivedBytes: number): Promise<Outcome> {
    const { unit, startBytes } = this;
    const outcome = await flush(unit);
    if (outcome !== GOOD || this.#comparesBytes) return outcome;
    return await sharing(
      unit,
      startBytes,
      receivedBytes,
      () => verifyRange(unit, startBytes, receivedBytes, () => true),
    );
  }
}

function writeAndVerify(
  unit: LogicalUnit,
  flags: number,
  lba: number,
  blocks: number,
  lengthByte: number,
): Operation {
  if ((flags & WRPROTECT) !== 0) return refusedForField(1, 7);
  const refusal = refuseTransfer(unit, lba, blocks, lengthByte);
  if (refusal !== undefined) return refusal;
  const byteCheck = flags >>> 1 & 0b11;
  // SBC-3, 5.36: 10b and 11b are reserved here, unlike in VERIFY.
  if (byteCheck > 0b01) return refusedForField(1, 2);
  return blocks === 0 ? FINISHED_GOOD : new WriteAndVerifyBlocks(unit, lba, blocks, byteCheck === 0b01);
}

/** WRITE AND VERIFY(10). */
export function writeAndVerify10(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return writeAndVerify(nexus.logicalUnit, cdb[1]!, readUint32(cdb, 2), readUint16(cdb, 7), 7);
}

/** WRITE AND VERIFY(12). */
export function writeAndVerify12(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return writeAndVerify(nexus.logicalUnit, cdb[1]!, readUint32(cdb, 2), readUint32(cdb, 6), 6);
}

/** WRITE AND VERIFY(16). */
export function writeAndVerify16(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return writeAndVerify(nexus.logicalUnit, cdb[1]!, readUint64(cdb, 2), readUint32(cdb, 10), 10);
}
