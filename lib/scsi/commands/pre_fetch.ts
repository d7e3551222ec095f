/**
 * PRE-FETCH (SBC-3, 5.8 and 5.9): reads the blocks into the page cache.
 *
 * The status is CONDITION MET if all of them are there (or, with IMMED, will be), and GOOD otherwise.
 */
import type { BlockFields, IMMEDIATE_FLAG } from "../dispatch/block_cdb.ts";
import { isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import { FINISHED_GOOD } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, refuseRange } from "../medium/medium.ts";
import type { Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { READ_AHEAD_MAX_BYTES } from "../medium/read_ahead.ts";
import { Status } from "../outcome/status.ts";
import { outcomeOfFailure } from "../medium/store_error_outcome.ts";

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

/** PRE-FETCH. */
export function preFetch(
  { logicalUnit: unit }: ItlNexus,
  cdb: Uint8Array,
  fields: BlockFields & typeof IMMEDIATE_FLAG,
): Operation {
  const lba = readField(cdb, fields.lba);
  const blocks = readField(cdb, fields.blocks);
  const refusal = refuseRange(unit, lba, blocks);
  if (refusal !== undefined) return refusal;
  const { blockSizeBytes, capacityBlocks, readAhead: { isBusy } } = unit;
  if (blocks * blockSizeBytes > READ_AHEAD_MAX_BYTES) return refuseField(fields.blocks);
  // SBC-3, 5.8: a length of zero means all blocks up to the last.
  const lengthBytes = (blocks || capacityBlocks - lba) * blockSizeBytes;
  if (isBusy) return FINISHED_GOOD;
  const outcome = readAhead(unit, lba * blockSizeBytes, lengthBytes);
  if (!isSet(cdb, fields.immediate)) return finishLater(outcome, { changesNothing: true });
  // A read error is not deferred: the command that later reads these blocks reports it.
  return lengthBytes <= READ_AHEAD_MAX_BYTES ? { kind: "finished", outcome: CONDITION_MET } : FINISHED_GOOD;
}
