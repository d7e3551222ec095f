/** Thin provisioning as initiators and the file system see it. */
import { assert, assertEquals } from "@std/assert";
import type { Initiator } from "../support/initiator.ts";
import {
  read10,
  read16,
  synchronizeCache10,
  testUnitReady,
  write10,
  write16,
} from "../support/initiator_cdb.ts";
import { findMountObstacle } from "../support/obstacles.ts";
import { runToolOk, testWithTools } from "../support/tools.ts";
import { unmap } from "./_unmap.ts";
import { Appliance } from "./appliance.ts";

const MIB = 1024 ** 2;
const TARGET = "iqn.2002-08.info.netmanager:disk";
const CONF = "[disk]\nsize = 64MB\nnetworks = 127.0.0.0/8\n";

function allocatedBytes(appliance: Appliance): number {
  return Deno.statSync(`${appliance.storage}/disk`).blocks! * 512;
}

/** Returns an initiator that is logged in and has taken all unit attentions. */
async function logIn(appliance: Appliance): Promise<Initiator> {
  const initiator = await appliance.login({ targetName: TARGET });
  // After the power on, that space is short, where the file system is small.
  for (let times = 0; times < 3; times++) {
    if ((await initiator.command({ cdb: testUnitReady() })).status === 0) return initiator;
  }
  throw new Error("The LUN has not become ready");
}

testWithTools(
  "what QEMU discards goes back to the file system, and is mapped no more",
  ["fallocate", "qemu-io", "qemu-img", "block-iscsi.so"],
  async () => {
    using appliance = Appliance.create(CONF);
    await using _server = await appliance.serve();
    const url = appliance.lunUrl(0, TARGET);
    await runToolOk("qemu-io", ["-f", "raw", "-c", "write -P 0xab 0 48M", "-c", "flush", url]);
    const before = allocatedBytes(appliance);
    assert(before >= 48 * MIB);
    await runToolOk("qemu-io", ["-f", "raw", "-d", "unmap", "-c", "discard 1000k 40M", url]);
    // A file with more extents may take blocks of the file system for its extent tree.
    const extentTreeBytes = 40 * MIB - (before - allocatedBytes(appliance));
    assert(
      extentTreeBytes >= 0 && extentTreeBytes <= 16 * 1024,
      `${extentTreeBytes} bytes were not given back`,
    );
    const reads = ["read -P 0 1000k 40M", "read -P 0xab 0 1000k", "read -P 0xab 41960k 7M"];
    const stdout = await runToolOk("qemu-io", [
      "-f",
      "raw",
      ...reads.flatMap((read) => ["-c", read]),
      url,
    ]);
    assertEquals(stdout.includes("Pattern verification failed"), false, stdout);
    const map = JSON.parse(await runToolOk("qemu-img", ["map", "-f", "raw", "--output=json", url]));
    assertEquals(
      map.map(({ start, length, data }: Record<string, unknown>) => [start, length, data]),
      [
        [0, 1000 * 1024, true],
        [1000 * 1024, 40 * MIB, false],
        [41960 * 1024, 48 * MIB - 41960 * 1024, true],
        [48 * MIB, 16 * MIB, false],
      ],
    );
  },
);

testWithTools(
  "no write is lost to a hole that a killed server was about to make",
  ["fallocate"],
  async () => {
    using appliance = Appliance.create(CONF);
    for (let round = 1; round <= 3; round++) {
      await using server = await appliance.serve();
      await using initiator = await logIn(appliance);
      // Holes that cannot be merged keep the supervisor busy until it is killed.
      const holes = Array.from({ length: 64 }, (_, index) => unmap(initiator, 16 * index, 8).catch(() => -1));
      await holes[0];
      await server.kill();
      await Promise.all(holes);
      await using _next = await appliance.serve();
      await using writer = await logIn(appliance);
      const data = new Uint8Array(MIB).fill(round);
      assertEquals((await writer.command({ cdb: write10(0, 2048), write: data })).status, 0);
      await new Promise((resolve) => setTimeout(resolve, 300));
      assertEquals((await writer.command({ cdb: read10(0, 2048), read: MIB })).data, data);
    }
  },
);

/** A file system in memory, which is full when `sizeMib` are written. */
class SmallFileSystem {
  readonly folder: string;

  constructor(folder: string, sizeMib: number) {
    Deno.mkdirSync(folder, { recursive: true });
    const args = ["-t", "tmpfs", "-o", `size=${sizeMib}m`, "none", folder];
    const { success, stderr } = new Deno.Command("mount", { args }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    this.folder = folder;
  }

  [Symbol.dispose](): void {
    const { success, stderr } = new Deno.Command("umount", { args: [this.folder] }).outputSync();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  }
}

const OBSTACLE = findMountObstacle();

Deno.test({
  name: `a full file system costs the write that finds it full, and nothing else${
    OBSTACLE ? ` (${OBSTACLE})` : ""
  }`,
  ignore: OBSTACLE !== undefined,
  fn: async () => {
    using appliance = Appliance.create(CONF);
    using _small = new SmallFileSystem(appliance.storage, 16);
    await using _server = await appliance.serve();
    await using initiator = await logIn(appliance);
    const data = new Uint8Array(MIB).fill(0xab);
    let written = 0;
    let sense: { key: number; code: number } | undefined;
    while (sense === undefined && written < 20) {
      const result = await initiator.command({ cdb: write10(written * 2048, 2048), write: data });
      if (result.status === 0) written++;
      else sense = { key: result.sense!.key, code: result.sense!.code };
    }
    assertEquals(sense, { key: 0x07, code: 0x2707 });
    assert(written >= 14, `${written} MiB were written to a file system of 16 MiB`);
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, 0);
    assertEquals((await initiator.command({ cdb: read10(0, 2048), read: MIB })).data, data);
    assertEquals((await initiator.command({ cdb: write10(0, 2048), write: data })).status, 0);
    assertEquals(await unmap(initiator, 4 * 2048, 4 * 2048), 0);
    assertEquals((await initiator.command({ cdb: write10(written * 2048, 2048), write: data })).status, 0);
    assertEquals((await initiator.command({ cdb: synchronizeCache10() })).status, 0);
  },
});

// ext4 holds files of up to 16 TiB less one block; a file system in memory has no such limit.
Deno.test({
  name: `a disk of 16 TiB works to its last block${OBSTACLE ? ` (${OBSTACLE})` : ""}`,
  ignore: OBSTACLE !== undefined,
  fn: async () => {
    using appliance = Appliance.create("[disk]\nsize = 16TB\nnetworks = 127.0.0.0/8\n");
    using _small = new SmallFileSystem(appliance.storage, 16);
    await using _server = await appliance.serve();
    await using initiator = await logIn(appliance);
    const last = 2 ** 35 - 1;
    const data = new Uint8Array(512).fill(0x5a);
    assertEquals((await initiator.command({ cdb: write16(last, 1), write: data })).status, 0);
    assertEquals((await initiator.command({ cdb: read16(last, 1), read: 512 })).data, data);
    assertEquals((await initiator.command({ cdb: synchronizeCache10() })).status, 0);
    assert(allocatedBytes(appliance) <= MIB);
    assertEquals(await unmap(initiator, last - 7, 8), 0);
    assertEquals((await initiator.command({ cdb: read16(last, 1), read: 512 })).data, new Uint8Array(512));
    const { sense } = await initiator.command({ cdb: read16(last, 2), read: 1024 });
    assertEquals([sense?.key, sense?.code], [0x05, 0x2100]);
  },
});
