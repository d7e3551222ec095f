/** SYNCHRONIZE CACHE (SBC-3, 5.26 and 5.27). Whatever the range, all that was written is made durable. */
import { readUint16, readUint32, readUint64 } from "../../bytes/big_endian.ts";
import { FINISHED_GOOD } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { finishLater, flush, flushInBackground, refuseRange } from "../medium/medium.ts";
import type { Operation } from "../outcome/operation.ts";

const IMMED = 0x02;

function synchronizeCache(nexus: ItlNexus, flags: number, lba: number, blocks: number): Operation {
  const refusal = refuseRange(nexus.logicalUnit, lba, blocks);
  if (refusal !== undefined) return refusal;
  if ((flags & IMMED) === 0) return finishLater(flush(nexus.logicalUnit), { changesNothing: true });
  flushInBackground(nexus);
  return FINISHED_GOOD;
}

/** SYNCHRONIZE CACHE(10). */
export function synchronizeCache10(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return synchronizeCache(nexus, cdb[1]!, readUint32(cdb, 2), readUint16(cdb, 7));
}

/** SYNCHRONIZE CACHE(16). */
export function synchronizeCache16(nexus: ItlNexus, cdb: Uint8Array): Operation {
  return synchronizeCache(nexus, cdb[1]!, readUint64(cdb, 2), readUint32(cdb, 10));
}
