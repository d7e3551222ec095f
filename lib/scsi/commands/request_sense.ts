/** REQUEST SENSE (SPC-4, 6.39): sense data as parameter data, with GOOD status. */
import { toDescriptorFormat } from "../outcome/descriptor_sense.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import { encodeSense, Sense } from "../outcome/sense.ts";
import type { TargetDescription } from "../target_description.ts";

const DESC = 0x01;

function sendSense(fixed: Uint8Array, cdb: Uint8Array): Operation {
  return sendParameterData((cdb[1]! & DESC) === 0 ? fixed : toDescriptorFormat(fixed), cdb[4]!);
}

/** REQUEST SENSE: reports and clears a pending unit attention condition, or else says how the logical unit is. */
export function requestSense(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const attention = nexus.attentions.take();
  const sanitizing = nexus.logicalUnit.sanitizer.outcome?.sense;
  if (attention === undefined && sanitizing !== undefined) return sendSense(sanitizing, cdb);
  const condition = attention ?? nexus.logicalUnit.notReady;
  return sendSense(encodeSense(condition ?? Sense.noAdditionalSenseInformation), cdb);
}

/** REQUEST SENSE where there is no logical unit, which is what it reports. */
export function requestSenseWithoutLogicalUnit(_target: TargetDescription, cdb: Uint8Array): Operation {
  return sendSense(encodeSense(Sense.logicalUnitNotSupported), cdb);
}
