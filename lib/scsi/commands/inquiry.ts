/** INQUIRY (SPC-4, 6.6). */
import { writeUint16 } from "../../bytes/big_endian.ts";
import { bitsOf, bytesOf, type CdbFields, isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import type { TargetDescription } from "../target_description.ts";
import { encodeVitalProductData } from "../pages/vital_product_data.ts";

/** The fields of the CDB. */
export const INQUIRY_FIELDS: CdbFields<"vitalProductData" | "pageCode" | "allocationLength"> = {
  vitalProductData: bitsOf(1, 0x01),
  pageCode: bytesOf(2, 1),
  allocationLength: bytesOf(3, 2),
};

/** PERIPHERAL QUALIFIER and PERIPHERAL DEVICE TYPE: of a disk, and where no device can be (SPC-4, 6.6.2). */
const DIRECT_ACCESS_BLOCK_DEVICE = 0x00;
const NO_LOGICAL_UNIT = 0x7f;

/** VERSION: SPC-4. */
const VERSION_SPC4 = 0x06;
/** RESPONSE DATA FORMAT. HISUP is zero: logical units have one level. */
const RESPONSE_DATA_FORMAT = 0x02;
/** TPGS 01b in byte 5: REPORT TARGET PORT GROUPS, no SET; 3PC: EXTENDED COPY. */
const TPGS = 0x10;
const THIRD_PARTY_COPY = 0x08;
/** CMDQUE in byte 7: the full task management model. */
const CMDQUE = 0x02;

/** VERSION DESCRIPTOR: SAM-5, SPC-4 and SBC-3, each in no particular revision. */
const SAM5 = 0x00a0;
const SPC4 = 0x0460;
const SBC3 = 0x04c0;

/** RMB in byte 1: the medium can be removed. */
const RMB = 0x80;

const STANDARD_LENGTH_BYTES = 96;

/**
 * Encodes standard INQUIRY data (SPC-4, 6.6.2).
 *
 * ```text
 *      0 | peripheral qualifier and device type
 *      1 | RMB
 *    2-4 | version, response data format, additional length
 *    5-7 | flags: TPGS, 3PC, CMDQUE and no others
 *   8-15 | T10 vendor identification
 *  16-31 | product identification
 *  32-35 | product revision level
 *  58-73 | version descriptors
 * ```
 */
function encodeStandardData(
  peripheral: number,
  identification: string,
  { protocolVersion }: TargetDescription,
): Uint8Array {
  const data = new Uint8Array(STANDARD_LENGTH_BYTES);
  data[0] = peripheral;
  data[2] = VERSION_SPC4;
  data[3] = RESPONSE_DATA_FORMAT;
  data[4] = STANDARD_LENGTH_BYTES - 5;
  data[7] = CMDQUE;
  new TextEncoder().encodeInto(identification, data.subarray(8, 36));
  for (const [index, descriptor] of [SAM5, protocolVersion, SPC4, SBC3].entries()) {
    writeUint16(data, 58 + index * 2, descriptor);
  }
  return data;
}

/** INQUIRY: standard data, or a page of vital product data. */
export function inquiry(nexus: ItlNexus, cdb: Uint8Array, fields: typeof INQUIRY_FIELDS): Operation {
  const pageCode = readField(cdb, fields.pageCode);
  const allocationLength = readField(cdb, fields.allocationLength);
  if (isSet(cdb, fields.vitalProductData)) {
    const page = encodeVitalProductData(nexus, pageCode);
    return page === undefined ? refuseField(fields.pageCode) : sendParameterData(page, allocationLength);
  }
  if (pageCode !== 0) return refuseField(fields.pageCode);
  const { vendor, texts: { product, revision }, removable } = nexus.logicalUnit;
  const data = encodeStandardData(DIRECT_ACCESS_BLOCK_DEVICE, vendor + product + revision, nexus.target);
  data[1] = removable ? RMB : 0;
  data[5] = TPGS | THIRD_PARTY_COPY;
  return sendParameterData(data, allocationLength);
}

/** INQUIRY where there is no logical unit: standard data that reports this, and no pages. */
export function inquiryWithoutLogicalUnit(
  target: TargetDescription,
  cdb: Uint8Array,
  fields: typeof INQUIRY_FIELDS,
): Operation {
  if (isSet(cdb, fields.vitalProductData)) return refuseField(fields.vitalProductData);
  if (readField(cdb, fields.pageCode) !== 0) return refuseField(fields.pageCode);
  const data = encodeStandardData(NO_LOGICAL_UNIT, " ".repeat(28), target);
  return sendParameterData(data, readField(cdb, fields.allocationLength));
}
