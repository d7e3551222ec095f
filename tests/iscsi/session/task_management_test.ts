/** Task management (RFC 7143, 11.5 and 11.6), through the whole node. */
import { assert, assertEquals } from "@std/assert";
import { serialAdd, serialDistance } from "../../../lib/bytes/serial_number.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { RejectReason } from "../../../lib/iscsi/pdu/reject_reason.ts";
import { read10, synchronizeCache10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { NO_TAG, Opcode } from "../../support/initiator_pdu.ts";
import { scsiCommand, TaskManagement, taskManagementRequest } from "../../support/initiator_request.ts";
import { ScsiStatus, SenseKey } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { type Harness, nameOf, TEST_UNIT_READY, withHarness } from "../../support/harness.ts";
import { settle, until } from "../../support/until.ts";
import { assertSameBytes, contentOf, pattern } from "../../support/content.ts";
import {
  asynchronousMessage,
  beginSolicited,
  drain,
  numbered,
  sendSolicited,
} from "../../support/exchanges.ts";

const SIZE = 4 * 1024 * 1024;
const OTHER_ISID = Uint8Array.of(0x80, 0, 0, 0, 0, 2);

/** Responses (11.6.1). */
const Response = {
  functionComplete: 0,
  taskDoesNotExist: 1,
  lunDoesNotExist: 2,
  reassignmentNotSupported: 4,
  notSupported: 5,
} as const;

interface Slow {
  readonly inner: MemoryStore;
  readonly store: SlowStore;
  readonly harness: Harness;
}

/** Runs a test with a target whose LUN 0 is slow and whose LUN 1 is not. */
async function withSlowUnit(test: (slow: Slow) => Promise<void>): Promise<void> {
  const inner = new MemoryStore({ sizeBytes: SIZE });
  const store = new SlowStore(inner);
  await withHarness(
    { targets: [{ stores: [store, new MemoryStore({ sizeBytes: SIZE })] }] },
    async (harness) => {
      await test({ inner, store, harness });
      store.releaseAll();
    },
  );
}

interface SlowUnits {
  readonly store: Pick<SlowStore, "pending" | "releaseAll">;
  readonly harness: Harness;
  readonly media: readonly MemoryStore[];
}

/** Runs a test with a target of two slow LUNs, whose pending work is in one list. */
async function withSlowUnits(test: (slow: SlowUnits) => Promise<void>): Promise<void> {
  const media = [0, 1].map(() => new MemoryStore({ sizeBytes: SIZE }));
  const stores = media.map((medium) => new SlowStore(medium));
  const store = {
    get pending() {
      return stores.flatMap(({ pending }) => pending);
    },
    releaseAll: () => stores.forEach((slow) => slow.releaseAll()),
  };
  await withHarness({ targets: [{ stores }] }, async (harness) => {
    await test({ media, store, harness });
    store.releaseAll();
  });
}

/** A promise, and whether it has resolved. */
function watch<T>(promise: Promise<T>): { readonly promise: Promise<T>; readonly isDone: () => boolean } {
  let isDone = false;
  return { promise: promise.finally(() => isDone = true), isDone: () => isDone };
}

Deno.test("ABORT TASK ends a task that waits for data; what still comes of it is dropped", () =>
  withHarness({ targets: [{ stores: [new MemoryStore({ sizeBytes: SIZE })] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const task = await beginSolicited(initiator);
    const aborted = await initiator.taskManagement(TaskManagement.abortTask, { referencedTaskTag: task.tag });
    assertEquals(aborted, Response.functionComplete);
    await sendSolicited(initiator, task);
    assertEquals(await drain(initiator), []);
    const { data } = await initiator.command({ cdb: read10(0, 8), read: 4096 });
    await assertSameBytes(data, new Uint8Array(4096));
  }));

Deno.test("ABORT TASK ends a task that waits for a slow read", () =>
  withSlowUnit(async ({ store, harness }) => {
    const initiator = await harness.logIn({ unitCount: 2 });
    const read = await initiator.begin({ cdb: read10(0, 1), read: 512 });
    await until(() => store.pending.length === 1, "the read is under way");
    read.forget();
    const options = { referencedTaskTag: read.initiatorTaskTag };
    assertEquals(
      await initiator.taskManagement(TaskManagement.abortTask, options),
      Response.functionComplete,
    );
    assertEquals(
      await initiator.taskManagement(TaskManagement.abortTask, options),
      Response.taskDoesNotExist,
    );
    store.releaseAll();
    await settle();
    assertEquals(await drain(initiator), []);
  }));

Deno.test("ABORT TASK of a slow write is answered when the write has settled, and then it has no status", () =>
  withSlowUnit(async ({ inner, store, harness }) => {
    const initiator = await harness.logIn({ unitCount: 2 });
    const write = await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    write.forget();
    const options = { referencedTaskTag: write.initiatorTaskTag };
    const abort = watch(initiator.taskManagement(TaskManagement.abortTask, options));
    await settle();
    assertEquals([abort.isDone(), inner.writeCount], [false, 0]);
    assertEquals((await initiator.command({ cdb: testUnitReady(), lun: 1 })).status, ScsiStatus.good);
    store.releaseAll();
    assertEquals(await abort.promise, Response.functionComplete);
    assertEquals(inner.writeCount, 1);
    assertEquals(await drain(initiator), []);
  }));

Deno.test("ABORT TASK of a flush, which changes nothing, is answered at once, and then it has no status", () =>
  withSlowUnit(async ({ store, harness }) => {
    const initiator = await harness.logIn({ unitCount: 2 });
    const flush = await initiator.begin({ cdb: synchronizeCache10() });
    await until(() => store.pending.length === 1, "the flush is under way");
    flush.forget();
    const options = { referencedTaskTag: flush.initiatorTaskTag };
    assertEquals(
      await initiator.taskManagement(TaskManagement.abortTask, options),
      Response.functionComplete,
    );
    store.releaseAll();
    await settle();
    assertEquals(await drain(initiator), []);
  }));

Deno.test("ABORT TASK does not end a task of another unit, or one that is none", () =>
  withSlowUnit(async ({ store, harness }) => {
    const initiator = await harness.logIn({ unitCount: 2 });
    const read = await initiator.begin({ cdb: read10(0, 1), read: 512 });
    await until(() => store.pending.length === 1, "the read is under way");
    const { abortTask } = TaskManagement;
    const referencedTaskTag = read.initiatorTaskTag;
    assertEquals(
      await initiator.taskManagement(abortTask, { lun: 1, referencedTaskTag }),
      Response.taskDoesNotExist,
    );
    assertEquals(
      await initiator.taskManagement(abortTask, { referencedTaskTag: 9999 }),
      Response.taskDoesNotExist,
    );
    store.releaseAll();
    assertEquals((await read.result()).status, ScsiStatus.good);
    assertEquals(await initiator.taskManagement(abortTask, { referencedTaskTag }), Response.taskDoesNotExist);
  }));

Deno.test("ABORT TASK with LUN 0 ends the task of its tag, waits for its writes, and the log says so once", () =>
  withSlowUnits(async ({ store, media, harness }) => {
    const initiator = await harness.logIn({ unitCount: 2 });
    for (let block = 0; block < 2; block++) {
      const write = await initiator.begin({ cdb: write10(block, 1), write: pattern(512), lun: 1 });
      await until(() => store.pending.length === 1, "the write is under way");
      const { initiatorTaskTag: referencedTaskTag } = write;
      const abort = watch(initiator.taskManagement(TaskManagement.abortTask, { lun: 0, referencedTaskTag }));
      await settle();
      assertEquals(abort.isDone(), false, "the write may still reach the medium");
      store.releaseAll();
      assertEquals(await abort.promise, Response.functionComplete);
      write.forget();
      assertEquals(await drain(initiator), []);
    }
    assertEquals(media[0]!.writeCount, 0);
    const overlooked = harness.events.filter(({ message }) => message.includes("overlooked"));
    assertEquals(overlooked.map(({ level }) => level), ["debug"]);
  }));

Deno.test("ABORT TASK of a held command goes by its tag: RefCmdSN of another command harms neither", () =>
  withHarness({ targets: [{ stores: [new MemoryStore({ sizeBytes: SIZE })] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const missing = numbered(initiator);
    const [first, second] = [
      await initiator.begin({ cdb: write10(0, 1), write: pattern(512, 1) }),
      await initiator.begin({ cdb: write10(1, 1), write: pattern(512, 2) }),
    ];
    const abort = (referencedTaskTag: number, refCmdSn: number): Promise<number> =>
      initiator.taskManagement(TaskManagement.abortTask, { referencedTaskTag, refCmdSn });
    assertEquals(
      await abort(9999, second.cmdSn),
      Response.taskDoesNotExist,
      "another command has the number",
    );
    first.forget();
    assertEquals(
      await abort(first.initiatorTaskTag, serialAdd(first.cmdSn, -100)),
      Response.functionComplete,
    );
    await initiator.send(scsiCommand({ ...missing, ...TEST_UNIT_READY }));
    assertEquals((await initiator.receive()).initiatorTaskTag, missing.initiatorTaskTag);
    assertEquals((await second.result()).status, ScsiStatus.good);
    const { data } = await initiator.command({ cdb: read10(0, 2), read: 1024 });
    await assertSameBytes(data, new Uint8Array([...new Uint8Array(512), ...pattern(512, 2)]));
    assertEquals(await drain(initiator), []);
  }));

for (const fn of [TaskManagement.abortTaskSet, TaskManagement.clearTaskSet]) {
  Deno.test(`function ${fn} ends what its connection sent before, however old its CmdSN, and the log says so`, () =>
    withSlowUnits(async ({ store, harness }) => {
      const initiator = await harness.logIn({ unitCount: 2 });
      const write = await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
      write.forget();
      await until(() => store.pending.length === 1, "the write is under way");
      const request = { ...numbered(initiator, true), function: fn, referencedTaskTag: NO_TAG };
      await initiator.send(taskManagementRequest({ ...request, cmdSn: serialAdd(write.cmdSn, -3) }));
      await settle();
      store.releaseAll();
      const { opcode, response } = await initiator.receive();
      assertEquals([opcode, response], [Opcode.taskManagementResponse, Response.functionComplete]);
      assertEquals(await drain(initiator), [], "the write has no status");
      const overlooked = harness.events.filter(({ message }) => message.includes("overlooked"));
      assertEquals(overlooked.map(({ level }) => level), ["debug"]);
    }));
}

Deno.test("ABORT TASK of a command that has not come uses up its number; it is ignored when it comes (11.5.5)", () =>
  withHarness({ targets: [{ stores: [new MemoryStore({ sizeBytes: SIZE })] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const missing = numbered(initiator);
    const waiting = await initiator.begin({ cdb: write10(1, 1), write: pattern(512) });
    assertEquals(await drain(initiator), []);
    const options = { referencedTaskTag: missing.initiatorTaskTag, refCmdSn: missing.cmdSn };
    assertEquals(
      await initiator.taskManagement(TaskManagement.abortTask, options),
      Response.functionComplete,
    );
    assertEquals((await waiting.result()).status, ScsiStatus.good);
    await initiator.send(scsiCommand({
      ...missing,
      isFinal: true,
      reads: false,
      writes: true,
      lun: 0,
      expectedLength: 512,
      cdb: write10(0, 1),
      data: pattern(512),
    }));
    assertEquals(await drain(initiator), []);
    const { data } = await initiator.command({ cdb: read10(0, 1), read: 512 });
    await assertSameBytes(data, new Uint8Array(512));
  }));

Deno.test("ABORT TASK of the last command, which never comes, lets the next one in", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    const missing = numbered(initiator);
    const options = { referencedTaskTag: missing.initiatorTaskTag, refCmdSn: missing.cmdSn };
    assertEquals(
      await initiator.taskManagement(TaskManagement.abortTask, options),
      Response.functionComplete,
    );
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }));

Deno.test("ABORT TASK of a command that is held takes it and its data out", () =>
  withHarness({ targets: [{ stores: [new MemoryStore({ sizeBytes: SIZE })] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const missing = numbered(initiator);
    const held = await initiator.begin({
      cdb: write10(0, 4),
      write: pattern(2048),
      unsolicitedBytes: 2048,
      immediateDataBytes: 0,
    });
    assertEquals(await drain(initiator), []);
    held.forget();
    const options = { referencedTaskTag: held.initiatorTaskTag, refCmdSn: held.cmdSn };
    assertEquals(
      await initiator.taskManagement(TaskManagement.abortTask, options),
      Response.functionComplete,
    );
    const cdb = testUnitReady();
    await initiator.send(
      scsiCommand({ ...missing, isFinal: true, reads: false, writes: false, lun: 0, expectedLength: 0, cdb }),
    );
    assertEquals((await initiator.receive()).initiatorTaskTag, missing.initiatorTaskTag);
    const { data } = await initiator.command({ cdb: read10(0, 4), read: 2048 });
    await assertSameBytes(data, new Uint8Array(2048));
  }));

Deno.test("ABORT TASK of a number outside the window, or not before its own, is of no task", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    const { nextCmdSn, maxCmdSn } = initiator;
    for (
      const refCmdSn of [
        serialAdd(nextCmdSn, -1),
        nextCmdSn,
        serialAdd(nextCmdSn, 5),
        serialAdd(maxCmdSn!, 1),
      ]
    ) {
      const options = { referencedTaskTag: 9999, refCmdSn };
      assertEquals(
        await initiator.taskManagement(TaskManagement.abortTask, options),
        Response.taskDoesNotExist,
      );
    }
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }));

/** Functions that end tasks of one unit: whose, and which unit attention the other session receives. */
const SET_FUNCTIONS = [
  { name: "abortTaskSet", endsOthers: false, attention: undefined },
  { name: "clearTaskSet", endsOthers: true, attention: 0x2f00 },
  { name: "logicalUnitReset", endsOthers: true, attention: 0x2903 },
  { name: "targetWarmReset", endsOthers: true, attention: 0x2902 },
] as const;

for (const { name, endsOthers, attention } of SET_FUNCTIONS) {
  Deno.test(`${name} ends the tasks of ${endsOthers ? "all sessions" : "its session"}, once writes have settled`, () =>
    withSlowUnit(async ({ inner, store, harness }) => {
      const initiator = await harness.logIn({ unitCount: 2 });
      const other = await harness.logIn({ unitCount: 2, isid: OTHER_ISID });
      const own = await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
      const theirs = await other.begin({ cdb: write10(1, 1), write: pattern(512) });
      const waiting = await beginSolicited(other);
      await until(() => store.pending.length === 2, "both writes are under way");
      own.forget();
      if (endsOthers) theirs.forget();
      const reset = watch(initiator.taskManagement(TaskManagement[name], { lun: 0 }));
      await settle();
      assertEquals(reset.isDone(), false);
      store.releaseAll();
      assertEquals(await reset.promise, Response.functionComplete);
      assertEquals(inner.writeCount, 2, "the writes were under way");
      assertEquals(await drain(initiator), []);
      if (!endsOthers) assertEquals((await theirs.result()).status, ScsiStatus.good);
      await sendSolicited(other, waiting);
      await settle();
      assertEquals(store.pending.length, endsOthers ? 0 : 1, "data of a task that was ended is dropped");
      store.releaseAll();
      if (!endsOthers) assertEquals((await other.receive()).status, ScsiStatus.good);
      // The others lose their tasks without a status, and are notified that there is room for more (11.4.11).
      assertEquals((await drain(other)).map(({ name }) => name), endsOthers ? ["nopIn"] : []);
      const { sense } = await other.command({ cdb: testUnitReady() });
      assertEquals(
        [sense?.key, sense?.code],
        attention === undefined ? [undefined, undefined] : [SenseKey.unitAttention, attention],
      );
    }));
}

Deno.test("a logical unit reset leaves other units alone, and waits for no write of another target", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  const elsewhere = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  const targets = [{ stores: [new MemoryStore({ sizeBytes: SIZE }), store] }, {
    name: "other",
    stores: [elsewhere],
  }];
  await withHarness({ targets }, async (harness) => {
    const initiator = await harness.logIn({ unitCount: 2 });
    const other = await harness.logIn({ targetName: nameOf("other") });
    const theirs = await other.begin({ cdb: write10(0, 1), write: pattern(512) });
    const read = await initiator.begin({ cdb: read10(0, 1), lun: 1, read: 512 });
    await until(() => store.pending.length + elsewhere.pending.length === 2, "both are under way");
    assertEquals(
      await initiator.taskManagement(TaskManagement.logicalUnitReset, { lun: 0 }),
      Response.functionComplete,
    );
    store.releaseAll();
    elsewhere.releaseAll();
    assertEquals((await read.result()).status, ScsiStatus.good);
    assertEquals((await theirs.result()).status, ScsiStatus.good);
  });
});

Deno.test("a cold reset is answered and then ends every session with the target, and no other", () =>
  withHarness({ targets: [{}, { name: "other" }] }, async (harness) => {
    const sessions = [harness.open(), harness.open()];
    for (const [index, { initiator }] of sessions.entries()) {
      await initiator.login({ targetName: nameOf(), isid: Uint8Array.of(0x80, 0, 0, 0, 0, index) });
    }
    const other = await harness.logIn({ targetName: nameOf("other") });
    const [first, second] = sessions.map(({ initiator }) => initiator);
    assertEquals(await first!.taskManagement(TaskManagement.targetColdReset), Response.functionComplete);
    // Both are notified that all connections of their sessions are dropped.
    assertEquals((await first!.receiveEnd()).map(asynchronousMessage), [[3, 0, 2, 0]]);
    assertEquals((await second!.receiveEnd()).map(asynchronousMessage), [[3, 0, 2, 0]]);
    for (const { served } of sessions) await served;
    assertEquals((await other.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    const again = await harness.logIn();
    assertEquals((await again.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }));

Deno.test("a cold reset whose initiator has gone meanwhile ends no session of anybody else", () =>
  withSlowUnit(async ({ store, harness }) => {
    const { initiator, served } = harness.open();
    await initiator.login({ targetName: nameOf() });
    await initiator.command({ cdb: testUnitReady() });
    const discovery = harness.connect();
    await discovery.login();
    await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    const reset = { ...numbered(initiator, true), function: TaskManagement.targetColdReset };
    await initiator.send(taskManagementRequest(reset));
    await settle();
    await initiator.close();
    await served;
    store.releaseAll();
    await settle();
    assertEquals((await discovery.sendTargets()).length, 1);
  }));

Deno.test("functions for a unit that is none say so", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    const { abortTaskSet, clearTaskSet, logicalUnitReset } = TaskManagement;
    for (const lun of [1, 255, 300, Uint8Array.of(0xc1, 0, 0, 0, 0, 0, 0, 0)]) {
      for (const fn of [abortTaskSet, clearTaskSet, logicalUnitReset]) {
        assertEquals(await initiator.taskManagement(fn, { lun }), Response.lunDoesNotExist);
      }
    }
  }));

Deno.test("functions that there are not, or not here, say so", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    assertEquals(await initiator.taskManagement(TaskManagement.clearAca), Response.notSupported);
    assertEquals(
      await initiator.taskManagement(TaskManagement.taskReassign),
      Response.reassignmentNotSupported,
    );
    for (const fn of [0, 9, 14, 127]) assertEquals(await initiator.taskManagement(fn), Response.notSupported);
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }));

Deno.test("a function that is not immediate takes its turn", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    const missing = numbered(initiator);
    const reset = numbered(initiator);
    await initiator.send(taskManagementRequest({ ...reset, function: TaskManagement.logicalUnitReset }));
    assertEquals(await drain(initiator), []);
    const cdb = testUnitReady();
    await initiator.send(
      scsiCommand({ ...missing, isFinal: true, reads: false, writes: false, lun: 0, expectedLength: 0, cdb }),
    );
    const opcodes = (await drain(initiator)).map(({ opcode }) => opcode);
    assertEquals(opcodes, [Opcode.scsiResponse, Opcode.taskManagementResponse]);
  }));

Deno.test("requests that wait for a slow medium are bounded", () =>
  withSlowUnit(async ({ store, harness }) => {
    const initiator = await harness.logIn({ unitCount: 2 });
    const write = await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    write.forget();
    const most = Limits.immediateCommands;
    for (let count = 0; count < most + 5; count++) {
      const request = { ...numbered(initiator, true), function: TaskManagement.abortTaskSet };
      await initiator.send(taskManagementRequest({ ...request, referencedTaskTag: NO_TAG }));
    }
    const rejects = await drain(initiator);
    assertEquals(
      rejects.map(({ response }) => response),
      Array<number>(5).fill(RejectReason.immediateCommandReject),
    );
    store.releaseAll();
    await until(() => store.pending.length === 0, "the write has ended");
    await settle();
    const responses = await drain(initiator);
    assert(
      responses.every(({ opcode, response }) => opcode === Opcode.taskManagementResponse && response === 0),
    );
    assertEquals(responses.length, most);
  }));

Deno.test("20 tasks that another session ends open the window again, and one NOP-In says so (11.4.11)", () =>
  withSlowUnit(async ({ store, harness }) => {
    const initiator = await harness.logIn({ unitCount: 2 });
    const other = await harness.logIn({ unitCount: 2, isid: OTHER_ISID });
    for (let round = 0; round < 2; round++) {
      for (let index = 0; index < 20; index++) {
        (await initiator.begin({ cdb: write10(index, 1), write: pattern(512) })).forget();
      }
      await initiator.nop();
      const before = initiator.maxCmdSn!;
      const reset = other.taskManagement(TaskManagement.logicalUnitReset);
      await settle();
      const told = await initiator.receive();
      assertEquals([told.name, told.initiatorTaskTag, told.targetTransferTag], ["nopIn", NO_TAG, NO_TAG]);
      assertEquals(initiator.maxCmdSn, serialAdd(before, 20));
      store.releaseAll();
      assertEquals(await reset, Response.functionComplete);
      assertEquals(await drain(initiator), [], "it is said once");
      assertEquals((await initiator.command({ cdb: testUnitReady() })).sense?.key, SenseKey.unitAttention);
    }
  }));

Deno.test("an initiator hears at once that its closed window is open, before the response that takes time", () =>
  withSlowUnit(async ({ store, harness }) => {
    const initiator = await harness.logIn({ unitCount: 2 });
    for (let index = 0; index < Limits.commandWindow; index++) {
      (await initiator.begin({ cdb: write10(index, 1), write: pattern(512) })).forget();
    }
    await initiator.nop();
    const abort = watch(initiator.taskManagement(TaskManagement.abortTaskSet, { lun: 0 }));
    assertEquals((await initiator.receive()).name, "nopIn");
    assertEquals([serialDistance(initiator.expCmdSn!, initiator.maxCmdSn!) > 0, abort.isDone()], [
      true,
      false,
    ]);
    store.releaseAll();
    assertEquals(await abort.promise, Response.functionComplete);
    assertEquals(await drain(initiator), []);
  }));

Deno.test("a session whose tasks it ends itself is told how far the window is open by the response alone", () =>
  withSlowUnit(async ({ store, harness }) => {
    const initiator = await harness.logIn({ unitCount: 2 });
    for (let index = 0; index < 20; index++) {
      (await initiator.begin({ cdb: read10(index, 1), read: 512 })).forget();
    }
    await initiator.nop();
    const before = initiator.maxCmdSn!;
    assertEquals(
      await initiator.taskManagement(TaskManagement.abortTaskSet, { lun: 0 }),
      Response.functionComplete,
    );
    assertEquals(initiator.maxCmdSn, serialAdd(before, 20));
    assertEquals(await drain(initiator), []);
    store.releaseAll();
  }));

Deno.test("tasks that another session ends open a window that was closed, and the initiator hears of it (11.19)", () =>
  withSlowUnit(async ({ inner, store, harness }) => {
    const initiator = await harness.logIn({ unitCount: 2 });
    const other = await harness.logIn({ unitCount: 2, isid: OTHER_ISID });
    for (let index = 0; index < Limits.commandWindow; index++) {
      (await initiator.begin({ cdb: read10(index, 1), read: 512 })).forget();
    }
    await initiator.nop();
    assertEquals(serialAdd(initiator.maxCmdSn!, 1), initiator.expCmdSn);
    assertEquals(await other.taskManagement(TaskManagement.logicalUnitReset), Response.functionComplete);
    const told = await initiator.receive();
    assertEquals([told.opcode, told.initiatorTaskTag, told.targetTransferTag], [
      Opcode.nopIn,
      NO_TAG,
      NO_TAG,
    ]);
    const { sense } = await initiator.command({ cdb: testUnitReady() });
    assertEquals(sense?.key, SenseKey.unitAttention);
    assertEquals([inner.writeCount, contentOf(inner, 0, 1)[0]], [0, 0]);
    store.releaseAll();
  }));
