/**
 * READ and WRITE (SBC-3, 5.11 to 5.13 and 5.33 to 5.35; the forms of 6 bytes are in SBC-2).
 *
 * ```text
 *            (6)            (10)           (12)           (16)
 *   byte 1   address high   RDPROTECT or WRPROTECT (7-5), DPO (4), FUA (3)
 *   address  1-3, 21 bits   2-5            2-5            2-9
 *   length   4, 0 is 256    7-8            6-9            10-13
 * ```
 *
 * DPO only advises about caching and is left to the page cache. A write with FUA ends with a flush. A read with FUA
 * sends nothing that only the page cache has: what it reads while something is left to flush is flushed before it goes.
 */
import { readUint16, readUint24, readUint32, readUint64 } from "../../bytes/big_endian.ts";
import { BlockTransfer } from "../medium/block_transfer.ts";
import { FINISHED_GOOD, refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, flush, outcomeOfFailure, refuseTransfer, settle } from "../medium/medium.ts";
import type { DataIn, DataOut, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { inTurn } from "../medium/range_access.ts";

const PROTECT = 0xe0;
const FUA = 0x08;

/** Blocks on their way from the medium. One is made per command: it holds no more than it must. */
class ReadBlocks extends BlockTransfer implements DataIn {
  readonly kind = "dataIn";

  readNow(offset: number, into: Uint8Array): Outcome | undefined {
    if (!this.mayMoveNow(into.length)) return undefined;
    try {
      if (!this.unit.store.readNow(this.startBytes + offset, into)) return undefined;
    } catch (error) {
      this.end();
      return outcomeOfFailure(error);
    }
    if (offset + into.length === this.lengthBytes) this.end();
    return GOOD;
  }

  async read(offset: number, into: Uint8Array): Promise<Outcome> {
    const entering = this.enter();
    if (entering !== undefined) await entering;
    try {
      await this.unit.store.read(this.startBytes + offset, into);
      if (offset + into.length === this.lengthBytes) this.end();
      return GOOD;
    } catch (error) {
      this.end();
      return outcomeOfFailure(error);
    } finally {
      this.leave();
    }
  }
}

/** Blocks on their way from the medium, with FUA: each piece is durable before it is sent, whoever writes meanwhile. */
class DurableReadBlocks extends ReadBlocks {
  override readNow(offset: number, into: Uint8Array): Outcome | undefined {
    return this.unit.isDurable ? super.readNow(offset, into) : undefined;
  }

  override async read(offset: number, into: Uint8Array): Promise<Outcome> {
    const outcome = await super.read(offset, into);
    if (outcome !== GOOD) return outcome;
    const settled = await settle(this.unit);
    if (settled !== GOOD) this.end();
    return settled;
  }
}

/** Blocks on their way to the medium. */
class WriteBlocks extends BlockTransfer implements DataOut {
  readonly kind = "dataOut";
  readonly #forceUnitAccess: boolean;

  constructor(unit: LogicalUnit, lba: number, blocks: number, forceUnitAccess: boolean) {
    super(unit, lba, blocks);
    this.#forceUnitAccess = forceUnitAccess;
  }

  writeNow(offset: number, from: Uint8Array): Outcome | undefined {
    if (!this.mayMoveNow(from.length)) return undefined;
    try {
      return this.unit.store.writeNow(this.startBytes + offset, from) ? GOOD : undefined;
    } catch (error) {
      return outcomeOfFailure(error);
    }
  }

  async write(offset: number, from: Uint8Array): Promise<Outcome> {
    const entering = this.enter();
    if (entering !== undefined) await entering;
    try {
      await this.unit.store.write(this.startBytes + offset, from);
      return GOOD;
    } catch (error) {
      return outcomeOfFailure(error);
    } finally {
      this.leave();
    }
  }

  finish(): Operation {
    this.end();
    return this.#forceUnitAccess ? finishLater(flush(this.unit)) : FINISHED_GOOD;
  }
}

function makeRead(unit: LogicalUnit, flags: number, lba: number, blocks: number): ReadBlocks {
  return (flags & FUA) === 0 ? new ReadBlocks(unit, lba, blocks) : new DurableReadBlocks(unit, lba, blocks);
}

function read(unit: LogicalUnit, flags: number, lba: number, blocks: number, lengthByte: number): Operation {
  if ((flags & PROTECT) !== 0) return refusedForField(1, 7);
  const refusal = refuseTransfer(unit, lba, blocks, lengthByte);
  if (refusal !== undefined) return refusal;
  if (blocks === 0) return FINISHED_GOOD;
  const { ranges, blockSizeBytes } = unit;
  const [startBytes, lengthBytes] = [lba * blockSizeBytes, blocks * blockSizeBytes];
  return ranges.isAwaited(startBytes, lengthBytes)
    ? inTurn(unit, startBytes, lengthBytes, (hold) => makeRead(unit, flags, lba, blocks).startWith(hold))
    : makeRead(unit, flags, lba, blocks);
}

function write(unit: LogicalUnit, flags: number, lba: number, blocks: number, lengthByte: number): Operation {
  if ((flags & PROTECT) !== 0) return refusedForField(1, 7);
  const refusal = refuseTransfer(unit, lba, blocks, lengthByte);
  if (refusal !== undefined) return refusal;
  return blocks === 0 ? FINISHED_GOOD : new WriteBlocks(unit, lba, blocks, (flags & FUA) !== 0);
}

/** READ(6), which has no flags and cannot ask for nothing. */
export function read6(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return read(nexus.logicalUnit, 0, readUint24(cdb, 1) & 0x1fffff, cdb[4]! || 256, 4);
}

/** READ(10). */
export function read10(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return read(nexus.logicalUnit, cdb[1]!, readUint32(cdb, 2), readUint16(cdb, 7), 7);
}

/** READ(12). */
export function read12(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return read(nexus.logicalUnit, cdb[1]!, readUint32(cdb, 2), readUint32(cdb, 6), 6);
}

/** READ(16). */
export function read16(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return read(nexus.logicalUnit, cdb[1]!, readUint64(cdb, 2), readUint32(cdb, 10), 10);
}

/** WRITE(6), which has no flags and cannot write nothing. */
export function write6(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return write(nexus.logicalUnit, 0, readUint24(cdb, 1) & 0x1fffff, cdb[4]! || 256, 4);
}

/** WRITE(10). */
export function write10(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return write(nexus.logicalUnit, cdb[1]!, readUint32(cdb, 2), readUint16(cdb, 7), 7);
}

/** WRITE(12). */
export function write12(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return write(nexus.logicalUnit, cdb[1]!, readUint32(cdb, 2), readUint32(cdb, 6), 6);
}

/** WRITE(16). */
export function write16(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return write(nexus.logicalUnit, cdb[1]!, readUint64(cdb, 2), readUint32(cdb, 10), 10);
}
