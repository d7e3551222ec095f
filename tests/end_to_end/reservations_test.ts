/** Persistent reservations through the death of the server, in real files. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Initiator } from "../support/initiator.ts";
import { read10, testUnitReady } from "../support/initiator_cdb.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { runIscsi, ServerProcess } from "../support/server_process.ts";
import { APTPL, EXCLUSIVE_ACCESS, REGISTER, RESERVE, reserveOut } from "./_reserve_out.ts";
import { Appliance } from "./appliance.ts";

const CONF = "[disk]\nsize = 16MB 16MB\nnetworks = 127.0.0.0/8\n";
const DISK = "iqn.2002-08.info.netmanager:disk";
const ANNA = { targetName: DISK, initiatorName: "iqn.2011-07.com.example:anna", isid: isidOf(1) };
const BEN = { targetName: DISK, initiatorName: "iqn.2011-07.com.example:ben", isid: isidOf(2) };

const RESERVATION_CONFLICT = 0x18;

/** A key that no number holds. */
const KEY = "ffffffffffffff01";

function isidOf(last: number): Uint8Array {
  return Uint8Array.of(0x80, 0, 0, 0, 0, last);
}

async function logIn(appliance: Appliance, options: typeof ANNA): Promise<Initiator> {
  const initiator = await appliance.login(options);
  for (const lun of [0, 1]) await initiator.command({ cdb: testUnitReady(), lun });
  return initiator;
}

/** Returns the parameter data of PERSISTENT RESERVE IN after their header. */
async function reserveIn(initiator: Initiator, lun: number, serviceAction: number): Promise<string> {
  const cdb = Uint8Array.of(0x5e, serviceAction, 0, 0, 0, 0, 0, 1, 0, 0);
  const { status, data } = await initiator.command({ cdb, lun, read: 256 });
  assertEquals(status, ScsiStatus.good);
  return data.slice(8).toHex();
}

Deno.test("with APTPL reservations are there after kill -9, and without it they are gone", async () => {
  using appliance = Appliance.create(CONF);
  {
    const server = await appliance.serve();
    await using anna = await logIn(appliance, ANNA);
    for (const [lun, flags] of [[0, APTPL], [1, 0]] as const) {
      await reserveOut(anna, lun, REGISTER, { newKey: KEY, flags });
      await reserveOut(anna, lun, RESERVE, { key: KEY, type: EXCLUSIVE_ACCESS });
    }
    await server.kill();
  }
  await using _server = await ServerProcess.start(appliance.confPath);
  await using ben = await logIn(appliance, BEN);
  assertEquals([await reserveIn(ben, 0, 0), await reserveIn(ben, 1, 0)], [KEY, ""]);
  assertEquals([await reserveIn(ben, 0, 1), await reserveIn(ben, 1, 1)], [`${KEY}0000000000030000`, ""]);
  const read = { cdb: read10(0, 1), read: 512 };
  assertEquals((await ben.command({ ...read, lun: 0 })).status, RESERVATION_CONFLICT);
  assertEquals((await ben.command({ ...read, lun: 1 })).status, ScsiStatus.good);
  await using anna = await logIn(appliance, ANNA);
  assertEquals((await anna.command({ ...read, lun: 0 })).status, ScsiStatus.good);
  await reserveOut(anna, 0, REGISTER, { key: KEY });
  assertEquals((await ben.command({ ...read, lun: 0 })).status, ScsiStatus.good);
});

Deno.test("a LUN whose reservations are damaged is not served, others are, and the log says what to do", async () => {
  using appliance = Appliance.create(CONF);
  {
    await using _server = await appliance.serve();
    await using anna = await logIn(appliance, ANNA);
    await reserveOut(anna, 0, REGISTER, { newKey: KEY, flags: APTPL });
  }
  const folder = `${appliance.storage}/.iscsi/reservations`;
  const [{ name } = { name: "" }] = [...Deno.readDirSync(folder)];
  const path = `${folder}/${name}`;
  Deno.writeTextFileSync(path, Deno.readTextFileSync(path).replaceAll(KEY, "ffffffffffffff02"));
  await using server = await ServerProcess.start(appliance.confPath);
  await server.waitForLog(`LUN 0 of [disk] is not served: Cannot read the reservations in "${path}"`);
  await server.waitForLog("; restore it from a backup, or remove it once no cluster relies on it");
  const status = await runIscsi(["status", "--conf", appliance.confPath, "--json"]);
  const [bad, good] = JSON.parse(status.stdout).targets[0].logicalUnits;
  assertStringIncludes(bad.problem, "its checksum does not match");
  assertEquals(good.problem, null);
  await using ben = await logIn(appliance, BEN);
  const read = { cdb: read10(0, 1), read: 512 };
  const { status: refused, sense } = await ben.command({ ...read, lun: 0 });
  assertEquals([refused, sense?.key, sense?.code], [ScsiStatus.checkCondition, 2, 0x0403]);
  assertEquals((await ben.command({ ...read, lun: 1 })).status, ScsiStatus.good);
  const shown = await runIscsi(["reservations", "--conf", appliance.confPath]);
  assertStringIncludes(shown.stdout, "LUN 0 of [disk]\n  unknown, LUN not served");
  Deno.removeSync(path);
  assertEquals((await runIscsi(["reload", "--conf", appliance.confPath])).code, 0);
  const { sense: change } = await ben.command({ ...read, lun: 0 });
  assertEquals([change?.key, change?.code], [6, 0x2800]);
  assertEquals((await ben.command({ ...read, lun: 0 })).status, ScsiStatus.good);
});
