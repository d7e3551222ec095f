/** SYNCHRONIZE CACHE (SBC-3, 5.26 and 5.27). Whatever the range, all written data is made durable. */
import type { BlockFields, IMMEDIATE_FLAG } from "../dispatch/block_cdb.ts";
import { isSet, readField } from "../dispatch/cdb_field.ts";
import { FINISHED_GOOD, refused } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { finishLater, flush, flushInBackground, refuseRange } from "../medium/medium.ts";
import type { Operation } from "../outcome/operation.ts";
import { Sense } from "../outcome/sense.ts";

/** SYNCHRONIZE CACHE. */
export function synchronizeCache(
  nexus: ItlNexus,
  cdb: Uint8Array,
  fields: BlockFields & typeof IMMEDIATE_FLAG,
): Operation {
  const { logicalUnit } = nexus;
  const refusal = refuseRange(logicalUnit, readField(cdb, fields.lba), readField(cdb, fields.blocks));
  if (refusal !== undefined) return refusal;
  if (logicalUnit.takeLoss(nexus)) return refused(Sense.writeError);
  if (!isSet(cdb, fields.immediate)) return finishLater(flush(logicalUnit), { changesNothing: true });
  flushInBackground(nexus);
  return FINISHED_GOOD;
}
