/** PREVENT ALLOW MEDIUM REMOVAL (SPC-4, 6.14). */
import { FINISHED_GOOD, refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";

/** PREVENT, in byte 4: 10b and 11b are obsolete. */
const PREVENT = 0b11;
const ALLOWED = 0b00;
const PREVENTED = 0b01;

/** Whether a CDB allows the removal, as far as it goes. */
export function allowsRemoval(cdb: Uint8Array): boolean {
  return (cdb[4]! & PREVENT) === ALLOWED;
}

/**
 * PREVENT ALLOW MEDIUM REMOVAL: the medium stays where it is until every I_T nexus that has said so has taken it back
 * or has gone. One that cannot be removed stays anyway.
 */
export function preventAllowMediumRemoval(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const prevent = cdb[4]! & PREVENT;
  if (prevent > PREVENTED) return refusedForField(4, 1);
  if (prevent === PREVENTED) nexus.logicalUnit.preventRemoval(nexus);
  else nexus.logicalUnit.allowRemoval(nexus);
  return FINISHED_GOOD;
}
