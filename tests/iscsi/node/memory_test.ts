/** Memory that peers can make a node keep, in bytes. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import type { Initiator } from "../../support/initiator.ts";
import { read10, synchronizeCache10, testUnitReady, verify10, write10 } from "../../support/initiator_cdb.ts";
import { LoginRefused } from "../../support/initiator_login.ts";
import { NO_TAG, Opcode } from "../../support/initiator_pdu.ts";
import {
  loginRequest,
  logoutRequest,
  nopOut,
  type RequestPdu,
  scsiCommand,
  TaskManagement,
  taskManagementRequest,
} from "../../support/initiator_request.ts";
import { encodeText } from "../../support/initiator_text.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { nameOf, TEST_UNIT_READY, withHarness } from "../../support/harness.ts";
import { ATTACKS } from "./_memory_attacks.ts";
import { settle, until } from "../../support/until.ts";
import { pattern } from "../../support/content.ts";
import { drain, numbered } from "../../support/exchanges.ts";

const SIZE = 4 * 1024 * 1024;

interface Measurement {
  readonly name: string;
  readonly bytes: number;
  readonly boundBytes: number;
}

/** Measures every attack, in a process of its own, where garbage can be collected when it is wanted. */
async function measureAttacks(): Promise<Measurement[]> {
  const script = new URL("_memory_attacks.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", "--v8-flags=--expose-gc", script],
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
}

Deno.test("attacks on memory stay within their bounds, in bytes of memory", async (t) => {
  const measurements = await measureAttacks();
  assertEquals(measurements.map(({ name }) => name), Object.keys(ATTACKS));
  for (const { name, bytes, boundBytes } of measurements) {
    await t.step(name, () => assertLess(bytes, boundBytes));
  }
});

function command(
  initiator: Initiator,
  cdb: Uint8Array,
  options: Partial<Parameters<typeof scsiCommand>[0]> = {},
): RequestPdu {
  return scsiCommand({ ...numbered(initiator), ...TEST_UNIT_READY, cdb, ...options });
}

Deno.test("commands that came before their turn wait while there is no room for their answers", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const { initiator } = harness.open();
    const keys = { MaxRecvDataSegmentLength: "262144" };
    await initiator.login({ targetName: nameOf(), keys });
    await initiator.command({ cdb: testUnitReady() });
    const first = numbered(initiator);
    const pings = Array.from({ length: 6 }, () => nopOut({ ...numbered(initiator), data: pattern(262_144) }));
    const write = { writes: true, expectedLength: 512, data: pattern(512) };
    const writes = Array.from({ length: 50 }, (_, lba) => command(initiator, write10(lba, 1), write));
    await initiator.send(...pings, ...writes, scsiCommand({ ...first, ...TEST_UNIT_READY }));
    for (let round = 0; round < 20; round++) await settle();
    assertEquals(store.writeCount, 0, "the answers to the pings are not taken, and leave no room");
    const answers = [];
    for (let count = 0; count < 57; count++) answers.push((await initiator.receive()).opcode);
    assertEquals(answers.filter((opcode) => opcode === Opcode.nopIn).length, 6);
    assertEquals(answers.filter((opcode) => opcode === Opcode.scsiResponse).length, 51);
    assertEquals(store.writeCount, 50);
  });
});

Deno.test("a connection that takes nothing holds back the others of its session, which lose nothing", async () => {
  await withHarness({}, async (harness) => {
    const keys = { MaxRecvDataSegmentLength: "262144", FirstBurstLength: "262144" };
    const { initiators: [slow, other] } = await harness.logInSession(2, { keys });
    const first = numbered(slow!);
    const pings = Array.from({ length: 6 }, () => nopOut({ ...numbered(slow!), data: pattern(262_144) }));
    await slow!.send(...pings, scsiCommand({ ...first, ...TEST_UNIT_READY }));
    const write = { writes: true, expectedLength: 262_144, data: pattern(262_144) };
    // More than may be held: the connection is not listened to any further, and is not closed.
    const behind = Array.from({ length: 40 }, () => command(other!, write10(0, 512), write));
    const sending = other!.send(...behind);
    for (let round = 0; round < 20; round++) await settle();
    for (let count = 0; count < 7; count++) await slow!.receive();
    await sending;
    for (let count = 0; count < 40; count++) assertEquals((await other!.receive()).status, 0);
  });
});

