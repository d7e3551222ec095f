/** REQUEST SENSE (SPC-4, 6.39): sense data as parameter data, with GOOD status. */
import { bitsOf, bytesOf, type CdbFields, isSet, readField } from "../dispatch/cdb_field.ts";
import { toDescriptorFormat } from "../outcome/descriptor_sense.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import { encodeSense, Sense } from "../outcome/sense.ts";
import type { TargetDescription } from "../target_description.ts";

/** The fields of the CDB. `isDescriptorFormat` is DESC. */
export const REQUEST_SENSE_FIELDS: CdbFields<"isDescriptorFormat" | "allocationLength"> = {
  isDescriptorFormat: bitsOf(1, 0x01),
  allocationLength: bytesOf(4, 1),
};

function sendSense(fixed: Uint8Array, cdb: Uint8Array, fields: typeof REQUEST_SENSE_FIELDS): Operation {
  const sense = isSet(cdb, fields.isDescriptorFormat) ? toDescriptorFormat(fixed) : fixed;
  return sendParameterData(sense, readField(cdb, fields.allocationLength));
}

/** REQUEST SENSE: reports and clears a pending unit attention condition, or reports the state of the logical unit. */
export function requestSense(
  nexus: ItlNexus,
  cdb: Uint8Array,
  fields: typeof REQUEST_SENSE_FIELDS,
): Operation {
  const attention = nexus.attentions.take();
  const erasing = nexus.logicalUnit.eraser.outcome?.sense;
  if (attention === undefined && erasing !== undefined) return sendSense(erasing, cdb, fields);
  const condition = attention ?? nexus.logicalUnit.notReady;
  return sendSense(encodeSense(condition ?? Sense.noAdditionalSenseInformation), cdb, fields);
}

/** REQUEST SENSE where there is no logical unit: reports this. */
export function requestSenseWithoutLogicalUnit(
  _target: TargetDescription,
  cdb: Uint8Array,
  fields: typeof REQUEST_SENSE_FIELDS,
): Operation {
  return sendSense(encodeSense(Sense.logicalUnitNotSupported), cdb, fields);
}
