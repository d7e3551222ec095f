/** Task management functions of RFC 7144, and PREEMPT AND ABORT, through the whole node. */
import { assert, assertEquals } from "@std/assert";
import type { Initiator } from "../../support/initiator.ts";
import { inquiry, read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { TaskManagement } from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { type Harness, withHarness } from "../../support/harness.ts";
import { settle, until } from "../../support/until.ts";
import { pattern } from "../../support/content.ts";
import { beginSolicited, drain, reserveOut, sendSolicited } from "../../support/exchanges.ts";

const SIZE = 1024 * 1024;
const BEN = { initiatorName: "iqn.2000-01.a:ben", isid: Uint8Array.of(0x80, 0, 0, 0, 0, 2), unitCount: 2 };

/** Functions (RFC 7144, 6.3) and responses (RFC 7143, 11.6.1; RFC 7144, 6.4.2). */
const QUERY_TASK = 9;
const QUERY_TASK_SET = 10;
const NEXUS_RESET = 11;
const QUERY_ASYNCHRONOUS_EVENT = 12;
const Response = { complete: 0, lunDoesNotExist: 2, notSupported: 5, succeeded: 7, rejected: 255 } as const;

const LEVEL_2 = { keys: { iSCSIProtocolLevel: "2" }, unitCount: 2 };

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

/** ADDITIONAL SENSE CODE and QUALIFIER of a TEST UNIT READY; zero when it is good. */
async function attentionOf(initiator: Initiator, lun: number): Promise<number> {
  const { status, sense } = await initiator.command({ cdb: testUnitReady(), lun });
  if (status === ScsiStatus.good) return 0;
  assert(sense !== undefined);
  return sense.code;
}

Deno.test("the functions of RFC 7144 are for sessions that have negotiated iSCSIProtocolLevel 2", () =>
  withHarness({ targets: [{ stores: [new MemoryStore({ sizeBytes: SIZE })] }] }, async (harness) => {
    for (const keys of [{}, { iSCSIProtocolLevel: "1" }]) {
      const initiator = await harness.logIn({ keys });
      for (const fn of [QUERY_TASK, QUERY_TASK_SET, NEXUS_RESET, QUERY_ASYNCHRONOUS_EVENT]) {
        assertEquals(await initiator.taskManagement(fn), Response.notSupported, `${fn}`);
      }
      assertEquals(await attentionOf(initiator, 0), 0);
    }
    const initiator = await harness.logIn({ keys: { iSCSIProtocolLevel: "2" } });
    assertEquals(await initiator.taskManagement(QUERY_ASYNCHRONOUS_EVENT), Response.notSupported);
    assertEquals(await initiator.taskManagement(QUERY_TASK_SET), Response.complete);
  }));

Deno.test("QUERY TASK says whether a task has not ended, without waiting for anything", () =>
  withSlowUnit(async ({ store, harness }) => {
    const initiator = await harness.logIn(LEVEL_2);
    const write = await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    const referencedTaskTag = write.initiatorTaskTag;
    const ask = (options = {}): Promise<number> =>
      initiator.taskManagement(QUERY_TASK, { referencedTaskTag, ...options });
    assertEquals(await ask(), Response.succeeded);
    assertEquals(await ask({ lun: 1 }), Response.complete, "it is a task of another unit");
    assertEquals(await ask({ referencedTaskTag: 9999 }), Response.complete);
    assertEquals(store.pending.length, 1);
    store.releaseAll();
    assertEquals((await write.result()).status, ScsiStatus.good);
    assertEquals(await ask(), Response.complete);
  }));

Deno.test("QUERY TASK with LUN 0 finds a task of any unit by its tag", () => {
  const stores = [0, 1].map(() => new SlowStore(new MemoryStore({ sizeBytes: SIZE })));
  return withHarness({ targets: [{ stores }] }, async (harness) => {
    const initiator = await harness.logIn(LEVEL_2);
    const read = await initiator.begin({ cdb: read10(0, 1), read: 512, lun: 1 });
    await until(() => stores[1]!.pending.length === 1, "the read is under way");
    const { initiatorTaskTag: referencedTaskTag } = read;
    assertEquals(
      await initiator.taskManagement(QUERY_TASK, { referencedTaskTag, lun: 0 }),
      Response.succeeded,
    );
    stores[1]!.releaseAll();
    assertEquals((await read.result()).status, ScsiStatus.good);
  });
});

Deno.test("QUERY TASK of a task management request is rejected (RFC 7144, 6.3)", () =>
  withSlowUnit(async ({ store, harness }) => {
    const initiator = await harness.logIn(LEVEL_2);
    const write = await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    const referencedTaskTag = initiator.nextTaskTag() + 1;
    const reset = initiator.taskManagement(TaskManagement.logicalUnitReset);
    await settle();
    assertEquals(await initiator.taskManagement(QUERY_TASK, { referencedTaskTag }), Response.rejected);
    write.forget();
    store.releaseAll();
    assertEquals(await reset, Response.complete);
    assertEquals(await initiator.taskManagement(QUERY_TASK, { referencedTaskTag }), Response.complete);
  }));

Deno.test("INQUIRY tells of iSCSI in the version that the session has settled (RFC 7144, 4.2)", () =>
  withHarness({}, async (harness) => {
    const levels = [[{}, 0x0961], [{ iSCSIProtocolLevel: "0" }, 0x0960], [LEVEL_2.keys, 0x0962]] as const;
    for (const [keys, version] of levels) {
      const initiator = await harness.logIn({ keys });
      for (const lun of [0, 9]) {
        const { data } = await initiator.command({ cdb: inquiry(96), read: 96, lun });
        assertEquals(data[60]! << 8 | data[61]!, version, `LUN ${lun}`);
      }
    }
  }));

Deno.test("QUERY TASK SET says whether this nexus has a task on a unit", () =>
  withSlowUnit(async ({ store, harness }) => {
    const initiator = await harness.logIn(LEVEL_2);
    const ben = await harness.logIn({ ...BEN, keys: LEVEL_2.keys });
    const read = await initiator.begin({ cdb: read10(0, 1), read: 512 });
    await until(() => store.pending.length === 1, "the read is under way");
    assertEquals(await initiator.taskManagement(QUERY_TASK_SET), Response.succeeded);
    assertEquals(await initiator.taskManagement(QUERY_TASK_SET, { lun: 1 }), Response.complete);
    assertEquals(await initiator.taskManagement(QUERY_TASK_SET, { lun: 2 }), Response.lunDoesNotExist);
    assertEquals(await ben.taskManagement(QUERY_TASK_SET), Response.complete);
    store.releaseAll();
    assertEquals((await read.result()).status, ScsiStatus.good);
  }));

Deno.test("I_T NEXUS RESET ends the tasks of its nexus on all units and its session, and nobody else notices", () =>
  withSlowUnit(async ({ inner, store, harness }) => {
    const initiator = await harness.logIn(LEVEL_2);
    const ben = await harness.logIn(BEN);
    const reserve = Uint8Array.of(0x16, 0, 0, 0, 0, 0);
    assertEquals((await initiator.command({ cdb: reserve, lun: 1 })).status, ScsiStatus.good);
    const write = await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    write.forget();
    let isAnswered = false;
    const reset = initiator.taskManagement(NEXUS_RESET).finally(() => isAnswered = true);
    await settle();
    assertEquals([isAnswered, inner.writeCount], [false, 0], "what has begun may still reach the medium");
    store.releaseAll();
    assertEquals(await reset, Response.complete);
    const farewell = await initiator.receiveEnd();
    assertEquals(farewell.map(({ name }) => name), ["asynchronousMessage"], "its write has no status");
    assertEquals([await attentionOf(ben, 0), await attentionOf(ben, 1)], [0, 0], "and RESERVE has ended");
    const next = await harness.logIn({ ...LEVEL_2, unitCount: 2 });
    assertEquals([await attentionOf(next, 0), await attentionOf(next, 1)], [0, 0]);
  }));

Deno.test("I_T NEXUS RESET waits for data that was asked for, and ends what it has overtaken (RFC 7144)", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn({ ...LEVEL_2, unitCount: 1 });
    const write = await beginSolicited(initiator);
    initiator.takeCmdSn();
    let isAnswered = false;
    const reset = initiator.taskManagement(NEXUS_RESET).finally(() => isAnswered = true);
    await settle();
    assertEquals(isAnswered, false);
    await sendSolicited(initiator, write);
    assertEquals(await reset, Response.complete);
    assertEquals((await initiator.receiveEnd()).map(({ name }) => name), ["asynchronousMessage"]);
  }));

