/**
 * GET LBA STATUS (SBC-3, 5.4): reports which blocks take space. A block that may take space is reported as mapped.
 *
 * ```text
 *  parameter data                  LBA status descriptor
 *  0-3 | PARAMETER DATA LENGTH     0-7  | address
 *  8-  | LBA status descriptors    8-11 | number of blocks
 *                                  12   | PROVISIONING STATUS
 * ```
 */
import { writeUint32, writeUint64 } from "../../bytes/big_endian.ts";
import { BLOCKS_16 } from "../dispatch/block_cdb.ts";
import { bytesOf, type CdbFields, readField } from "../dispatch/cdb_field.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { refuseRange } from "../medium/medium.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";

/** The fields of the CDB. */
export const GET_LBA_STATUS_FIELDS: CdbFields<"lba" | "allocationLength"> = {
  lba: BLOCKS_16.lba,
  allocationLength: bytesOf(10, 4),
};

const HEADER_BYTES = 8;
const DESCRIPTOR_BYTES = 16;

/** Most descriptors in one answer, whatever the allocation length: an initiator asks again for the rest. */
const DESCRIPTORS_MAX = 256;

/** The highest value of NUMBER OF LOGICAL BLOCKS. */
const BLOCKS_MAX = 0xffff_ffff;

const ProvisioningStatus = { mapped: 0x0, deallocated: 0x1 } as const;

/** Consecutive blocks of the same status. */
interface Status {
  readonly status: number;
  /** The block that follows them. */
  readonly endLba: number;
}

/** Returns the status of a block and of those like it. A block in which an extent ends is mapped. */
function statusAt({ store, blockSizeBytes, capacityBlocks }: LogicalUnit, lba: number): Status {
  let { isMapped, endBytes } = store.extentAt(lba * blockSizeBytes);
  if (!isMapped && endBytes < (lba + 1) * blockSizeBytes) ({ isMapped, endBytes } = store.extentAt(endBytes));
  const endLba = isMapped ? Math.ceil(endBytes / blockSizeBytes) : Math.floor(endBytes / blockSizeBytes);
  return {
    status: isMapped ? ProvisioningStatus.mapped : ProvisioningStatus.deallocated,
    endLba: Math.min(endLba, capacityBlocks, lba + BLOCKS_MAX),
  };
}

/** GET LBA STATUS. The first descriptor starts with the addressed block. */
export function getLbaStatus(
  { logicalUnit }: ItlNexus,
  cdb: Uint8Array,
  fields: typeof GET_LBA_STATUS_FIELDS,
): Operation {
  const start = readField(cdb, fields.lba);
  const allocationLength = readField(cdb, fields.allocationLength);
  const refusal = refuseRange(logicalUnit, start, 1);
  if (refusal !== undefined) return refusal;
  const room = Math.ceil((allocationLength - HEADER_BYTES) / DESCRIPTOR_BYTES);
  const count = Math.min(Math.max(room, 1), DESCRIPTORS_MAX);
  const data = new Uint8Array(HEADER_BYTES + count * DESCRIPTOR_BYTES);
  let length = HEADER_BYTES;
  for (let lba = start; lba < logicalUnit.capacityBlocks && length < data.length;) {
    const { status, endLba } = statusAt(logicalUnit, lba);
    writeUint64(data, length, lba);
    writeUint32(data, length + 8, endLba - lba);
    data[length + 12] = status;
    length += DESCRIPTOR_BYTES;
    lba = endLba;
  }
  // The field does not count itself.
  writeUint32(data, 0, length - 4);
  return sendParameterData(data.subarray(0, length), allocationLength);
}
