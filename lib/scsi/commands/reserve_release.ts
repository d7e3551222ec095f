/**
 * RESERVE and RELEASE (SPC-2, 7.17 to 7.22), of the whole logical unit and for the nexus that asks. Reservations of
 * extents and for third parties are obsolete: the command table refuses every bit that asks for one.
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
