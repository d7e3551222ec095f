/**
 * Commands that read and write as one uninterrupted action: COMPARE AND WRITE (SBC-3, 5.2), ORWRITE(16) (SBC-3, 5.7)
 * and WRITE ATOMIC(16) (SBC-4).
 *
 * ```text
 *            COMPARE AND WRITE     ORWRITE(16)           WRITE ATOMIC(16)
 *   byte 1   WRPROTECT, DPO, FUA   ORPROTECT, DPO, FUA   WRPROTECT, DPO, FUA
 *   address  2-9                   2-9                   2-9
 *   length   13                    10-13                 12-13, ATOMIC BOUNDARY in 10-11
 * ```
 *
 * The data is collected first, since an initiator takes its time. Then the command waits until nobody else is at work
 * on the range, and has it for itself.
 */
import { readUint16, readUint32, readUint64 } from "../../bytes/big_endian.ts";
import { writeAtomically } from "../../store/atomic_write.ts";
import type { BlockStore } from "../../store/block_store.ts";
import { atomicWriteMaxBlocks, compareAndWriteMaxBlocks } from "../medium/atomic_limits.ts";
import { finished, FINISHED_GOOD, refused, refusedForField, TASK_SET_FULL } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { flush, outcomeOfFailure, refuseRange, refuseTransfer } from "../medium/medium.ts";
import type { DataOut, Finished, Later, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { exclusively } from "../medium/range_access.ts";
import { encodeSenseWithInformation, Sense } from "../outcome/sense.ts";
import { Status } from "../outcome/status.ts";

const PROTECT = 0xe0;
const FUA = 0x08;

/** Most that ORWRITE reads and writes at a time. */
const PIECE_BYTES = 256 * 1024;

/** What is to be done with the data when it is complete, with the range to oneself. The store's failures are thrown. */
type Action = (unit: LogicalUnit, startBytes: number, data: Uint8Array) => Promise<Outcome>;

/** How one of the commands differs from the others. */
interface Plan {
  readonly action: Action;
  readonly lba: number;
  readonly blocks: number;
  readonly forceUnitAccess: boolean;
  /** The data holds what the blocks should contain before what they are to contain. */
  readonly hasCompareData?: true;
}

/** A command whose data is collected. */
class CollectedWrite implements DataOut {
  readonly kind = "dataOut";
  readonly lengthBytes: number;
  /** Of COMPARE AND WRITE: half of other data is not what the initiator means by its halves. */
  readonly refusalOfOtherLength: Finished | undefined;
  readonly #nexus: ItlNexus;
  readonly #plan: Plan;
  #data: Uint8Array | undefined;
  #isOver = false;

  constructor(nexus: ItlNexus, plan: Plan) {
    this.refusalOfOtherLength = plan.hasCompareData === true ? refusedForField(13) : undefined;
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

  /** The data is not needed any more. */
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

function lengthOf({ logicalUnit }: ItlNexus, { blocks, hasCompareData }: Plan): number {
  return blocks * logicalUnit.blockSizeBytes * (hasCompareData === true ? 2 : 1);
}

/** Begins to collect, if there is room for so much (SAM-5, 5.3.1: lack of resources). */
function collect(nexus: ItlNexus, plan: Plan): Operation {
  // To be exact about no data at all, the command has to ask for it.
  if (plan.blocks === 0 && plan.hasCompareData !== true) return FINISHED_GOOD;
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

/** The first half of the data is what should be there, the second what is to be there. */
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
export function compareAndWrite(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const { logicalUnit: unit } = nexus;
  const [flags, lba, blocks] = [cdb[1]!, readUint64(cdb, 2), cdb[13]!];
  if ((flags & PROTECT) !== 0) return refusedForField(1, 7);
  const refusal = refuseRange(unit, lba, blocks);
  if (refusal !== undefined) return refusal;
  if (blocks > compareAndWriteMaxBlocks(unit)) return refusedForField(13);
  const forceUnitAccess = (flags & FUA) !== 0;
  return collect(nexus, { action: compareThenWrite, lba, blocks, forceUnitAccess, hasCompareData: true });
}

/** ORWRITE(16). */
export function orWrite16(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const [flags, lba, blocks] = [cdb[1]!, readUint64(cdb, 2), readUint32(cdb, 10)];
  if ((flags & PROTECT) !== 0) return refusedForField(1, 7);
  const refusal = refuseTransfer(nexus.logicalUnit, lba, blocks, 10);
  if (refusal !== undefined) return refusal;
  return collect(nexus, { action: readThenWriteOred, lba, blocks, forceUnitAccess: (flags & FUA) !== 0 });
}

/**
 * WRITE ATOMIC(16). ATOMIC BOUNDARY must be zero: MAXIMUM ATOMIC BOUNDARY SIZE is, since every write that is accepted
 * at all is atomic as a whole.
 */
export function writeAtomic16(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const { logicalUnit: unit } = nexus;
  const [flags, lba, blocks] = [cdb[1]!, readUint64(cdb, 2), readUint16(cdb, 12)];
  if ((flags & PROTECT) !== 0) return refusedForField(1, 7);
  const refusal = refuseRange(unit, lba, blocks);
  if (refusal !== undefined) return refusal;
  if (readUint16(cdb, 10) !== 0) return refusedForField(10);
  if (blocks > atomicWriteMaxBlocks(unit)) return refusedForField(12);
  return collect(nexus, { action: writeWhole, lba, blocks, forceUnitAccess: (flags & FUA) !== 0 });
}
