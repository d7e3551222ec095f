/** The operator's commands: status, disconnect and reservations of a real server with the tests' initiators. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Initiator } from "../support/initiator.ts";
import { read10, testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { Opcode } from "../support/initiator_pdu.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { iscsiCommand, runIscsi } from "../support/server_process.ts";
import type { ToolResult } from "../support/tools.ts";
import { APTPL, EXCLUSIVE_ACCESS, REGISTER, RESERVE, reserveOut } from "./_reserve_out.ts";
import { Appliance } from "./appliance.ts";

const CONF =
  "[disk]\nsize = 16MB 16MB\nnetworks = 127.0.0.0/8\n[other]\nsize = 16MB\nnetworks = 127.0.0.0/8\n";
const NODE = "iqn.2002-08.info.netmanager";
const ANNA = "iqn.2011-07.com.example:anna";
const BEN = "iqn.2011-07.com.example:ben";
const KEY = "00000000000000aa";

/** RESERVATIONS PREEMPTED. */
const PREEMPTED = 0x2a03;
const LOGOUT_WANTED = 1;

function run(appliance: Appliance, ...args: readonly string[]): Promise<ToolResult> {
  return runIscsi([...args, "--conf", appliance.confPath]);
}

async function logIn(appliance: Appliance, initiatorName: string, target = "disk"): Promise<Initiator> {
  const initiator = await appliance.login({ initiatorName, targetName: `${NODE}:${target}` });
  for (const lun of target === "disk" ? [0, 1] : [0]) await initiator.command({ cdb: testUnitReady(), lun });
  return initiator;
}

/** Returns the sessions of `iscsi status --json`, as initiator and target. */
async function sessions(appliance: Appliance): Promise<{ session: number; who: string }[]> {
  const { code, stdout } = await run(appliance, "status", "--json");
  assertEquals(code, 0);
  return JSON.parse(stdout).sessions.map((
    { session, initiatorName, targetName }: Record<string, string | number>,
  ) => ({ session, who: `${String(initiatorName).split(":")[1]} at ${String(targetName).split(":")[1]}` }));
}

Deno.test("iscsi status shows who is there and what they do", async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  await using anna = await logIn(appliance, ANNA);
  await reserveOut(anna, 1, REGISTER, { newKey: KEY });
  let isBusy = true;
  const traffic = (async () => {
    while (isBusy) await anna.command({ cdb: write10(0, 8), write: new Uint8Array(4096), lun: 0 });
  })();
  const { stdout } = await run(appliance, "status", "--json");
  isBusy = false;
  await traffic;
  const report = JSON.parse(stdout);
  const [unit] = report.targets[0].logicalUnits;
  assertEquals([unit.promisedBytes, unit.allocatedBytes, report.targets.length], [16 * 1024 ** 2, 4096, 2]);
  const paths = [{ network: "127.0.0.0/8", portals: [`127.0.0.1:${appliance.port}`] }];
  assertEquals(report.targets[0].paths, paths);
  const [session] = report.sessions;
  assertEquals([session.initiatorName, session.targetName], [ANNA, `${NODE}:disk`]);
  assertEquals(session.connections[0].peerAddress, "127.0.0.1");
  assertEquals(session.reservations, [{ lun: 1, isRegistered: true, holds: null }]);
  for (const { rates, writeCommands } of [unit.traffic, session.traffic]) {
    assert(writeCommands > 0 && rates.writes.commandsPerSecond > 0, JSON.stringify(rates));
    assert(rates.writes.meanLatencyMs > 0 && rates.reads.meanLatencyMs === null, JSON.stringify(rates));
  }
  await appliance.login({ initiatorName: ANNA, targetName: `${NODE}:none` }).catch(() => {});
  const text = await run(appliance, "status");
  assertStringIncludes(text.stdout, "1 OF 32 SESSIONS, 1 OF 8 CONNECTIONS");
  assertStringIncludes(text.stdout, "LUN 1: registered");
  assertStringIncludes(text.stdout, `there is no target "${NODE}:none"`);
  assertEquals(text.stdout.split("\n").filter((line) => line.length > 80), []);
});