/** Lets a slow medium do all that is requested, and what is requested then. */
async function finish(store: SlowStore): Promise<void> {
  for (let round = 0; store.pending.length > 0; round++) {
    assertLess(round, 200);
    store.releaseAll();
    await settle();
  }
}

/** A verification of everything that begins, and is aborted at once. */
async function beginAndAbort(initiator: Initiator, isImmediate = false): Promise<void> {
  const pending = await initiator.begin({ cdb: verify10(0, 8), isImmediate });
  pending.forget();
  const referencedTaskTag = pending.initiatorTaskTag;
  assertEquals(await initiator.taskManagement(TaskManagement.abortTask, { referencedTaskTag }), 0);
}

Deno.test("tasks aborted while a medium is slow keep their places in the window from a limit on", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const width = (): number => initiator.maxCmdSn! - initiator.expCmdSn! + 1;
    for (let count = 0; count < Limits.lingeringTasks; count++) await beginAndAbort(initiator);
    assertEquals(width(), Limits.commandWindow);
    for (let count = 0; count < Limits.commandWindow; count++) await beginAndAbort(initiator);
    assertEquals(width(), 0);
    // The medium has done all of it, and the target notifies the initiator that it may continue (11.4.11).
    const told = initiator.receive();
    await finish(store);
    const { opcode, initiatorTaskTag } = await told;
    assertEquals([opcode, initiatorTaskTag], [Opcode.nopIn, NO_TAG]);
    await initiator.nop();
    assertEquals(width(), Limits.commandWindow);
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, 0);
  });
});

const READ = { cdb: read10(0, 1), reads: true, expectedLength: 512 };
const WRITE = { cdb: write10(0, 1), writes: true, expectedLength: 512, data: pattern(512) };
const VERIFY = { cdb: verify10(0, 8) };

// A connection has room for as many reads under way as there are tasks below the limit.
for (
  const [what, windows] of [["reads", [READ, READ, READ, READ, VERIFY]], [
    "writes",
    Array(5).fill(WRITE),
  ]] as const
) {
  Deno.test(`${what} that another session ends while a medium is slow keep their places from a limit on`, async () => {
    const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
    await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
      const initiator = await harness.logIn();
      const other = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 0, 7) });
      const width = (): number => initiator.maxCmdSn! - initiator.expCmdSn! + 1;
      assertEquals((windows.length - 1) * Limits.commandWindow, Limits.lingeringTasks);
      for (const { cdb, ...options } of windows) {
        assertEquals(width(), Limits.commandWindow);
        // Reports the unit attention for the commands that were ended.
        await initiator.command({ cdb: testUnitReady(), isImmediate: true });
        const commands = Array.from({ length: Limits.commandWindow }, () => command(initiator, cdb, options));
        await initiator.send(...commands);
        assertEquals(await drain(initiator), [], "all are under way");
        const fields = { ...numbered(other, true), function: TaskManagement.clearTaskSet, lun: 0 };
        await other.send(taskManagementRequest(fields));
        await drain(other);
        await drain(initiator);
      }
      assertEquals(width(), 0);
      for (let round = 0; round < 20; round++) {
        store.releaseAll();
        await settle();
      }
      await drain(initiator);
      assertEquals(width(), Limits.commandWindow);
    });
  });
}

