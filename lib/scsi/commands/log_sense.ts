/** LOG SENSE (SPC-4, 6.8). */
import { readUint16 } from "../../bytes/big_endian.ts";
import { refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { encodeLogPage, type LogFault } from "../pages/log_pages.ts";
import type { FieldPosition } from "../pages/mode_pages.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";

/** SP in byte 1: parameters are to be saved, which they cannot. */
const SP = 0x01;

/** PC in byte 2: current cumulative values. */
const CUMULATIVE = 0b01;

/** Where the CDB has what can be wrong. */
const FIELDS: Readonly<Record<LogFault, FieldPosition>> = {
  pageControl: { byte: 2, bit: 7 },
  page: { byte: 2, bit: 5 },
  subpage: { byte: 3 },
  parameterPointer: { byte: 5 },
};

/** LOG SENSE. */
export function logSense({ logicalUnit }: ItlNexus, cdb: Uint8Array): Operation {
  if ((cdb[1]! & SP) !== 0) return refusedForField(1, 0);
  const page = encodeLogPage(logicalUnit, {
    code: cdb[2]! & 0x3f,
    subpage: cdb[3]!,
    parameterPointer: readUint16(cdb, 5),
    isCumulative: cdb[2]! >>> 6 === CUMULATIVE,
  });
  if (page instanceof Uint8Array) return sendParameterData(page, readUint16(cdb, 7));
  const { byte, bit } = FIELDS[page];
  return refusedForField(byte, bit);
}
