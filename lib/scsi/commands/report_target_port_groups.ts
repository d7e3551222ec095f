/** REPORT TARGET PORT GROUPS (SPC-4, 6.37). */
import { writeUint16, writeUint32 } from "../../bytes/big_endian.ts";
import { bitsOf, bytesOf, type CdbFields, readField, refuseField } from "../dispatch/cdb_field.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import { TARGET_PORT_GROUP } from "../target_description.ts";

/** The fields of the CDB. */
export const REPORT_PORT_GROUPS_FIELDS: CdbFields<"format" | "allocationLength"> = {
  format: bitsOf(1, 0xe0),
  allocationLength: bytesOf(6, 4),
};

/** Values of PARAMETER DATA FORMAT, and its place in byte 0 of the extended header. */
const LENGTH_ONLY = 0b000;
const EXTENDED = 0b001;
const FORMAT_SHIFT = 4;

/** ASYMMETRIC ACCESS STATE 0h, active/optimized, is the only one; AO_SUP reports that it is supported. */
const ACTIVE_OPTIMIZED = 0x00;
const AO_SUP = 0x01;

/**
 * REPORT TARGET PORT GROUPS: one group with one port, through which access to every logical unit is always optimal.
 *
 * ```text
 *  0-3 | RETURN DATA LENGTH
 *  4-7 | extended header: format, implicit transition time (none)
 *    0 | PREF, ASYMMETRIC ACCESS STATE   }
 *    1 | supported states                }
 *  2-3 | TARGET PORT GROUP               } target port group descriptor
 *    7 | TARGET PORT COUNT               }
 * 10-11| RELATIVE TARGET PORT IDENTIFIER }
 * ```
 */
export function reportTargetPortGroups(
  { target }: ItlNexus,
  cdb: Uint8Array,
  fields: typeof REPORT_PORT_GROUPS_FIELDS,
): Operation {
  const format = readField(cdb, fields.format);
  if (format !== LENGTH_ONLY && format !== EXTENDED) return refuseField(fields.format);
  const group = new Uint8Array(12);
  group[0] = ACTIVE_OPTIMIZED;
  group[1] = AO_SUP;
  writeUint16(group, 2, TARGET_PORT_GROUP);
  group[7] = 1;
  writeUint16(group, 10, target.relativePortIdentifier);
  const header = format === EXTENDED ? [EXTENDED << FORMAT_SHIFT, 0, 0, 0] : [];
  const data = Uint8Array.of(0, 0, 0, 0, ...header, ...group);
  writeUint32(data, 0, data.length - 4);
  return sendParameterData(data, readField(cdb, fields.allocationLength));
}
