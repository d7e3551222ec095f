/** Counters in blocks, which any number of initiators may increment at once (COMPARE AND WRITE), for tests. */
import { assertEquals } from "@std/assert";
import { readUint32, writeUint32 } from "../../lib/bytes/big_endian.ts";
import type { Initiator } from "./initiator.ts";
import { compareAndWrite, read16 } from "./initiator_cdb.ts";
import { ScsiStatus, SenseKey } from "./initiator_sense.ts";

const BLOCK_BYTES = 512;

/** Returns the counter in a block. */
export async function readCounter(initiator: Initiator, lba: number): Promise<number> {
  const { data } = await initiator.command({ cdb: read16(lba, 1), read: BLOCK_BYTES });
  return readUint32(data, 0);
}

/** Adds one to the counter in a block, and retries until no other initiator has changed it meanwhile. */
export async function incrementCounter(initiator: Initiator, lba: number): Promise<{ attempts: number }> {
  for (let attempts = 1;; attempts++) {
    const { data } = await initiator.command({ cdb: read16(lba, 1), read: BLOCK_BYTES });
    const both = new Uint8Array(2 * BLOCK_BYTES);
    both.set(data);
    both.set(data, BLOCK_BYTES);
    writeUint32(both, BLOCK_BYTES, readUint32(data, 0) + 1);
    const { status, sense } = await initiator.command({ cdb: compareAndWrite(lba, 1), write: both });
    if (status === ScsiStatus.good) return { attempts };
    assertEquals([sense?.key, sense?.code], [SenseKey.miscompare, 0x1d00]);
    assertEquals(sense!.information! < 4, true, "the difference is in the counter");
  }
}
