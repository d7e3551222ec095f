import { assertEquals } from "@std/assert";
import { readUint32, readUint64, writeUint32, writeUint64 } from "../../../lib/bytes/big_endian.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { assertHex, cdb, openUnit, run } from "../fixture.ts";

function statusCdb(lba: number, allocationLength: number): Uint8Array {
  const block = cdb("9e 12");
  writeUint64(block, 2, lba);
  writeUint32(block, 10, allocationLength);
  return block;
}

type Descriptor = readonly [lba: number, blocks: number, status: number];

async function statusesOf(nexus: Nexus, lba: number, allocationLength = 4096): Promise<Descriptor[]> {
  const { outcome, data } = await run(nexus, statusCdb(lba, allocationLength));
  assertEquals([outcome, readUint32(data, 0)], ["good", data.length - 4]);
  return Array.from({ length: (data.length - 8) / 16 }, (_, index) => {
    const offset = 8 + index * 16;
    return [readUint64(data, offset), readUint32(data, offset + 8), data[offset + 12]!] as const;
  });
}

Deno.test("GET LBA STATUS reports which blocks take space, from the addressed block on", async () => {
  const store = new MemoryStore({ sizeBytes: 1024 * 1024, canUnmap: true });
  store.writeNow(16 * 512, new Uint8Array(4096));
  const nexus = openUnit({ store });
  assertEquals(await statusesOf(nexus, 0), [[0, 16, 1], [16, 8, 0], [24, 2024, 1]]);
  assertEquals(await statusesOf(nexus, 20), [[20, 4, 0], [24, 2024, 1]]);
  assertEquals(await statusesOf(nexus, 2047), [[2047, 1, 1]]);
  assertHex(
    (await run(nexus, statusCdb(17, 24))).data,
    "00 00 00 14 00 00 00 00  00 00 00 00 00 00 00 11 00 00 00 07 00 00 00 00",
  );
});

Deno.test("GET LBA STATUS reports everything as mapped if the store does not know", async () => {
  assertEquals(await statusesOf(openUnit(), 5), [[5, 2043, 0]]);
});

Deno.test("GET LBA STATUS reports a block as mapped if any byte of it is", async () => {
  const store = new MemoryStore({ sizeBytes: 8 * 16384, canUnmap: true });
  store.writeNow(16384 + 8192, new Uint8Array(4096));
  const nexus = openUnit({ store, blockSizeBytes: 16384, physicalBlockSizeBytes: 16384 });
  assertEquals(await statusesOf(nexus, 0), [[0, 1, 1], [1, 1, 0], [2, 6, 1]]);
  assertEquals(await statusesOf(nexus, 1), [[1, 1, 0], [2, 6, 1]]);
});

Deno.test("GET LBA STATUS respects the limit of its counter and the allocation length", async () => {
  const store = new MemoryStore({ sizeBytes: 512 * (2 ** 32 + 100), canUnmap: true });
  store.extentAt = (): { isMapped: boolean; endBytes: number } => ({
    isMapped: false,
    endBytes: store.sizeBytes,
  });
  const nexus = openUnit({ store });
  assertEquals(await statusesOf(nexus, 0), [[0, 2 ** 32 - 1, 1], [2 ** 32 - 1, 101, 1]]);
  assertEquals(await statusesOf(nexus, 0, 24), [[0, 2 ** 32 - 1, 1]]);
  assertEquals((await run(nexus, statusCdb(0, 3))).data.length, 3);
});

Deno.test("GET LBA STATUS refuses a block that is out of range", async () => {
  const nexus = openUnit();
  for (const lba of [2048, 2 ** 63]) {
    assertEquals((await run(nexus, statusCdb(lba, 24))).outcome, "logicalBlockAddressOutOfRange");
  }
});
