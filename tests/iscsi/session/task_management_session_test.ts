/** Task management in sessions of several connections, and what its responses wait for (RFC 7143, 4.2.3.3 and 11.5). */
import { assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import type { Initiator } from "../../support/initiator.ts";
import { read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { NO_TAG, Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import {
  nopOut,
  scsiCommand,
  TaskManagement,
  taskManagementRequest,
} from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { type Harness, type MultipleConnections, withHarness } from "../../support/harness.ts";
import { settle, until } from "../../support/until.ts";
import { assertSameBytes, contentOf, pattern } from "../../support/content.ts";
import { beginSolicited, drain, numbered, sendSolicited } from "../../support/exchanges.ts";

const SIZE = 4 * 1024 * 1024;

/** Responses (11.6.1). */
const Response = {
  functionComplete: 0,
  taskDoesNotExist: 1,
  taskStillAllegiant: 3,
  functionRejected: 255,
} as const;

/** The functions that end the tasks of a logical unit, or of all. */
const SETS = [
  TaskManagement.abortTaskSet,
  TaskManagement.clearTaskSet,
  TaskManagement.logicalUnitReset,
  TaskManagement.targetWarmReset,
] as const;

interface Session extends MultipleConnections {
  readonly harness: Harness;
  readonly inner: MemoryStore;
  readonly store: SlowStore;
}

/** Runs a test with a session of several connections, which answer no ping, with a target whose LUN 0 is slow. */
async function withSlowSession(count: number, test: (session: Session) => Promise<void>): Promise<void> {
  const inner = new MemoryStore({ sizeBytes: SIZE });
  const store = new SlowStore(inner);
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const session = await harness.logInSession(count, { connect: { answersPings: false } });
    // What was received so far is acknowledged.
    for (const initiator of session.initiators) await initiator.send(acknowledgement(initiator));
    await settle();
    await test({ ...session, harness, inner, store });
    store.releaseAll();
  });
}

/** A NOP-Out that wants no answer, and so only acknowledges. */
function acknowledgement(initiator: Initiator): ReturnType<typeof nopOut> {
  return nopOut({ ...numbered(initiator, true), initiatorTaskTag: NO_TAG });
}

/** A promise, and whether it has resolved. */
function watch<T>(promise: Promise<T>): { readonly promise: Promise<T>; readonly isDone: () => boolean } {
  let isDone = false;
  return { promise: promise.finally(() => isDone = true), isDone: () => isDone };
}

function assertPing(pdu: Pdu): void {
  assertEquals([pdu.opcode, pdu.initiatorTaskTag], [Opcode.nopIn, NO_TAG]);
}

Deno.test("ABORT TASK ends a task over its own connection only (11.5.1)", () =>
  withSlowSession(2, async ({ initiators, store }) => {
    const [first, second] = initiators as [Initiator, Initiator];
    const read = await first.begin({ cdb: read10(0, 1), read: 512 });
    await until(() => store.pending.length === 1, "the read is under way");
    const options = { referencedTaskTag: read.initiatorTaskTag };
    const abort = (initiator: Initiator): Promise<number> =>
      initiator.taskManagement(TaskManagement.abortTask, options);
    assertEquals(await abort(second), Response.taskStillAllegiant);
    assertEquals(await abort(first), Response.functionComplete);
    read.forget();
    store.releaseAll();
    await settle();
    assertEquals(await drain(first), []);
  }));

Deno.test("ABORT TASK of a task management request is rejected, and does nothing to it (11.5.1)", () =>
  withSlowSession(1, async ({ initiators, store }) => {
    const initiator = initiators[0]!;
    const abort = (options: { referencedTaskTag: number; refCmdSn?: number }): Promise<number> =>
      initiator.taskManagement(TaskManagement.abortTask, options);
    // One that waits for a write that has begun.
    const write = await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    let referencedTaskTag = initiator.nextTaskTag() + 1;
    const reset = initiator.taskManagement(TaskManagement.logicalUnitReset);
    await settle();
    assertEquals(await abort({ referencedTaskTag }), Response.functionRejected);
    write.forget();
    store.releaseAll();
    assertEquals(await reset, Response.functionComplete);
    // One that waits for a command that it has overtaken.
    const overtaken = initiator.takeCmdSn();
    referencedTaskTag = initiator.nextTaskTag() + 1;
    const waiting = initiator.taskManagement(TaskManagement.abortTaskSet);
    await settle();
    assertEquals(await abort({ referencedTaskTag, refCmdSn: overtaken }), Response.functionRejected);
    await initiator.send(writePdu(initiator, overtaken));
    store.releaseAll();
    await until(() => store.pending.length === 0, "nothing is under way");
    assertEquals(await waiting, Response.functionComplete);
    assertEquals(await abort({ referencedTaskTag }), Response.taskDoesNotExist);
  }));

for (const fn of SETS) {
  Deno.test(`function ${fn} ends the tasks of all connections`, () =>
    withSlowSession(3, async ({ initiators, store }) => {
      const commands = [];
      for (const [index, initiator] of initiators.entries()) {
        commands.push(await initiator.begin({ cdb: read10(index, 1), read: 512 }));
      }
      await until(() => store.pending.length === 3, "all reads are under way");
      assertEquals(await initiators[1]!.taskManagement(fn), Response.functionComplete);
      for (const command of commands) command.forget();
      store.releaseAll();
      await settle();
      for (const initiator of initiators) assertEquals(await drain(initiator), []);
    }));

  Deno.test(`function ${fn} is answered when the data has come that was asked for (4.2.3.3)`, () =>
    withSlowSession(1, async ({ initiators: [initiator], inner }) => {
      const write = await beginSolicited(initiator!);
      const answer = watch(initiator!.taskManagement(fn));
      await settle();
      assertEquals(answer.isDone(), false);
      await sendSolicited(initiator!, write);
      assertEquals(await answer.promise, Response.functionComplete);
      assertEquals(inner.writeCount, 0);
      assertEquals(await drain(initiator!), []);
    }));

  Deno.test(`function ${fn} does not wait for ever for data that does not come`, () =>
    withSlowSession(1, async ({ initiators: [initiator], harness }) => {
      const write = await beginSolicited(initiator!);
      const answer = watch(initiator!.taskManagement(fn));
      await settle();
      harness.clock.advance(Limits.owedMs - 1);
      await settle();
      assertEquals(answer.isDone(), false);
      harness.clock.advance(1);
      assertEquals(await answer.promise, Response.functionComplete);
      await sendSolicited(initiator!, write);
      assertEquals(await drain(initiator!), []);
    }));

  Deno.test(`function ${fn} is answered when what was sent before has been received everywhere (4.2.3.3)`, () =>
    withSlowSession(2, async ({ initiators, harness }) => {
      const [first, second] = initiators as [Initiator, Initiator];
      assertEquals((await second.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
      const answer = watch(first.taskManagement(fn));
      // The target asks, and the answer acknowledges.
      assertPing(await second.receive());
      assertEquals(answer.isDone(), false);
      await second.send(acknowledgement(second));
      assertEquals(await answer.promise, Response.functionComplete);
      await second.command({ cdb: testUnitReady() });
      await second.command({ cdb: testUnitReady() });
      const impatient = watch(first.taskManagement(fn));
      assertPing(await second.receive());
      harness.clock.advance(Limits.owedMs);
      assertEquals(await impatient.promise, Response.functionComplete);
    }));
}

Deno.test("a connection that is lost owes nothing any more", () =>
  withSlowSession(2, async ({ initiators, harness }) => {
    const [first, second] = initiators as [Initiator, Initiator];
    await beginSolicited(second);
    const answer = watch(first.taskManagement(TaskManagement.logicalUnitReset));
    await settle();
    assertEquals(answer.isDone(), false);
    await second.close();
    assertEquals(await answer.promise, Response.functionComplete);
    await first.close();
    await until(() => harness.clock.waiting === 0, "nothing waits for its time");
  }));

/** A write of one block with immediate data. */
function writePdu(initiator: Initiator, cmdSn: number): ReturnType<typeof scsiCommand> {
  return scsiCommand({
    initiatorTaskTag: initiator.nextTaskTag(),
    cmdSn,
    expStatSn: initiator.expStatSn,
    isFinal: true,
    reads: false,
    writes: true,
    lun: 0,
    expectedLength: 512,
    cdb: write10(0, 1),
    data: pattern(512),
  });
}

for (const fn of SETS.slice(0, 3)) {
  Deno.test(`function ${fn} that overtakes a command waits for it, and ends it and none behind it (4.2.3.3)`, () =>
    withSlowSession(2, async ({ initiators, store, inner }) => {
      const [first, second] = initiators as [Initiator, Initiator];
      const overtaken = first.takeCmdSn();
      const answer = watch(second.taskManagement(fn));
      const behind = await second.begin({ cdb: write10(8, 1), write: pattern(512, 2) });
      await settle();
      assertEquals([answer.isDone(), store.pending.length], [false, 0]);
      await first.send(writePdu(first, overtaken));
      // After a reset the first command is not carried out: it reports the reset.
      const isReset = fn === TaskManagement.logicalUnitReset;
      await until(() => store.pending.length === (isReset ? 1 : 2), "the writes are under way");
      assertEquals(answer.isDone(), false, "a write that has begun may reach the medium");
      store.releaseAll();
      assertEquals(await answer.promise, Response.functionComplete);
      const { status } = await behind.result();
      assertEquals(status, isReset ? ScsiStatus.checkCondition : ScsiStatus.good);
      const written = isReset ? new Uint8Array(512) : pattern(512, 2);
      await assertSameBytes(contentOf(inner, 8 * 512, 512), written);
      assertEquals(await drain(first), []);
    }));
}

Deno.test("a target reset does not wait for commands that it has overtaken: they are taken for ended (4.2.3.3)", () =>
  withSlowSession(2, async ({ initiators, store }) => {
    const [first, second] = initiators as [Initiator, Initiator];
    const overtaken = first.takeCmdSn();
    await second.send(writePdu(second, second.takeCmdSn()));
    assertEquals(await second.taskManagement(TaskManagement.targetWarmReset), Response.functionComplete);
    await first.send(writePdu(first, overtaken));
    assertEquals(await drain(first), []);
    // The numbers that were used up open the window, which the response could not say yet.
    assertEquals((await drain(second)).map(({ name }) => name), ["nopIn"]);
    assertEquals(store.pending.length, 0);
    // The next command reports the reset, and the one after that is carried out.
    assertEquals((await second.command({ cdb: testUnitReady() })).status, ScsiStatus.checkCondition);
    assertEquals((await first.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }));

Deno.test("a target reset ends immediate commands that wait behind a function of its connection", () =>
  withSlowSession(2, async ({ initiators, store, inner }) => {
    const [first, second] = initiators as [Initiator, Initiator];
    first.takeCmdSn();
    const abort = watch(second.taskManagement(TaskManagement.abortTaskSet));
    const write = { cdb: write10(8, 1), write: pattern(512), isImmediate: true };
    (await second.begin(write)).forget();
    const reset = second.taskManagement(TaskManagement.targetWarmReset);
    await settle();
    await first.send(acknowledgement(first));
    await second.send(acknowledgement(second));
    assertEquals([await reset, await abort.promise], [Response.functionComplete, Response.functionComplete]);
    assertEquals([store.pending.length, inner.writeCount], [0, 0]);
    const statuses = (await drain(second)).filter(({ opcode }) => opcode === Opcode.scsiResponse);
    assertEquals(statuses, [], "the write has no status");
  }));

Deno.test("requests that wait for an overtaken command are bounded, and go with their connection", () =>
  withSlowSession(2, async ({ initiators, harness }) => {
    const [first, second] = initiators as [Initiator, Initiator];
    const overtaken = first.takeCmdSn();
    const request = (): ReturnType<typeof taskManagementRequest> =>
      taskManagementRequest({ ...numbered(second, true), function: TaskManagement.abortTaskSet });
    for (let count = 0; count < Limits.immediateCommands; count++) await second.send(request());
    await second.send(request());
    const reject = await second.receive();
    assertEquals([reject.opcode, reject.response], [Opcode.reject, 0x06]);
    await second.close();
    await until(() => [...harness.node.sessions()][0]!.connections.size === 1, "the connection is gone");
    await first.send(writePdu(first, overtaken));
    await settle();
    assertEquals((await first.receive()).opcode, Opcode.asynchronousMessage);
  }));

for (const fn of [TaskManagement.abortTaskSet, TaskManagement.clearTaskSet]) {
  Deno.test(`function ${fn} leaves commands alone that were sent behind it and arrive before it (11.5.1)`, () =>
    withSlowSession(2, async ({ initiators, store, inner }) => {
      const [first, second] = initiators as [Initiator, Initiator];
      const before = await first.begin({ cdb: write10(0, 1), write: pattern(512, 1) });
      before.forget();
      const request = numbered(first, true);
      // The other connection is faster: its write has the number that the function carries.
      const behind = await second.begin({ cdb: write10(1, 1), write: pattern(512, 2) });
      const result = behind.result();
      const immediate = await second.begin({ cdb: write10(2, 1), write: pattern(512, 3), isImmediate: true });
      await until(() => store.pending.length === 3, "all writes are under way");
      assertEquals(behind.cmdSn, request.cmdSn);
      await first.send(taskManagementRequest({ ...request, function: fn, lun: 0 }));
      await second.send(acknowledgement(second));
      await settle();
      store.releaseAll();
      const response = await first.receive();
      assertEquals([response.opcode, response.response], [
        Opcode.taskManagementResponse,
        Response.functionComplete,
      ]);
      assertEquals((await result).status, ScsiStatus.good);
      assertEquals((await immediate.result()).status, ScsiStatus.good, "it was sent behind it as well");
      await assertSameBytes(contentOf(inner, 512, 512), pattern(512, 2));
      assertEquals(await drain(first), [], "the write before it has no status");
    }));
}

for (const fn of SETS.slice(0, 2)) {
  Deno.test(`function ${fn} that waits ends no immediate command that its connection sent after it (11.5.1)`, () =>
    withSlowSession(2, async ({ initiators, store, inner }) => {
      const [first, second] = initiators as [Initiator, Initiator];
      const overtaken = first.takeCmdSn();
      const answer = watch(second.taskManagement(fn));
      const data = pattern(2048, 2);
      const immediate = { cdb: write10(8, 4), write: data, isImmediate: true };
      const behind = await second.begin({ ...immediate, unsolicitedBytes: 2048, immediateDataBytes: 512 });
      const result = behind.result();
      const aborted = await second.begin({ ...immediate, cdb: write10(16, 4) });
      aborted.forget();
      await settle();
      assertEquals([answer.isDone(), store.pending.length], [false, 0]);
      const options = { referencedTaskTag: aborted.initiatorTaskTag, refCmdSn: aborted.cmdSn };
      assertEquals(
        await second.taskManagement(TaskManagement.abortTask, options),
        Response.functionComplete,
      );
      await first.send(writePdu(first, overtaken));
      await second.send(acknowledgement(second));
      const isDone = (): boolean => {
        store.releaseAll();
        return answer.isDone() && inner.writeCount > 1;
      };
      await until(isDone, "the function is answered and the write done");
      assertEquals(await answer.promise, Response.functionComplete);
      assertEquals((await result).status, ScsiStatus.good);
      await assertSameBytes(contentOf(inner, 8 * 512, 2048), data);
      await assertSameBytes(contentOf(inner, 16 * 512, 2048), new Uint8Array(2048));
      assertEquals(await drain(first), [], "the write before it has no status");
    }));
}

for (const fn of [TaskManagement.abortTaskSet, TaskManagement.clearTaskSet]) {
  Deno.test(`function ${fn} ends an immediate command with its number, which was sent before it (11.5.1)`, () =>
    withSlowSession(1, async ({ initiators: [initiator], store }) => {
      const write = { cdb: write10(0, 1), write: pattern(512), isImmediate: true };
      const before = await initiator!.begin(write);
      before.forget();
      await until(() => store.pending.length === 1, "the write is under way");
      assertEquals(before.cmdSn, initiator!.nextCmdSn);
      const answer = initiator!.taskManagement(fn);
      await settle();
      store.releaseAll();
      assertEquals(await answer, Response.functionComplete);
      assertEquals(await drain(initiator!), [], "the write has no status");
    }));

  Deno.test(`function ${fn} does not wait for the data of a command that it leaves alone (11.5.1)`, () =>
    withSlowSession(2, async ({ initiators, store }) => {
      const [first, second] = initiators as [Initiator, Initiator];
      const request = numbered(first, true);
      const behind = await beginSolicited(second);
      await first.send(taskManagementRequest({ ...request, function: fn, lun: 0 }));
      const response = await first.receive();
      assertEquals([response.opcode, response.response], [
        Opcode.taskManagementResponse,
        Response.functionComplete,
      ]);
      await sendSolicited(second, behind);
      await until(() => store.pending.length === 1, "the write is under way");
      store.releaseAll();
      assertEquals((await second.receive()).status, ScsiStatus.good);
    }));
}

Deno.test("LOGICAL UNIT RESET ends commands that were sent behind it as well (11.5.1)", () =>
  withSlowSession(2, async ({ initiators, store }) => {
    const [first, second] = initiators as [Initiator, Initiator];
    const request = numbered(first, true);
    const behind = await second.begin({ cdb: write10(1, 1), write: pattern(512, 2) });
    behind.forget();
    await until(() => store.pending.length === 1, "the write is under way");
    await first.send(
      taskManagementRequest({ ...request, function: TaskManagement.logicalUnitReset, lun: 0 }),
    );
    await second.send(acknowledgement(second));
    await settle();
    store.releaseAll();
    const response = await first.receive();
    assertEquals([response.opcode, response.response], [
      Opcode.taskManagementResponse,
      Response.functionComplete,
    ]);
    assertEquals((await drain(second)).filter(({ opcode }) => opcode === Opcode.scsiResponse), []);
  }));
