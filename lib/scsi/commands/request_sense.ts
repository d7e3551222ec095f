/** REQUEST SENSE (SPC-4, 6.39): sense data as parameter data, with GOOD status. */
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../operation.ts";
import { sendParameterData } from "../parameter_data.ts";
import { encodeDescriptorSense, encodeSense, Sense, type SenseCondition } from "../sense.ts";
import type { TargetDescription } from "../target_description.ts";

const DESC = 0x01;

function sendSense(condition: SenseCondition, cdb: Uint8Array): Operation {
  const encode = (cdb[1]! & DESC) === 0 ? encodeSense : encodeDescriptorSense;
  return sendParameterData(encode(condition), cdb[4]!);
}

/** REQUEST SENSE: reports and clears a pending unit attention condition, or else says how the logical unit is. */
export function requestSense(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const condition = nexus.attentions.take() ?? nexus.logicalUnit.notReady;
  return sendSense(condition ?? Sense.noAdditionalSenseInformation, cdb);
}

/** REQUEST SENSE where there is no logical unit, which is what it reports. */
export function requestSenseWithoutLogicalUnit(_target: TargetDescription, cdb: Uint8Array): Operation {
  return sendSense(Sense.logicalUnitNotSupported, cdb);
}
