/** Failures of the storage: each leaves one line in the log, with the LUN and the consequence, and is then counted. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Initiator } from "../support/initiator.ts";
import { read10, synchronizeCache10, testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { ScsiStatus, SenseKey } from "../support/initiator_sense.ts";
import { runIscsi } from "../support/server_process.ts";
import { SmallFileSystem, testOnFileSystem } from "../support/small_file_system.ts";
import { runToolOk, testWithTools } from "../support/tools.ts";
import { unmap } from "./_unmap.ts";
import { Appliance } from "./appliance.ts";

const DISK = "iqn.2002-08.info.netmanager:disk";
const TIMES = 20;
const BLOCKS = 8;

async function logIn(appliance: Appliance): Promise<Initiator> {
  const initiator = await appliance.login({ targetName: DISK });
  for (let attempt = 0; attempt < 3; attempt++) {
    if ((await initiator.command({ cdb: testUnitReady() })).status === 0) return initiator;
  }
  throw new Error("The LUN has not become ready");
}

/** The lines of a log about a LUN, without their times. */
function linesAbout(log: string, lun: string): string[] {
  return log.split("\n").filter((line) => line.includes(lun)).map((line) => line.replace(/^\S+ iscsi: /, ""));
}

/** The text of `iscsi status`, in one line, and the failures in its JSON. */
async function statusOf(appliance: Appliance): Promise<{ text: string; failures: Record<string, unknown> }> {
  const args = ["status", "--conf", appliance.confPath];
  const text = (await runIscsi(args)).stdout.replaceAll(/\s+/g, " ");
  const { targets } = JSON.parse((await runIscsi([...args, "--json"])).stdout);
  return { text, failures: targets[0].logicalUnits[0].storageFailures };
}

/** Runs a test with a folder in memory that has little room. */
async function inTightFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "iscsi-" });
  await runToolOk("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", folder]);
  try {
    await test(folder);
  } finally {
    await runToolOk("umount", ["--lazy", folder]);
    Deno.removeSync(folder);
  }
}

testOnFileSystem(
  "a failed disk leaves one line in the log, and is counted",
  "ext4",
  () =>
    inTightFolder(async (folder) => {
      await using disk = await SmallFileSystem.mount("ext4", folder);
      using appliance = Appliance.create("[disk]\nsize=2MB\nnetworks=127.0.0.0/8\n");
      Deno.symlinkSync(disk.folder, appliance.storage);
      const server = await appliance.serve();
      try {
        await using initiator = await logIn(appliance);
        const write = new Uint8Array(BLOCKS * 512).fill(1);
        for (let index = 0; index < TIMES; index++) {
          await initiator.command({ cdb: write10(index * BLOCKS, BLOCKS), write });
        }
        // The system has taken this data. The disk below takes none any longer.
        fillUp(folder);
        for (let index = 0; index < TIMES; index++) {
          const { status, sense } = await initiator.command({ cdb: synchronizeCache10() });
          assertEquals([status, sense?.key], [ScsiStatus.checkCondition, SenseKey.mediumError]);
        }
        await server.waitForLog("LUN 0 of [disk]: Cannot flush");
        const lines = linesAbout(server.stderr, "LUN 0 of [disk]");
        assertEquals(lines.length, 1, server.stderr);
        assertMatch(
          lines[0]!,
          /^error: LUN 0 of \[disk\]: Cannot flush .* \(os error \d+\); data that initiators wrote may be lost, /,
        );
        assertStringIncludes(lines[0]!, "; check the disk (dmesg), then restart the server");
        const { text, failures } = await statusOf(appliance);
        assertEquals(failures["flushFailed"], TIMES);
        assertStringIncludes(text, `failed flushes: ${TIMES}; the last`);
        // Below the LUN, and below the session.
        assertEquals(text.split(`failed commands: medium error ${TIMES}`).length, 3, text);
      } finally {
        await server.kill();
      }
    }),
);

/** Fills a folder to the last byte. */
function fillUp(folder: string): void {
  using file = Deno.openSync(`${folder}/filler`, { write: true, createNew: true });
  for (let bytes = 2 ** 20; bytes >= 1;) {
    try {
      if (file.writeSync(new Uint8Array(bytes)) < bytes) bytes = 1;
    } catch {
      bytes = Math.floor(bytes / 2);
    }
  }
}

testWithTools(
  "a hole that cannot be punched leaves one line in the log, and is counted",
  ["fallocate"],
  async () => {
    using appliance = Appliance.create("[disk]\nsize=2MB\nnetworks=127.0.0.0/8\n");
    const server = await appliance.serve();
    await using _ended = server;
    await using initiator = await logIn(appliance);
    const write = new Uint8Array(BLOCKS * 512).fill(1);
    for (let index = 0; index < TIMES; index++) {
      await initiator.command({ cdb: write10(index * BLOCKS, BLOCKS), write });
    }
    // The server punches holes in the file that it has open, and in no other.
    const path = `${appliance.storage}/disk`;
    Deno.renameSync(path, `${path}.moved`);
    Deno.writeFileSync(path, new Uint8Array(2 * 1024 ** 2));
    for (let index = 0; index < TIMES; index++) {
      assertEquals(await unmap(initiator, index * BLOCKS, BLOCKS), ScsiStatus.good);
      const { data } = await initiator.command({ cdb: read10(index * BLOCKS, BLOCKS), read: BLOCKS * 512 });
      assertEquals(data, new Uint8Array(BLOCKS * 512));
    }
    const lines = linesAbout(server.stderr, "LUN 0 of [disk]");
    assertEquals(lines, [
      `warning: LUN 0 of [disk]: Cannot punch a hole in "${path}": another file has taken its place; its unused ` +
      "space is not released; further failures are counted",
    ]);
    const { text, failures } = await statusOf(appliance);
    assertEquals(failures["holeFailed"], TIMES);
    assertStringIncludes(text, `holes refused: ${TIMES}; the last`);
  },
);
