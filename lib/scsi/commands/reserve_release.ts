/**
 * RESERVE and RELEASE (SPC-2, 7.17 to 7.22), of the whole logical unit and for the nexus of the command. Reservations
 * of extents and for third parties are obsolete: the device server refuses every bit that requests one.
 */
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";

/** RESERVE(6) and RESERVE(10). */
export function reserve(nexus: ItlNexus): Operation {
  return nexus.logicalUnit.reservations.reserve(nexus);
}

/** RELEASE(6) and RELEASE(10). */
export function release(nexus: ItlNexus): Operation {
  return nexus.logicalUnit.reservations.release(nexus);
}
