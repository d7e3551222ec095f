/** PREVENT ALLOW MEDIUM REMOVAL (SPC-4, 6.14). */
import { bitsOf, type CdbFields, readField, refuseField } from "../dispatch/cdb_field.ts";
import { FINISHED_GOOD } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";

/** The field of the CDB. */
export const PREVENT_FIELDS: CdbFields<"prevent"> = { prevent: bitsOf(4, 0b11) };

/** Values of PREVENT; 10b and 11b are obsolete. */
const ALLOWED = 0b00;
const PREVENTED = 0b01;

/** Reports whether a CDB allows the removal. */
export function allowsRemoval(cdb: Uint8Array): boolean {
  return readField(cdb, PREVENT_FIELDS.prevent) === ALLOWED;
}

/**
 * PREVENT ALLOW MEDIUM REMOVAL: the medium cannot be ejected until every I_T nexus that prevented this has allowed it
 * again or has ended. On a unit whose medium is not removable the command has no effect.
 */
export function preventAllowMediumRemoval(
  nexus: ItlNexus,
  cdb: Uint8Array,
  fields: typeof PREVENT_FIELDS,
): Operation {
  const prevent = readField(cdb, fields.prevent);
  if (prevent > PREVENTED) return refuseField(fields.prevent);
  if (prevent === PREVENTED) nexus.logicalUnit.preventRemoval(nexus);
  else nexus.logicalUnit.allowRemoval(nexus);
  return FINISHED_GOOD;
}
