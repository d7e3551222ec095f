/**
 * REZERO UNIT and SEEK (SCSI-2, 9.2.12 and 9.2.15), obsolete since SBC-2: move the heads of a disk, of which a file has
 * none. Old operating systems send them and take a refusal for a fault. An address beyond the last block is one.
 */
import { type CdbFields, readField } from "../dispatch/cdb_field.ts";
import { FINISHED_GOOD } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { refuseRange } from "../medium/medium.ts";
import type { Operation } from "../outcome/operation.ts";

/** REZERO UNIT. */
export function rezeroUnit(): Operation {
  return FINISHED_GOOD;
}

/** SEEK. */
export function seek({ logicalUnit }: ItlNexus, cdb: Uint8Array, fields: CdbFields<"lba">): Operation {
  return refuseRange(logicalUnit, readField(cdb, fields.lba), 1) ?? FINISHED_GOOD;
}
