/** REPORT LUNS (SPC-4, 6.33). */
import { writeUint32 } from "../../bytes/big_endian.ts";
import { bytesOf, type CdbFields, readField, refuseField } from "../dispatch/cdb_field.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { encodeLun } from "../logical_unit_number.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import type { TargetDescription } from "../target_description.ts";

/** The fields of the CDB. */
export const REPORT_LUNS_FIELDS: CdbFields<"selectReport" | "allocationLength"> = {
  selectReport: bytesOf(2, 1),
  allocationLength: bytesOf(6, 4),
};

/**
 * The values of SELECT REPORT; true for those that list ordinary logical units. This target has only ordinary ones
 * (neither well known ones nor conglomerates), so each value lists all or none.
 */
const SELECT_REPORT: ReadonlyMap<number, boolean> = new Map([
  [0x00, true],
  [0x01, false],
  [0x02, true],
  [0x10, false],
  [0x11, true],
  [0x12, false],
]);

const HEADER_LENGTH_BYTES = 8;
const LUN_LENGTH_BYTES = 8;
/** The header and one logical unit number. */
const ALLOCATION_LENGTH_MIN = 16;

/**
 * REPORT LUNS at a logical unit number that has no logical unit.
 *
 * ```text
 *  0-3 | LUN list length
 *  4-7 | reserved
 *  8-  | logical unit numbers in ascending order, 8 bytes each
 * ```
 */
export function reportLunsWithoutLogicalUnit(
  target: TargetDescription,
  cdb: Uint8Array,
  fields: typeof REPORT_LUNS_FIELDS,
): Operation {
  const listsUnits = SELECT_REPORT.get(readField(cdb, fields.selectReport));
  const allocationLength = readField(cdb, fields.allocationLength);
  if (listsUnits === undefined) return refuseField(fields.selectReport);
  if (allocationLength < ALLOCATION_LENGTH_MIN) return refuseField(fields.allocationLength);
  const luns = listsUnits ? [...target.logicalUnits.keys()].sort((a, b) => a - b) : [];
  const data = new Uint8Array(HEADER_LENGTH_BYTES + luns.length * LUN_LENGTH_BYTES);
  writeUint32(data, 0, luns.length * LUN_LENGTH_BYTES);
  for (const [index, lun] of luns.entries()) {
    encodeLun(lun, data, HEADER_LENGTH_BYTES + index * LUN_LENGTH_BYTES);
  }
  return sendParameterData(data, allocationLength);
}

/** REPORT LUNS at a logical unit. */
export function reportLuns(nexus: ItlNexus, cdb: Uint8Array, fields: typeof REPORT_LUNS_FIELDS): Operation {
  const operation = reportLunsWithoutLogicalUnit(nexus.target, cdb, fields);
  if (operation.kind !== "finished") nexus.onLunsReported();
  return operation;
}
