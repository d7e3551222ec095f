/** A server on a full file system: essential work continues, and the log reports each failure. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Initiator } from "../support/initiator.ts";
import { testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { ScsiStatus, SenseKey } from "../support/initiator_sense.ts";
import { runIscsi, ServerProcess } from "../support/server_process.ts";
import { type FileSystemName, testOnFileSystem } from "../support/small_file_system.ts";
import { APTPL, PREEMPT_AND_ABORT, REGISTER, RESERVE, reserveOut } from "./_reserve_out.ts";
import { Appliance } from "./appliance.ts";

const CONF = "[disk]\nsize = 64MB\nnetworks = 127.0.0.0/8\n";
const DISK = "iqn.2002-08.info.netmanager:disk";
const WRITE_EXCLUSIVE = 1;
const WRITES = 300;

/** Logs a node of a cluster in, whose key is its number. */
async function logIn(appliance: Appliance, name: string, number: number): Promise<Initiator> {
  const initiator = await appliance.login({
    targetName: DISK,
    initiatorName: `iqn.2011-07.com.example:${name}`,
    isid: Uint8Array.of(0x80, 0, 0, 0, 0, number),
  });
  const attentions: (number | undefined)[] = [];
  for (let times = 0; times < 2; times++) {
    attentions.push((await initiator.command({ cdb: testUnitReady() })).sense?.code);
  }
  // The whole file system is below the threshold at which initiators are notified.
  assertEquals(attentions, [0x2900, 0x3807]);
  return initiator;
}

function keyOf(number: number): string {
  return number.toString(16).padStart(16, "0");
}

async function readKeys(initiator: Initiator): Promise<string> {
  const cdb = Uint8Array.of(0x5e, 0, 0, 0, 0, 0, 0, 1, 0, 0);
  return (await initiator.command({ cdb, read: 256 })).data.slice(8).toHex();
}

/** Counts the lines of a log that contain a text. */
function count(log: string, text: string): number {
  return log.split("\n").filter((line) => line.includes(text)).length;
}

testOnFileSystem(
  "a cluster fences on a full file system, and the log has one line about it",
  "ext4",
  async (disk) => {
    using appliance = Appliance.create(CONF);
    Deno.symlinkSync(disk.folder, appliance.storage);
    const [anna, ben] = [keyOf(1), keyOf(2)];
    {
      const server = await appliance.serve();
      await using first = await logIn(appliance, "anna", 1);
      await using second = await logIn(appliance, "ben", 2);
      for (const [initiator, newKey] of [[first, anna], [second, ben]] as const) {
        await reserveOut(initiator, 0, REGISTER, { newKey, flags: APTPL });
      }
      await reserveOut(second, 0, RESERVE, { key: ben, type: WRITE_EXCLUSIVE });
      await disk.fill();
      await reserveOut(first, 0, PREEMPT_AND_ABORT, { key: anna, newKey: ben, type: WRITE_EXCLUSIVE });
      assertEquals(await readKeys(first), anna);
      for (let index = 0; index < WRITES; index++) {
        const { status, sense } = await first.command({
          cdb: write10(index * 8, 8),
          write: new Uint8Array(4096),
        });
        assertEquals([status, sense?.key, sense?.code], [
          ScsiStatus.checkCondition,
          SenseKey.dataProtect,
          0x2707,
        ]);
      }
      await server.waitForLog("LUN 0 of [disk]: Cannot write");
      assertEquals(count(server.stderr, "No space left on device"), 1, server.stderr);
      assertStringIncludes(server.stderr, "; free space on its file system, or enlarge it");
      const { stdout } = await runIscsi(["status", "--conf", appliance.confPath, "--json"]);
      const { storageFailures } = JSON.parse(stdout).targets[0].logicalUnits[0];
      assertEquals(storageFailures.outOfSpace, WRITES);
      assertStringIncludes(storageFailures.last.reason, "No space left on device");
      const text = await runIscsi(["status", "--conf", appliance.confPath]);
      assertStringIncludes(text.stdout, `writes without space: ${WRITES}; the last`);
      await server.kill();
    }
    await using server = await ServerProcess.start(appliance.confPath);
    await using first = await logIn(appliance, "anna", 1);
    assertEquals(await readKeys(first), anna);
    const cleared = await runIscsi(["reservations", "clear", "disk", "--conf", appliance.confPath, "--yes"]);
    assertEquals(cleared.code, 0, cleared.stderr);
    assertEquals(await readKeys(first), "");
    assert(!server.isEnded);
  },
);

for (const kind of ["ext4", "xfs", "btrfs"] satisfies FileSystemName[]) {
  testOnFileSystem(`a server starts on a full ${kind}, again and again`, kind, async (disk) => {
    using appliance = Appliance.create(CONF);
    Deno.symlinkSync(disk.folder, appliance.storage);
    assertEquals((await appliance.build()).code, 0);
    for (let round = 0; round < 3; round++) {
      await using server = await ServerProcess.start(appliance.confPath);
      await using _initiator = await logIn(appliance, "anna", round);
      await disk.fill();
      if (round === 1) await server.kill();
      else assertEquals((await server.stop()).code, 0);
      await disk.fill();
    }
  });
}
