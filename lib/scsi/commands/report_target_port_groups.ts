/** REPORT TARGET PORT GROUPS (SPC-4, 6.37). */
import { readUint32, writeUint16, writeUint32 } from "../../bytes/big_endian.ts";
import { refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import { TARGET_PORT_GROUP } from "../target_description.ts";

/** PARAMETER DATA FORMAT in byte 1 of the CDB, and in the extended header. */
const FORMAT_SHIFT = 5;
const LENGTH_ONLY = 0b000;
const EXTENDED = 0b001;

/** ASYMMETRIC ACCESS STATE 0h, active/optimized, is the only one, and AO_SUP says that it is supported. */
const ACTIVE_OPTIMIZED = 0x00;
const AO_SUP = 0x01;

/**
 * The one group with its one port, by which every logical unit is always accessed best.
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
export function reportTargetPortGroups({ target }: ItlNexus, cdb: Uint8Array): Operation {
  const format = cdb[1]! >>> FORMAT_SHIFT;
  if (format !== LENGTH_ONLY && format !== EXTENDED) return refusedForField(1, 7);
  const group = new Uint8Array(12);
  group[0] = ACTIVE_OPTIMIZED;
  group[1] = AO_SUP;
  writeUint16(group, 2, TARGET_PORT_GROUP);
  group[7] = 1;
  writeUint16(group, 10, target.relativePortIdentifier);
  const header = format === EXTENDED ? [EXTENDED << FORMAT_SHIFT - 1, 0, 0, 0] : [];
  const data = Uint8Array.of(0, 0, 0, 0, ...header, ...group);
  writeUint32(data, 0, data.length - 4);
  return sendParameterData(data, readUint32(cdb, 6));
}
