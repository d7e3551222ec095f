/** READ CAPACITY (SBC-3, 5.15 and 5.16). */
import { writeUint32, writeUint64 } from "../../bytes/big_endian.ts";
import { bytesOf, type CdbFields, readField } from "../dispatch/cdb_field.ts";
import { refused } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";
import { capacityFlags } from "../pages/provisioning.ts";
import { Sense } from "../outcome/sense.ts";

/** The address in READ CAPACITY(10) that stands for one of more than 32 bits: READ CAPACITY(16) reports that. */
const ADDRESS_TOO_LARGE = 0xffff_ffff;

/**
 * READ CAPACITY(10), which has no allocation length.
 *
 * ```text
 *  0-3 | address of the last block
 *  4-7 | block length in bytes
 * ```
 */
export function readCapacity10(nexus: ItlNexus): Operation {
  const { capacityBlocks, blockSizeBytes, isEjected } = nexus.logicalUnit;
  if (isEjected) return refused(Sense.mediumNotPresent);
  const data = new Uint8Array(8);
  writeUint32(data, 0, Math.min(capacityBlocks - 1, ADDRESS_TOO_LARGE));
  writeUint32(data, 4, blockSizeBytes);
  return sendParameterData(data, data.length);
}

/** The fields of READ CAPACITY(16). */
export const READ_CAPACITY_16_FIELDS: CdbFields<"allocationLength"> = { allocationLength: bytesOf(10, 4) };

/**
 * READ CAPACITY(16).
 *
 * ```text
 *    0-7 | address of the last block
 *   8-11 | block length in bytes
 *     12 | no protection information
 *     13 | LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT
 *  14-15 | LBPME, LBPRZ; physical blocks start at address 0
 *  16-31 | reserved
 * ```
 */
export function readCapacity16(
  nexus: ItlNexus,
  cdb: Uint8Array,
  fields: typeof READ_CAPACITY_16_FIELDS,
): Operation {
  const { capacityBlocks, blockSizeBytes, physicalBlockSizeBytes, isEjected } = nexus.logicalUnit;
  if (isEjected) return refused(Sense.mediumNotPresent);
  const data = new Uint8Array(32);
  writeUint64(data, 0, capacityBlocks - 1);
  writeUint32(data, 8, blockSizeBytes);
  data[13] = Math.log2(physicalBlockSizeBytes / blockSizeBytes);
  data[14] = capacityFlags(nexus.logicalUnit);
  return sendParameterData(data, readField(cdb, fields.allocationLength));
}
