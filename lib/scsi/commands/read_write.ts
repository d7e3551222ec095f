/**
 * READ and WRITE (SBC-3, 5.11 to 5.13 and 5.33 to 5.35; the forms of 6 bytes are in SBC-2).
 *
 * DPO is advice about caching and has no effect. A write with FUA ends with a flush. A read with FUA sends only durable
 * data: while unflushed data exists, each piece is flushed before it is sent.
 */
import type { BlockFields, TransferFlags } from "../dispatch/block_cdb.ts";
import { isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import { BlockTransfer } from "../medium/block_transfer.ts";
import { FINISHED_GOOD } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, flush, refuseTransfer, settle } from "../medium/medium.ts";
import type { DataIn, DataOut, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { inTurn } from "../medium/range_access.ts";
import { outcomeOfFailure } from "../medium/store_error_outcome.ts";

/** The fields of READ and WRITE. */
type TransferFields = BlockFields & TransferFlags;

/** Blocks on their way from the medium. Each command makes one, so it holds only what is necessary. */
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

/**
 * Blocks on their way from the medium, with FUA. Each piece is durable before it is sent, despite concurrent writes.
 */
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

/** READ. */
export function read({ logicalUnit: unit }: ItlNexus, cdb: Uint8Array, fields: TransferFields): Operation {
  if (isSet(cdb, fields.protect)) return refuseField(fields.protect);
  const lba = readField(cdb, fields.lba);
  const blocks = readField(cdb, fields.blocks);
  const refusal = refuseTransfer(unit, lba, blocks, fields.blocks.byte);
  if (refusal !== undefined) return refusal;
  if (blocks === 0) return FINISHED_GOOD;
  const forceUnitAccess = isSet(cdb, fields.forceUnitAccess);
  const { ranges, blockSizeBytes } = unit;
  return ranges.isAwaited(lba * blockSizeBytes, blocks * blockSizeBytes)
    ? readInTurn(unit, lba, blocks, forceUnitAccess)
    : makeRead(unit, lba, blocks, forceUnitAccess);
}

function makeRead(unit: LogicalUnit, lba: number, blocks: number, forceUnitAccess: boolean): ReadBlocks {
  return forceUnitAccess ? new DurableReadBlocks(unit, lba, blocks) : new ReadBlocks(unit, lba, blocks);
}

function readInTurn(unit: LogicalUnit, lba: number, blocks: number, forceUnitAccess: boolean): Operation {
  const { blockSizeBytes } = unit;
  return inTurn(
    unit,
    lba * blockSizeBytes,
    blocks * blockSizeBytes,
    (hold) => makeRead(unit, lba, blocks, forceUnitAccess).startWith(hold),
  );
}

/** WRITE. */
export function write({ logicalUnit: unit }: ItlNexus, cdb: Uint8Array, fields: TransferFields): Operation {
  if (isSet(cdb, fields.protect)) return refuseField(fields.protect);
  const lba = readField(cdb, fields.lba);
  const blocks = readField(cdb, fields.blocks);
  const refusal = refuseTransfer(unit, lba, blocks, fields.blocks.byte);
  if (refusal !== undefined) return refusal;
  return blocks === 0
    ? FINISHED_GOOD
    : new WriteBlocks(unit, lba, blocks, isSet(cdb, fields.forceUnitAccess));
}