Deno.test("iscsi status --watch ends by Ctrl-C with 130", async () => {
  using appliance = Appliance.create(CONF);
  await using _server = await appliance.serve();
  const { program, args } = iscsiCommand();
  const child = new Deno.Command(program, {
    args: [...args, "status", "--conf", appliance.confPath, "--watch", "0.1"],
    stdin: "null",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  let text = "";
  while (text.split("Server    iscsi").length < 3) {
    const { value, done } = await reader.read();
    assert(!done, text);
    text += new TextDecoder().decode(value);
  }
  child.kill("SIGINT");
  while (!(await reader.read()).done);
  assertEquals((await child.status).code, 130);
});

Deno.test("iscsi disconnect asks initiators to log out, and ends those that are meant and no others", async () => {
  using appliance = Appliance.create(CONF);
  await using server = await appliance.serve();
  await using anna = await logIn(appliance, ANNA);
  await using other = await logIn(appliance, ANNA, "other");
  await using ben = await logIn(appliance, BEN);
  const who = async (): Promise<string[]> => (await sessions(appliance)).map(({ who }) => who);
  assertEquals(await who(), ["anna at disk", "anna at other", "ben at disk"]);
  const unconfirmed = await run(appliance, "disconnect", BEN);
  assertEquals([unconfirmed.code, unconfirmed.stdout], [
    2,
    `session 3: ${BEN} from 127.0.0.1 at [disk]\n`,
  ]);
  assertStringIncludes(unconfirmed.stderr, "cannot ask: add --yes");
  assertEquals((await run(appliance, "disconnect", "nobody", "--yes")).code, 1);
  assertEquals((await run(appliance, "disconnect", "--yes")).code, 2);
  const asked = run(appliance, "disconnect", "3", "--yes");
  const message = await ben.receive();
  assertEquals([message.opcode, message.asynchronousEvent], [Opcode.asynchronousMessage, LOGOUT_WANTED]);
  assertEquals(await ben.logout(), 0);
  const { code, stdout } = await asked;
  assertEquals([code, stdout.split("\n")[1]], [0, "1 session has ended"]);
  assertEquals(await who(), ["anna at disk", "anna at other"]);
  assertEquals((await run(appliance, "disconnect", "other", "--now", "--yes")).code, 0);
  await other.receiveEnd();
  await assertInterruptible(appliance, anna);
  assertEquals(await who(), ["anna at disk"]);
  assertEquals((await anna.command({ cdb: read10(0, 1), read: 512, lun: 0 })).status, ScsiStatus.good);
  assertEquals((await run(appliance, "disconnect", ANNA.toUpperCase(), "--now", "--yes")).code, 0);
  assertEquals(await who(), []);
  assertStringIncludes(server.stderr, `(${ANNA}) at [disk]: disconnected by the administrator`);
});

/** Ctrl-C while the server waits for an initiator that does not log out. */
async function assertInterruptible(appliance: Appliance, initiator: Initiator): Promise<void> {
  const { program, args } = iscsiCommand();
  const child = new Deno.Command(program, {
    args: [...args, "disconnect", "1", "--yes", "--conf", appliance.confPath],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  assertEquals((await initiator.receive()).opcode, Opcode.asynchronousMessage);
  child.kill("SIGINT");
  const { code, stderr } = await child.output();
  assertEquals([code, new TextDecoder().decode(stderr)], [
    130,
    "iscsi: Interrupted: the server continues to end the sessions\n",
  ]);
}

Deno.test("iscsi reservations shows what is reserved and clears it for good, and all are told", async () => {
  using appliance = Appliance.create(CONF);
  {
    await using _server = await appliance.serve();
    await using anna = await logIn(appliance, ANNA);
    await using ben = await logIn(appliance, BEN);
    assertEquals((await run(appliance, "reservations")).stdout, "No reservations\n");
    await reserveOut(anna, 0, REGISTER, { newKey: KEY, flags: APTPL });
    await reserveOut(anna, 0, RESERVE, { key: KEY, type: EXCLUSIVE_ACCESS });
    await anna.command({ cdb: Uint8Array.of(0x16, 0, 0, 0, 0, 0), lun: 1 });
    const shown = await run(appliance, "reservations");
    assertEquals(
      shown.stdout.replaceAll(/ [0-9a-f]{12}(?= |\n)/g, " ISID"),
      `\
LUN 0 of [disk]
  exclusive access; generation 1; survives a loss of power
  holds  ${KEY}  ${ANNA}  ISID  logged in
LUN 1 of [disk]
  RESERVE by ${ANNA}  ISID
`,
    );
    const [first] = JSON.parse((await run(appliance, "reservations", "--json")).stdout);
    assertEquals([first.lun, first.type, first.persists, first.registrations[0].key], [
      0,
      "exclusiveAccess",
      true,
      KEY,
    ]);
    const read = { cdb: read10(0, 1), read: 512 };
    assertEquals((await ben.command({ ...read, lun: 0 })).status, ScsiStatus.reservationConflict);
    assertEquals((await run(appliance, "reservations", "clear", "disk")).code, 2);
    assertEquals((await ben.command({ ...read, lun: 0 })).status, ScsiStatus.reservationConflict);
    const cleared = await run(appliance, "reservations", "clear", "disk", "0", "--yes");
    assertEquals([cleared.code, cleared.stdout.split("\n").at(-2)], [0, "Cleared LUN 0 of [disk]"]);
    assertEquals((await ben.command({ ...read, lun: 0 })).status, ScsiStatus.good);
    assertEquals((await ben.command({ ...read, lun: 1 })).status, ScsiStatus.reservationConflict);
    const { status, sense } = await anna.command({ ...read, lun: 0 });
    assertEquals([status, sense?.code], [ScsiStatus.checkCondition, PREEMPTED]);
    assertEquals((await run(appliance, "reservations", "clear", `${NODE}:disk`, "--yes")).code, 0);
    assertEquals((await ben.command({ ...read, lun: 1 })).status, ScsiStatus.good);
    assertEquals(
      (await run(appliance, "reservations", "clear", "disk")).stdout,
      "[disk] has no reservations\n",
    );
    assertEquals((await run(appliance, "reservations", "clear")).code, 2);
    assertEquals((await run(appliance, "reservations", "show")).code, 2);
  }
  // What was kept for a loss of power is cleared, too.
  await using _server = await appliance.serve();
  assertEquals((await run(appliance, "reservations")).stdout, "No reservations\n");
});