Deno.test("immediate tasks aborted while a medium is slow leave no room from a limit on", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const most = Limits.lingeringTasks + Limits.immediateCommands;
    for (let count = 0; count < most; count++) await beginAndAbort(initiator, true);
    await initiator.send(
      scsiCommand({ ...numbered(initiator, true), ...TEST_UNIT_READY, cdb: verify10(0, 8) }),
    );
    assertEquals((await initiator.receive()).opcode, Opcode.reject);
    await finish(store);
    assertEquals((await initiator.command({ cdb: testUnitReady(), isImmediate: true })).status, 0);
  });
});

for (
  const [what, cdb, options] of [
    ["reads", read10(0, 8), { reads: true, expectedLength: 4096 }],
    ["flushes", synchronizeCache10(), {}],
  ] as const
) {
  Deno.test(`sessions that are lost with ${what} under way at a slow medium are limited`, async () => {
    const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
    const other = { name: "other", stores: [new MemoryStore({ sizeBytes: SIZE })] };
    await withHarness({ targets: [{ stores: [store] }, other], sessions: 3 }, async (harness) => {
      for (let count = 0; count < 3; count++) {
        const initiator = await harness.logIn();
        await initiator.send(command(initiator, cdb, options));
        await settle();
        await initiator.close();
        await settle();
      }
      const refused = await harness.logIn().catch((error) => error);
      assert(refused instanceof LoginRefused);
      assertEquals(refused.status, 0x0302);
      const rule = "the limit of 3 ended sessions whose work on a disk is not done is reached";
      assert(harness.log.some((line) => line.endsWith(rule)), harness.log.join("\n"));
      await harness.logIn({ targetName: nameOf("other") });
      store.releaseAll();
      await settle();
      await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 0, 7) });
    });
  });
}

Deno.test("connections that have logged out and do not take their last answers give way to others", () =>
  withHarness({}, async (harness) => {
    // The oldest of all has said who it is, and is about to log in.
    const entering = harness.open();
    await entering.initiator.send(loginRequest({
      isTransit: false,
      currentStage: 0,
      nextStage: 0,
      isid: Uint8Array.of(0x80, 0, 0, 0, 0, 9),
      initiatorTaskTag: 1,
      cmdSn: 1,
      expStatSn: 0,
      text: encodeText([["InitiatorName", "iqn.2000-01.a:b"], ["TargetName", nameOf()]]),
    }));
    await entering.initiator.receive();
    const leaving = [];
    for (let count = 0; count < Limits.connectionsInLoginPerAddress + 2; count++) {
      const served = harness.open({ capacityBytes: 4096 });
      const { initiator } = served;
      await initiator.login({ targetName: nameOf() });
      const request = numbered(initiator, true);
      const ping = nopOut({ ...numbered(initiator, true), data: pattern(60_000) });
      // The answer to the first is still received.
      await initiator.send(ping, ping, logoutRequest({ ...request, reason: 0 }));
      await settle();
      leaving.push(served);
    }
    const closed = leaving.filter(({ isClosed }) => isClosed()).length;
    assertEquals(closed, 3, "those that have been there the longest");
    assertEquals(leaving.slice(0, 3).every(({ isClosed }) => isClosed()), true);
    assertEquals(entering.isClosed(), false);
    // That is no refusal of a login.
    assertEquals(harness.node.snapshot().refusals.totals.limit, 0);
  }));

Deno.test("a connection for which others leave more than its limit is closed", () =>
  withHarness({}, async (harness) => {
    const { initiator, isClosed } = harness.open();
    await initiator.login({ targetName: nameOf() });
    const [session] = harness.node.sessions();
    const [connection] = session!.connections.values();
    const most = Math.ceil((Limits.sendBufferBytes + Limits.excessReplyBytes + 200_000) / 48);
    for (let count = 0; count < most && !isClosed(); count++) connection!.announceDrop(7);
    await until(isClosed, "it is closed");
    assert(harness.log.some((line) => line.includes("that the peer does not read")), harness.log.join("\n"));
  }));
