/**
 * READ DEFECT DATA (SBC-3, 5.17 and 5.18): the file system has dealt with all defects of a file, so both lists exist
 * and are empty, in any format.
 *
 * ```text
 *                     (10)    (12)
 *   flags             1       1          PLISTV (4), GLISTV (3), DEFECT LIST FORMAT (2-0)
 *   generation code           2-3        0: it is not supported
 *   list length       2-3     4-7        0
 * ```
 */
import { bitsOf, bytesOf, type CdbFields, readField, refuseField } from "../dispatch/cdb_field.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";

/** The fields that both forms have. `lists` is REQ_PLIST and REQ_GLIST. */
type ReadDefectDataFields = CdbFields<"lists" | "format" | "allocationLength">;

/** The fields of READ DEFECT DATA(10). */
export const READ_DEFECT_DATA_10_FIELDS: ReadDefectDataFields = {
  lists: bitsOf(2, 0x18),
  format: bitsOf(2, 0x07),
  allocationLength: bytesOf(7, 2),
};

/** The fields of READ DEFECT DATA(12). The index in a list at which to begin has no effect on an empty one. */
export const READ_DEFECT_DATA_12_FIELDS: CdbFields<keyof ReadDefectDataFields | "firstDescriptor"> = {
  lists: bitsOf(1, 0x18),
  format: bitsOf(1, 0x07),
  firstDescriptor: bytesOf(2, 4),
  allocationLength: bytesOf(6, 4),
};

/** The last DEFECT LIST FORMAT that is defined: 110b is vendor specific, 111b reserved (SBC-3, 5.3.2.4). */
const FORMAT_MAX = 0b101;

/** Returns the lists that were asked for, in the format that was asked for. */
function readDefectData(cdb: Uint8Array, fields: ReadDefectDataFields, headerBytes: number): Operation {
  const format = readField(cdb, fields.format);
  if (format > FORMAT_MAX) return refuseField(fields.format);
  const header = new Uint8Array(headerBytes);
  header[1] = readField(cdb, fields.lists) << 3 | format;
  return sendParameterData(header, readField(cdb, fields.allocationLength));
}

/** READ DEFECT DATA(10). */
export function readDefectData10(
  _nexus: ItlNexus,
  cdb: Uint8Array,
  fields: ReadDefectDataFields,
): Operation {
  return readDefectData(cdb, fields, 4);
}

/** READ DEFECT DATA(12). */
export function readDefectData12(
  _nexus: ItlNexus,
  cdb: Uint8Array,
  fields: ReadDefectDataFields,
): Operation {
  return readDefectData(cdb, fields, 8);
}
