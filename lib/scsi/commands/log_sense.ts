/** LOG SENSE (SPC-4, 6.8). */
import { bitsOf, bytesOf, isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { encodeLogPage } from "../pages/log_pages.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";

/** The fields of the CDB, those that `LogFault` names among them. */
export const LOG_SENSE_FIELDS = {
  /** SP: parameters are to be saved, which is not possible. */
  savesParameters: bitsOf(1, 0x01),
  pageControl: bitsOf(2, 0xc0),
  page: bitsOf(2, 0x3f),
  subpage: bytesOf(3, 1),
  parameterPointer: bytesOf(5, 2),
  allocationLength: bytesOf(7, 2),
} as const;

/** PC: current cumulative values. */
const CUMULATIVE = 0b01;

/** LOG SENSE. */
export function logSense(
  { logicalUnit }: ItlNexus,
  cdb: Uint8Array,
  fields: typeof LOG_SENSE_FIELDS,
): Operation {
  if (isSet(cdb, fields.savesParameters)) return refuseField(fields.savesParameters);
  const page = encodeLogPage(logicalUnit, {
    code: readField(cdb, fields.page),
    subpage: readField(cdb, fields.subpage),
    parameterPointer: readField(cdb, fields.parameterPointer),
    isCumulative: readField(cdb, fields.pageControl) === CUMULATIVE,
  });
  return page instanceof Uint8Array
    ? sendParameterData(page, readField(cdb, fields.allocationLength))
    : refuseField(fields[page]);
}
