/**
 * READ DEFECT DATA (SBC-3, 5.17 and 5.18): a file has no defects that the file system has not dealt with, so both lists
 * are there, and empty, in whatever format.
 *
 * ```text
 *                     (10)    (12)
 *   flags of the CDB  byte 2  byte 1     REQ_PLIST (4), REQ_GLIST (3), DEFECT LIST FORMAT (2-0)
 *   flags             1       1          PLISTV (4), GLISTV (3), DEFECT LIST FORMAT (2-0)
 *   generation code           2-3        0: it is not supported
 *   list length       2-3     4-7        0
 * ```
 */
import { readUint16, readUint32 } from "../../bytes/big_endian.ts";
import { refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";

/** REQ_PLIST, REQ_GLIST and the format, which come back as they were sent. */
const LISTS_AND_FORMAT = 0x1f;
const FORMAT = 0x07;

/** The last DEFECT LIST FORMAT that is defined: 110b is vendor specific, 111b reserved (SBC-3, 5.3.2.4). */
const FORMAT_MAX = 0b101;

function readDefectData(
  cdb: Uint8Array,
  flagsByte: number,
  headerBytes: number,
  allocationLength: number,
): Operation {
  const flags = cdb[flagsByte]! & LISTS_AND_FORMAT;
  if ((flags & FORMAT) > FORMAT_MAX) return refusedForField(flagsByte, 2);
  const header = new Uint8Array(headerBytes);
  header[1] = flags;
  return sendParameterData(header, allocationLength);
}

/** READ DEFECT DATA(10). */
export function readDefectData10(_nexus: ItlNexus, cdb: Uint8Array): Operation {
  return readDefectData(cdb, 2, 4, readUint16(cdb, 7));
}

/** READ DEFECT DATA(12). Where in a list to begin (bytes 2-5) makes no difference to an empty one. */
export function readDefectData12(_nexus: ItlNexus, cdb: Uint8Array): Operation {
  return readDefectData(cdb, 1, 8, readUint32(cdb, 6));
}
