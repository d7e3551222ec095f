/** The order of commands by their task attributes (SAM-5, 8), up to the medium. */
import { assert, assertEquals } from "@std/assert";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import type { Operation } from "../../../lib/scsi/outcome/operation.ts";
import { TaskAttribute } from "../../../lib/scsi/task_attribute.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import {
  assertHex,
  blocksCdb,
  cdb,
  complete,
  FakeTask,
  makeTarget,
  makeUnit,
  openReadyNexus,
  pattern,
  type Result,
  run,
  type Transfer,
} from "../fixture.ts";

const { simple, ordered, headOfQueue, aca } = TaskAttribute;

/** A command in progress, as a transport handles it. */
interface Submitted {
  readonly task: FakeTask;
  readonly operation: Operation;
  /** The outcome; undefined until the command has ended. */
  result: Result | undefined;
  readonly ended: Promise<Result>;
}

/** Submits a command to LUN 0, and completes it. */
function submit(
  nexus: Nexus,
  block: Uint8Array,
  attribute: TaskAttribute = simple,
  transfer: Transfer = {},
): Submitted {
  const task = new FakeTask(attribute);
  const operation = nexus.submit(0, block, task);
  const submitted: Submitted = {
    task,
    operation,
    result: undefined,
    ended: complete(operation, transfer).then((result) => {
      submitted.result = result;
      nexus.leave(0, task);
      return result;
    }),
  };
  if (operation.kind !== "finished") nexus.enter(0, task);
  return submitted;
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

function slowTarget(): { slow: SlowStore; nexus: Nexus; other: Nexus } {
  const slow = new SlowStore(new MemoryStore({ sizeBytes: 1024 * 1024 }));
  const target = makeTarget(makeUnit({ store: slow }));
  return { slow, nexus: openReadyNexus(target), other: openReadyNexus(target) };
}

const READ = blocksCdb("READ(10)", {});
const WRITE = blocksCdb("WRITE(10)", {});

Deno.test("a READ with ORDERED reads what an older SIMPLE WRITE to the same block has written", async () => {
  for (const writer of ["nexus", "other"] as const) {
    const bench = slowTarget();
    const write = submit(bench[writer], WRITE, simple, { dataOut: pattern(512) });
    const read = submit(bench.nexus, READ, ordered);
    await settle();
    assertEquals(bench.slow.pending.map(({ operation }) => operation), ["write"]);
    bench.slow.release();
    assertEquals((await write.ended).outcome, "good");
    await settle();
    bench.slow.release();
    assertEquals((await read.ended).data, pattern(512));
  }
});

Deno.test("a WRITE that waits for its data is waited for by ORDERED, and not by HEAD OF QUEUE", async () => {
  const nexus = openReadyNexus(makeTarget(makeUnit()));
  const task = new FakeTask();
  const write = nexus.submit(0, WRITE, task);
  nexus.enter(0, task);
  const [inOrder, behind, ahead] = [
    submit(nexus, READ, ordered),
    submit(nexus, READ),
    submit(nexus, READ, headOfQueue),
  ];
  await settle();
  assertEquals([inOrder.result, behind.result, ahead.result?.outcome], [undefined, undefined, "good"]);
  assert(write.kind === "dataOut");
  write.writeNow(0, pattern(512));
  assertEquals((await complete(write.finish(512))).outcome, "good");
  await settle();
  assertEquals(inOrder.result, undefined, "its status has not been sent");
  nexus.leave(0, task);
  assertEquals([(await inOrder.ended).data, (await behind.ended).data], [pattern(512), pattern(512)]);
});

Deno.test("a command that has waited is executed from its original CDB, in the state of that time", async () => {
  const { slow, nexus, other } = slowTarget();
  const write = submit(other, WRITE, simple, { dataOut: pattern(512) });
  const block = READ.slice();
  const read = submit(nexus, block, ordered);
  block.fill(0xff);
  const reserve = await run(other, cdb("16"));
  assertEquals(reserve.outcome, "good");
  slow.release();
  await write.ended;
  assertEquals((await read.ended).outcome, "18");
});

Deno.test("ACA is refused, because there is never an ACA condition", async () => {
  const nexus = openReadyNexus(makeTarget(makeUnit()));
  const { outcome, sense } = await submit(nexus, READ, aca).ended;
  assertEquals(outcome, "invalidMessageError");
  assertHex(sense!.subarray(0, 14), "70 00 05 00 00 00 00 0a 00 00 00 00 49 00");
  assertEquals((await complete(nexus.submit(9, READ, new FakeTask(aca)))).outcome, "logicalUnitNotSupported");
  assertEquals((await submit(nexus, READ).ended).outcome, "good");
});

Deno.test("commands that identify a unit are answered at once, whatever commands are running", async () => {
  const { slow, nexus } = slowTarget();
  submit(nexus, WRITE, ordered, { dataOut: pattern(512) });
  const names = [
    "12 00 00 00 24",
    "a0 00 00 00 00 00 00 00 00 20",
    "03 00 00 00 12",
    "25",
    "9e 10 00 00 00 00 00 00 00 00 00 00 00 20",
  ];
  for (const hex of names) {
    for (const attribute of [simple, ordered]) {
      assertEquals((await submit(nexus, cdb(hex), attribute).ended).outcome, "good");
    }
  }
  const poll = submit(nexus, cdb("00"));
  await settle();
  assertEquals(poll.result, undefined, "others wait");
  slow.releaseAll();
  assertEquals((await poll.ended).outcome, "good");
});

Deno.test("SANITIZE begins at once, and commands that wait or arrive meanwhile are answered", async () => {
  const { slow, nexus, other } = slowTarget();
  submit(nexus, READ);
  const waiting = submit(other, READ, ordered);
  const sanitize = submit(nexus, cdb("48 02"), ordered);
  const later = submit(other, cdb("00"), ordered);
  await settle();
  assertEquals([waiting.result?.outcome, later.result?.outcome], [
    "sanitizeInProgress",
    "sanitizeInProgress",
  ]);
  assertEquals(sanitize.result, undefined);
  while (slow.pending.length > 0) {
    slow.releaseAll();
    await settle();
  }
  assertEquals((await sanitize.ended).outcome, "good");
});

Deno.test("a command that is aborted while it waits is never executed", async () => {
  for (const when of ["before its turn", "at its turn"] as const) {
    const { slow, nexus, other } = slowTarget();
    const write = submit(nexus, WRITE, simple, { dataOut: pattern(512) });
    const reserve = submit(nexus, cdb("16"), ordered);
    const behind = submit(other, cdb("00"));
    const abort = (): void => {
      if (reserve.operation.kind === "later") reserve.operation.cancel!();
      nexus.leave(0, reserve.task);
    };
    if (when === "before its turn") abort();
    slow.release();
    await write.ended;
    if (when === "at its turn") abort();
    assertEquals((await reserve.ended).outcome, "commandsClearedByDeviceServer");
    assertEquals((await behind.ended).outcome, "good", "nothing is reserved");
  }
});

Deno.test("a reset of a unit executes no command that waits", async () => {
  for (const fn of ["logicalUnitReset", "clearTaskSet", "targetWarmReset"] as const) {
    const target = makeTarget(makeUnit());
    const [nexus, other] = [openReadyNexus(target), openReadyNexus(target)];
    const tasks = [nexus, other].map((each) => {
      const [first, waiting] = [new FakeTask(ordered), new FakeTask()];
      each.submit(0, WRITE, first);
      each.enter(0, first);
      const operation = each.submit(0, cdb("16"), waiting);
      return { first, waiting, operation };
    });
    assertEquals(tasks.map(({ waiting }) => waiting.isDormant), [true, true]);
    nexus.manage(fn, 0);
    assertEquals(tasks.map(({ first, waiting }) => [first.abortCount, waiting.abortCount]), [[1, 1], [1, 1]]);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    await run(nexus, cdb("03 00 00 00 12"));
    await run(other, cdb("03 00 00 00 12"));
    for (const each of [nexus, other]) assertEquals((await run(each, cdb("00"))).outcome, "good");
    assertEquals((await submit(nexus, READ, ordered).ended).outcome, "good", "the task set is empty");
  }
});

Deno.test("a command that waits at a unit that is removed is refused", async () => {
  const slow = new SlowStore(new MemoryStore({ sizeBytes: 1024 * 1024 }));
  const target = makeTarget(makeUnit({ store: slow }), makeUnit());
  const nexus = openReadyNexus(target, 2);
  const write = submit(nexus, WRITE, simple, { dataOut: pattern(512) });
  const read = submit(nexus, READ, ordered);
  const gone = target.remove(0);
  slow.release();
  await write.ended;
  assertEquals((await read.ended).outcome, "logicalUnitNotSupported");
  await gone;
});

Deno.test("TST 001b makes commands wait only for those of their own initiator, as soon as it is set", async () => {
  const { slow, nexus, other } = slowTarget();
  const write = submit(other, WRITE, simple, { dataOut: pattern(512) });
  const waiting = submit(nexus, cdb("00"), ordered);
  await settle();
  assertEquals(waiting.result, undefined);
  const list = Uint8Array.of(0, 0, 0, 0, 0x0a, 0x0a, 0x20, 0x10, 0, 0, 0, 0, 0xff, 0xff, 0, 0);
  const select = submit(other, cdb("15 10 00 00 10"), headOfQueue, { dataOut: list });
  assertEquals((await select.ended).outcome, "good");
  assertEquals((await waiting.ended).outcome, "modeParametersChanged");
  assertEquals((await submit(nexus, cdb("00"), ordered).ended).outcome, "good");
  slow.release();
  await write.ended;
});
