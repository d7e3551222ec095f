/**
 * Commands that read and write as one uninterrupted action: COMPARE AND WRITE (SBC-3, 5.2), ORWRITE(16) (SBC-3, 5.7)
 * and WRITE ATOMIC(16) (SBC-4).
 *
 * ```text
 *            COMPARE AND WRITE   ORWRITE(16)   WRITE ATOMIC(16)
 *   address  2-9                 2-9           2-9
 *   length   13                  10-13         12-13, ATOMIC BOUNDARY in 10-11
 * ```
 *
 * The data is collected first, since an initiator may send it slowly. Then the command waits until no other command
 * accesses the range, and has exclusive access to it.
 */
import { type BlockFields, BLOCKS_16, type TransferFlags } from "../dispatch/block_cdb.ts";
import {
  bytesOf,
  type CdbField,
  type CdbFields,
  isSet,
  readField,
  refuseField,
} from "../dispatch/cdb_field.ts";
import { writeAtomically } from "../../store/atomic_write.ts";
import type { BlockStore } from "../../store/block_store.ts";
import { atomicWriteMaxBlocks, compareAndWriteMaxBlocks } from "../medium/atomic_limits.ts";
import { finished, FINISHED_GOOD, refused, TASK_SET_FULL } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { flush, refuseRange, refuseTransfer } from "../medium/medium.ts";
import type { DataOut, Finished, Later, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { exclusively } from "../medium/range_access.ts";
import { encodeSenseWithInformation, Sense } from "../outcome/sense.ts";
import { Status } from "../outcome/status.ts";
import { outcomeOfFailure } from "../medium/store_error_outcome.ts";

/** The blocks of COMPARE AND WRITE. */
export const COMPARE_AND_WRITE_BLOCKS: BlockFields = { lba: BLOCKS_16.lba, blocks: bytesOf(13, 1) };

/** The blocks and the boundary of WRITE ATOMIC(16). */
export const WRITE_ATOMIC_FIELDS: CdbFields<"lba" | "atomicBoundary" | "blocks"> = {
  lba: BLOCKS_16.lba,
  atomicBoundary: bytesOf(10, 2),
  blocks: bytesOf(12, 2),
};

/** Most bytes that ORWRITE reads and writes at a time. */
const PIECE_BYTES = 256 * 1024;

/** The work of a command on its complete data, with exclusive access to the range. Failures of the store are thrown. */
type Action = (unit: LogicalUnit, startBytes: number, data: Uint8Array) => Promise<Outcome>;

/** The differences between the commands. */
interface Plan {
  readonly action: Action;
  readonly lba: number;
  readonly blocks: number;
  readonly forceUnitAccess: boolean;
  /**
   * For data that begins with the expected content of the blocks: the field that is refused if the initiator sends data
   * of another length, since half of that would not be the half that it means.
   */
  readonly compareDataOf?: CdbField;
}

/** A command whose data is collected. */
class CollectedWrite implements DataOut {
  readonly kind = "dataOut";
  readonly lengthBytes: number;
  readonly refusalOfOtherLength: Finished | undefined;
  readonly #nexus: ItlNexus;
  readonly #plan: Plan;
  #data: Uint8Array | undefined;
  #isOver = false;

  constructor(nexus: ItlNexus, plan: Plan) {
    this.refusalOfOtherLength = plan.compareDataOf && refuseField(plan.compareDataOf);
    this.lengthBytes = lengthOf(nexus, plan);
    this.#nexus = nexus;
    this.#plan = plan;
  }

  writeNow(offset: number, from: Uint8Array): Outcome {
    this.#data ??= new Uint8Array(this.lengthBytes);
    this.#data.set(from, offset);
    return GOOD;
  }

  write(offset: number, from: Uint8Array): Promise<Outcome> {
    return Promise.resolve(this.writeNow(offset, from));
  }

  finish(receivedBytes: number): Operation {
    if (receivedBytes < this.lengthBytes) {
      this.end();
      return refused(Sense.invalidFieldInCommandInformationUnit);
    }
    if (this.#data === undefined) return FINISHED_GOOD;
    const { cancel, operation } = this.#act(this.#data);
    const afterwards = operation.then((done) => this.#afterwards(done));
    return { kind: "later", operation: afterwards, ...(cancel && { cancel }) };
  }

  /** Releases the memory of the data. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#nexus.collected.giveBack(this.lengthBytes);
  }

  #act(data: Uint8Array): Later {
    const { logicalUnit: unit } = this.#nexus;
    const { action, lba, blocks } = this.#plan;
    const startBytes = lba * unit.blockSizeBytes;
    return exclusively(unit, startBytes, blocks * unit.blockSizeBytes, async () => {
      try {
        return await action(unit, startBytes, data);
      } catch (error) {
        return outcomeOfFailure(error);
      }
    });
  }

  async #afterwards(done: Operation): Promise<Operation> {
    this.end();
    return this.#plan.forceUnitAccess && done === FINISHED_GOOD
      ? finished(await flush(this.#nexus.logicalUnit))
      : done;
  }
}

function lengthOf({ logicalUnit }: ItlNexus, { blocks, compareDataOf }: Plan): number {
  return blocks * logicalUnit.blockSizeBytes * (compareDataOf === undefined ? 1 : 2);
}

/** Collects the data, if the memory suffices (SAM-5, 5.3.1: lack of resources). */
function collect(nexus: ItlNexus, plan: Plan): Operation {
  // COMPARE AND WRITE requests even zero bytes, to refuse data of another length.
  if (plan.blocks === 0 && plan.compareDataOf === undefined) return FINISHED_GOOD;
  return nexus.collected.take(lengthOf(nexus, plan)) ? new CollectedWrite(nexus, plan) : TASK_SET_FULL;
}

async function read(store: BlockStore, offset: number, lengthBytes: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(lengthBytes);
  if (!store.readNow(offset, bytes)) await store.read(offset, bytes);
  return bytes;
}

function miscompare(offset: number): Outcome {
  const sense = encodeSenseWithInformation(Sense.miscompareDuringVerifyOperation, offset);
  return { status: Status.checkCondition, sense };
}

/** Compares the medium with the first half of the data, and writes the second half. */
async function compareThenWrite(unit: LogicalUnit, startBytes: number, data: Uint8Array): Promise<Outcome> {
  const expected = data.subarray(0, data.length / 2);
  const actual = await read(unit.store, startBytes, expected.length);
  // SBC-3, 5.2: INFORMATION is the offset in the Data-Out Buffer of the first byte that is not equal.
  const difference = actual.findIndex((byte, index) => byte !== expected[index]);
  if (difference >= 0) return miscompare(difference);
  const from = data.subarray(expected.length);
  await writeAtomically(unit.store, unit.journal, { offset: startBytes, from, survives: "processDeath" });
  return GOOD;
}

async function writeWhole(unit: LogicalUnit, startBytes: number, data: Uint8Array): Promise<Outcome> {
  await writeAtomically(unit.store, unit.journal, { offset: startBytes, from: data, survives: "powerLoss" });
  return GOOD;
}

async function readThenWriteOred(unit: LogicalUnit, startBytes: number, data: Uint8Array): Promise<Outcome> {
  for (let at = 0; at < data.length; at += PIECE_BYTES) {
    const piece = data.subarray(at, at + PIECE_BYTES);
    const old = await read(unit.store, startBytes + at, piece.length);
    for (let index = 0; index < piece.length; index++) piece[index]! |= old[index]!;
    await unit.store.write(startBytes + at, piece);
  }
  return GOOD;
}

/** COMPARE AND WRITE. */
export function compareAndWrite(
  nexus: ItlNexus,
  cdb: Uint8Array,
  fields: BlockFields & TransferFlags,
): Operation {
  const { logicalUnit: unit } = nexus;
  if (isSet(cdb, fields.protect)) return refuseField(fields.protect);
  const [lba, blocks] = [readField(cdb, fields.lba), readField(cdb, fields.blocks)];
  const refusal = refuseRange(unit, lba, blocks);
  if (refusal !== undefined) return refusal;
  if (blocks > compareAndWriteMaxBlocks(unit)) return refuseField(fields.blocks);
  const forceUnitAccess = isSet(cdb, fields.forceUnitAccess);
  return collect(nexus, {
    action: compareThenWrite,
    lba,
    blocks,
    forceUnitAccess,
    compareDataOf: fields.blocks,
  });
}

/** ORWRITE. */
export function orWrite(nexus: ItlNexus, cdb: Uint8Array, fields: BlockFields & TransferFlags): Operation {
  if (isSet(cdb, fields.protect)) return refuseField(fields.protect);
  const [lba, blocks] = [readField(cdb, fields.lba), readField(cdb, fields.blocks)];
  const refusal = refuseTransfer(nexus.logicalUnit, lba, blocks, fields.blocks.byte);
  if (refusal !== undefined) return refusal;
  const forceUnitAccess = isSet(cdb, fields.forceUnitAccess);
  return collect(nexus, { action: readThenWriteOred, lba, blocks, forceUnitAccess });
}

/**
 * WRITE ATOMIC. ATOMIC BOUNDARY must be zero, since MAXIMUM ATOMIC BOUNDARY SIZE is: every write that is accepted is
 * atomic as a whole.
 */
export function writeAtomic(
  nexus: ItlNexus,
  cdb: Uint8Array,
  fields: typeof WRITE_ATOMIC_FIELDS & TransferFlags,
): Operation {
  const { logicalUnit: unit } = nexus;
  if (isSet(cdb, fields.protect)) return refuseField(fields.protect);
  const [lba, blocks] = [readField(cdb, fields.lba), readField(cdb, fields.blocks)];
  const refusal = refuseRange(unit, lba, blocks);
  if (refusal !== undefined) return refusal;
  if (readField(cdb, fields.atomicBoundary) !== 0) return refuseField(fields.atomicBoundary);
  if (blocks > atomicWriteMaxBlocks(unit)) return refuseField(fields.blocks);
  const forceUnitAccess = isSet(cdb, fields.forceUnitAccess);
  return collect(nexus, { action: writeWhole, lba, blocks, forceUnitAccess });
}
