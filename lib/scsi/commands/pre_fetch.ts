/**
 * PRE-FETCH (SBC-3, 5.8 and 5.9): the blocks are read, so that they are in the page cache when somebody wants them.
 *
 * CONDITION MET says that all of them are (or, with IMMED, will be), GOOD that not all are.
 */
import { readUint16, readUint32, readUint64 } from "../../bytes/big_endian.ts";
import { FINISHED_GOOD, refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, outcomeOfFailure, refuseRange } from "../medium/medium.ts";
import type { Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { READ_AHEAD_MAX_BYTES } from "../medium/read_ahead.ts";
import { Status } from "../outcome/status.ts";

const IMMED = 0x02;

const CONDITION_MET: Outcome = Object.freeze({ status: Status.conditionMet, sense: undefined });

async function readAhead(unit: LogicalUnit, startBytes: number, lengthBytes: number): Promise<Outcome> {
  const readBytes = Math.min(lengthBytes, READ_AHEAD_MAX_BYTES);
  try {
    await unit.readAhead.read(startBytes, readBytes);
    return readBytes === lengthBytes ? CONDITION_MET : GOOD;
  } catch (error) {
    return outcomeOfFailure(error);
  }
}

function preFetch(
  unit: LogicalUnit,
  flags: number,
  lba: number,
  blocks: number,
  lengthByte: number,
): Operation {
  const refusal = refuseRange(unit, lba, blocks);
  if (refusal !== undefined) return refusal;
  const { blockSizeBytes, capacityBlocks, readAhead: { isBusy } } = unit;
  if (blocks * blockSizeBytes > READ_AHEAD_MAX_BYTES) return refusedForField(lengthByte);
  // SBC-3, 5.8: no length means all blocks up to the last.
  const lengthBytes = (blocks || capacityBlocks - lba) * blockSizeBytes;
  if (isBusy) return FINISHED_GOOD;
  const outcome = readAhead(unit, lba * blockSizeBytes, lengthBytes);
  if ((flags & IMMED) === 0) return finishLater(outcome, { changesNothing: true });
  // What cannot be read is told to whoever wants it: until then nobody has lost anything.
  return lengthBytes <= READ_AHEAD_MAX_BYTES ? { kind: "finished", outcome: CONDITION_MET } : FINISHED_GOOD;
}

/** PRE-FETCH(10). */
export function preFetch10(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return preFetch(nexus.logicalUnit, cdb[1]!, readUint32(cdb, 2), readUint16(cdb, 7), 7);
}

/** PRE-FETCH(16). */
export function preFetch16(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return preFetch(nexus.logicalUnit, cdb[1]!, readUint64(cdb, 2), readUint32(cdb, 10), 10);
}
