import { writeUint16, writeUint32, writeUint64 } from "../../lib/bytes/big_endian.ts";
import type { Initiator } from "../support/initiator.ts";

/** Sends UNMAP of one range, and returns the status. */
export async function unmap(initiator: Initiator, lba: number, blocks: number): Promise<number> {
  const list = new Uint8Array(24);
  writeUint16(list, 0, 22);
  writeUint16(list, 2, 16);
  writeUint64(list, 8, lba);
  writeUint32(list, 16, blocks);
  return (await initiator.command({ cdb: Uint8Array.of(0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0), write: list }))
    .status;
}