Deno.test("I_T NEXUS RESET ends all connections of its session, whichever it came over (RFC 7144, 6.3)", () =>
  withHarness({}, async (harness) => {
    const { connections, initiators } = await harness.logInSession(3, { keys: LEVEL_2.keys });
    assertEquals(await initiators[1]!.taskManagement(NEXUS_RESET), Response.complete);
    for (const { served } of connections) await served;
    assertEquals([...harness.node.sessions()], []);
  }));

Deno.test("PREEMPT AND ABORT is answered when no write of the preempted initiator can come any more", () =>
  withSlowUnit(async ({ inner, store, harness }) => {
    const anna = await harness.logIn({ unitCount: 2 });
    const ben = await harness.logIn(BEN);
    assertEquals(await reserveOut(anna, 0, { newKey: 1 }), ScsiStatus.good);
    assertEquals(await reserveOut(ben, 0, { newKey: 2 }), ScsiStatus.good);
    assertEquals(await reserveOut(anna, 1, { key: 1, type: 5 }), ScsiStatus.good);
    const write = await anna.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    write.forget();
    let isAnswered = false;
    const preempt = reserveOut(ben, 5, { key: 2, newKey: 1, type: 5 }).finally(() => isAnswered = true);
    await settle();
    assertEquals([isAnswered, inner.writeCount], [false, 0]);
    store.releaseAll();
    assertEquals(await preempt, ScsiStatus.good);
    assertEquals(inner.writeCount, 1);
    const told = (await drain(anna)).map(({ name }) => name);
    assertEquals(told, ["nopIn"], "the aborted write has no status, and leaves room in the window");
    const { status } = await anna.command({ cdb: write10(0, 1), write: pattern(512) });
    assertEquals(status, 0x18, "and no other one is let through");
    assertEquals(inner.writeCount, 1);
  }));
