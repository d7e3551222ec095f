/** REPORT LUNS (SPC-4, 6.33). */
import { readUint32, writeUint32 } from "../../bytes/big_endian.ts";
import { refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { encodeLun } from "../logical_unit_number.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import type { TargetDescription } from "../target_description.ts";

/**
 * The values of SELECT REPORT, each with whether its list holds ordinary logical units. A target that has no others
 * (no well known ones, no conglomerates with their administrative and subsidiary ones) lists either all or none.
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
 * REPORT LUNS, which every logical unit number answers, whether there is a logical unit or not.
 *
 * ```text
 *  0-3 | LUN list length
 *  4-7 | reserved
 *  8-  | logical unit numbers in ascending order, 8 bytes each
 * ```
 */
export function reportLunsWithoutLogicalUnit(target: TargetDescription, cdb: Uint8Array): Operation {
  const listsUnits = SELECT_REPORT.get(cdb[2]!);
  const allocationLength = readUint32(cdb, 6);
  if (listsUnits === undefined) return refusedForField(2);
  if (allocationLength < ALLOCATION_LENGTH_MIN) return refusedForField(6);
  const luns = listsUnits ? [...target.logicalUnits.keys()].sort((a, b) => a - b) : [];
  const data = new Uint8Array(HEADER_LENGTH_BYTES + luns.length * LUN_LENGTH_BYTES);
  writeUint32(data, 0, luns.length * LUN_LENGTH_BYTES);
  for (const [index, lun] of luns.entries()) {
    encodeLun(lun, data, HEADER_LENGTH_BYTES + index * LUN_LENGTH_BYTES);
  }
  return sendParameterData(data, allocationLength);
}

/** REPORT LUNS, through a logical unit. */
export function reportLuns(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const operation = reportLunsWithoutLogicalUnit(nexus.target, cdb);
  if (operation.kind !== "finished") nexus.onLunsReported();
  return operation;
}
