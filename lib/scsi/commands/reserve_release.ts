/**
 * RESERVE and RELEASE (SPC-2, 7.17 to 7.22), of the whole logical unit and for the nexus that asks. Reservations of
 * extents and for third parties are obsolete and refused.
 *
 * ```text
 *          (6)                       (10)
 *   byte 1 3RDPTY (4), EXTENT (0)    3RDPTY (4), LONGID (1), EXTENT (0)
 *   length 3-4                       7-8: of a parameter list, which only extents and long identifiers need
 * ```
 */
import { readUint16 } from "../../bytes/big_endian.ts";
import { refusedForField } from "../finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Finished, Operation } from "../operation.ts";

const THIRD_PARTY = 0x10;
const LONG_ID = 0x02;
const EXTENT = 0x01;

function refuse(flags: number, listLength: number, lengthByte: number): Finished | undefined {
  if ((flags & THIRD_PARTY) !== 0) return refusedForField(1, 4);
  if ((flags & LONG_ID) !== 0) return refusedForField(1, 1);
  if ((flags & EXTENT) !== 0) return refusedForField(1, 0);
  return listLength === 0 ? undefined : refusedForField(lengthByte);
}

/** RESERVE(6). */
export function reserve6(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const refusal = refuse(cdb[1]! & ~LONG_ID, readUint16(cdb, 3), 3);
  return refusal ?? nexus.logicalUnit.reservations.reserve(nexus);
}

/** RESERVE(10). */
export function reserve10(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const refusal = refuse(cdb[1]!, readUint16(cdb, 7), 7);
  return refusal ?? nexus.logicalUnit.reservations.reserve(nexus);
}

/** RELEASE(6). */
export function release6(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const refusal = refuse(cdb[1]! & ~LONG_ID, 0, 0);
  return refusal ?? nexus.logicalUnit.reservations.release(nexus);
}

/** RELEASE(10). */
export function release10(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const refusal = refuse(cdb[1]!, readUint16(cdb, 7), 7);
  return refusal ?? nexus.logicalUnit.reservations.release(nexus);
}
