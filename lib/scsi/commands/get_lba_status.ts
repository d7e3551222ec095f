/**
 * GET LBA STATUS (SBC-3, 5.4): which blocks take space. What is not known to take none is called mapped.
 *
 * ```text
 *  parameter data                  LBA status descriptor
 *  0-3 | PARAMETER DATA LENGTH     0-7  | address
 *  8-  | LBA status descriptors    8-11 | number of blocks
 *                                  12   | PROVISIONING STATUS
 * ```
 */
import { readUint32, readUint64, writeUint32, writeUint64 } from "../../bytes/big_endian.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { refuseRange } from "../medium/medium.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendParameterData } from "../pages/parameter_data.ts";

const HEADER_BYTES = 8;
const DESCRIPTOR_BYTES = 16;

/** Most descriptors in one answer, however much room there is: an initiator asks again for what follows. */
const DESCRIPTORS_MAX = 256;

/** Most that NUMBER OF LOGICAL BLOCKS can say. */
const BLOCKS_MAX = 0xffff_ffff;

const ProvisioningStatus = { mapped: 0x0, deallocated: 0x1 } as const;

/** What a descriptor says: blocks that are alike, and the block that follows them. */
interface Status {
  readonly status: number;
  readonly endLba: number;
}

/** A block is deallocated only if all of its bytes are; where an extent ends within a block, that block is mapped. */
function statusAt({ store, blockSizeBytes, capacityBlocks }: LogicalUnit, lba: number): Status {
  let { isMapped, endBytes } = store.extentAt(lba * blockSizeBytes);
  if (!isMapped && endBytes < (lba + 1) * blockSizeBytes) ({ isMapped, endBytes } = store.extentAt(endBytes));
  const endLba = isMapped ? Math.ceil(endBytes / blockSizeBytes) : Math.floor(endBytes / blockSizeBytes);
  return {
    status: isMapped ? ProvisioningStatus.mapped : ProvisioningStatus.deallocated,
    endLba: Math.min(endLba, capacityBlocks, lba + BLOCKS_MAX),
  };
}

/** GET LBA STATUS. The first descriptor starts with the block that was asked for. */
export function getLbaStatus({ logicalUnit }: ItlNexus, cdb: Uint8Array): Operation {
  const start = readUint64(cdb, 2);
  const allocationLength = readUint32(cdb, 10);
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
  // The length of what follows the field itself.
  writeUint32(data, 0, length - 4);
  return sendParameterData(data.subarray(0, length), allocationLength);
}
