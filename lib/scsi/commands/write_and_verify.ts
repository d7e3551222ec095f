/**
 * WRITE AND VERIFY (SBC-3, 5.36 to 5.38): writes the blocks, makes them durable and reads them back. With BYTCHK 01b it
 * compares them with the data that was written.
 */
import type { BlockFields, VERIFY_FLAGS } from "../dispatch/block_cdb.ts";
import { isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import { BlockTransfer } from "../medium/block_transfer.ts";
import { checkCondition, FINISHED_GOOD } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, flush, refuseTransfer } from "../medium/medium.ts";
import type { DataOut, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { sharing } from "../medium/range_access.ts";
import { Sense } from "../outcome/sense.ts";
import { isEqual, verifyRange } from "./verify.ts";
import { outcomeOfFailure } from "../medium/store_error_outcome.ts";

/** BYTCHK that asks for a comparison; 10b and 11b are reserved here, unlike in VERIFY (SBC-3, 5.36). */
const COMPARES_BYTES = 0b01;

/** Blocks on their way to the medium, and back to be verified. */
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

/** WRITE AND VERIFY. */
export function writeAndVerify(
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
  if (byteCheck > COMPARES_BYTES) return refuseField(fields.byteCheck);
  if (blocks === 0) return FINISHED_GOOD;
  return new WriteAndVerifyBlocks(unit, lba, blocks, byteCheck === COMPARES_BYTES);
}
