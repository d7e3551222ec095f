/** A target whose logical units are added, removed and changed while initiators use it. */
import { assert, assertEquals } from "@std/assert";
import { readUint32, readUint64 } from "../../lib/bytes/big_endian.ts";
import type { Nexus } from "../../lib/scsi/nexus.ts";
import type { Operation } from "../../lib/scsi/outcome/operation.ts";
import { GOOD } from "../../lib/scsi/outcome/outcome.ts";
import { Sense } from "../../lib/scsi/outcome/sense.ts";
import { MemoryStore } from "../support/memory_store.ts";
import {
  assertFieldRefused,
  blocksCdb,
  cdb,
  complete,
  FakeTask,
  IDENTITY,
  makeTarget,
  makeUnit,
  openReadyNexus,
  run,
} from "./fixture.ts";

const TEST_UNIT_READY = cdb("00");
const READ_CAPACITY_16 = cdb("9e 10 00 00 00 00 00 00 00 00 00 00 00 20");
const REPORT_LUNS = cdb("a0 00 00 00 00 00 00 00 01 00");

/** Returns the outcomes of TEST UNIT READY, repeated until it is good or permanently refused. */
async function attentionsOf(nexus: Nexus, lun = 0): Promise<string[]> {
  const outcomes: string[] = [];
  for (let times = 0; times < 10; times++) {
    const { outcome } = await complete(nexus.execute(lun, TEST_UNIT_READY));
    if (outcome === "good") break;
    outcomes.push(outcome);
    if (outcome === "logicalUnitNotSupported") break;
  }
  return outcomes;
}

function lunsIn(data: Uint8Array): number[] {
  return Array.from({ length: readUint32(data, 0) / 8 }, (_, index) => data[8 + index * 8 + 1]!);
}

Deno.test("a unit that is added is reported on every unit, once, and begins with a unit attention", async () => {
  const target = makeTarget(makeUnit());
  const nexuses = [openReadyNexus(target), openReadyNexus(target)];
  target.add(1, makeUnit());
  for (const nexus of nexuses) {
    assertEquals(await attentionsOf(nexus), ["reportedLunsDataHasChanged"]);
    assertEquals(await attentionsOf(nexus, 1), [
      "powerOnResetOrBusDeviceResetOccurred",
      "reportedLunsDataHasChanged",
    ]);
    assertEquals(lunsIn((await run(nexus, REPORT_LUNS)).data), [0, 1]);
  }
});

Deno.test("REPORT LUNS clears the report of a changed list on every unit", async () => {
  const target = makeTarget(makeUnit(), makeUnit());
  const [one, two] = [openReadyNexus(target, 2), openReadyNexus(target, 2)];
  target.add(2, makeUnit());
  assertFieldRefused(await run(one, cdb("a0 00 05 00 00 00 00 00 01 00")), 2);
  assertEquals(lunsIn((await run(one, REPORT_LUNS)).data), [0, 1, 2]);
  assertEquals([await attentionsOf(one, 0), await attentionsOf(one, 1)], [[], []]);
  assertEquals(await attentionsOf(two, 1), ["reportedLunsDataHasChanged"]);
});

Deno.test("a unit that is removed finishes its tasks, refuses new ones, and affects no other unit", async () => {
  const target = makeTarget(makeUnit(), makeUnit());
  const [one, two] = [openReadyNexus(target, 2), openReadyNexus(target, 2)];
  const task = new FakeTask();
  one.enter(1, task);
  const write = one.execute(1, blocksCdb("WRITE(10)", { blocks: 1 })) as Operation & { kind: "dataOut" };
  let isGone = false;
  const gone = target.remove(1).then(() => isGone = true);
  for (const nexus of [one, two]) {
    assertEquals(await attentionsOf(nexus, 1), ["logicalUnitNotSupported"]);
    assertEquals(await attentionsOf(nexus), ["reportedLunsDataHasChanged"]);
    assertEquals(lunsIn((await run(nexus, REPORT_LUNS)).data), [0]);
  }
  assertEquals(write.writeNow(0, new Uint8Array(512)), GOOD);
  assertEquals((await complete(write.finish(512))).outcome, "good");
  assertEquals([isGone, task.abortCount], [false, 0]);
  one.leave(1, task);
  await gone;
  assertEquals(task.abortCount, 0);
  assertEquals([one.manage("logicalUnitReset", 1), one.manage("logicalUnitReset", 0)], [
    "lunDoesNotExist",
    "functionComplete",
  ]);
});

Deno.test("the end of a session aborts its tasks at a removed unit", async () => {
  const target = makeTarget(makeUnit(), makeUnit());
  const nexus = openReadyNexus(target, 2);
  nexus.enter(1, new FakeTask());
  const gone = target.remove(1);
  nexus.close();
  await gone;
  assertEquals(target.nexuses.size, 0);
});

Deno.test("a unit that takes the number of another is visible only to later logins", async () => {
  const target = makeTarget(makeUnit());
  const before = openReadyNexus(target);
  const strangers = new Set(target.nexuses);
  await target.remove(0);
  const between = openReadyNexus(target);
  target.add(0, makeUnit({ blockSizeBytes: 4096 }), strangers);
  assertEquals(await attentionsOf(before), ["logicalUnitNotSupported"]);
  for (const nexus of [between, openReadyNexus(target)]) {
    await attentionsOf(nexus);
    assertEquals(readUint32((await run(nexus, READ_CAPACITY_16)).data, 8), 4096);
  }
});

Deno.test("a unit that grows notifies every initiator, and accepts access beyond its old end", async () => {
  const store = new MemoryStore({ sizeBytes: 1024 * 1024 });
  const unit = makeUnit({ store });
  const target = makeTarget(unit, makeUnit());
  const nexuses = [openReadyNexus(target, 2), openReadyNexus(target, 2)];
  const behind = blocksCdb("WRITE(10)", { lba: 2048, blocks: 2048 });
  assertEquals((await run(nexuses[0]!, behind)).outcome, "logicalBlockAddressOutOfRange");
  store.sizeBytes *= 2;
  unit.followCapacity();
  unit.followCapacity();
  for (const nexus of nexuses) {
    assertEquals(await attentionsOf(nexus), ["capacityDataHasChanged"]);
    assertEquals(await attentionsOf(nexus, 1), []);
    assertEquals(readUint64((await run(nexus, READ_CAPACITY_16)).data, 0), 4095);
    assertEquals(readUint32((await run(nexus, cdb("1a 00 3f 00 ff"))).data, 4) & 0xff_ffff, 4096);
    const dataOut = new Uint8Array(1024 * 1024).fill(1);
    assertEquals((await run(nexus, behind, { dataOut })).outcome, "good");
  }
});

Deno.test("a unit notifies initiators when its write protection is set, and again when it is removed", async () => {
  const unit = makeUnit();
  const nexus = openReadyNexus(makeTarget(unit));
  const write = (): Promise<{ outcome: string }> =>
    run(nexus, blocksCdb("WRITE(10)", {}), { dataOut: new Uint8Array(512) });
  const isProtected = async (): Promise<boolean> =>
    ((await run(nexus, cdb("1a 00 3f 00 ff"))).data[2]! & 0x80) !== 0;
  for (const wanted of [true, false]) {
    unit.protect(wanted);
    unit.protect(wanted);
    assertEquals(await attentionsOf(nexus), ["modeParametersChanged"]);
    assertEquals(await isProtected(), wanted);
    assertEquals((await write()).outcome, wanted ? "writeProtected" : "good");
  }
});

Deno.test("a unit that is renamed notifies initiators", async () => {
  const unit = makeUnit({ product: "ONE" });
  const nexus = openReadyNexus(makeTarget(unit));
  unit.rename({ product: "ONE" });
  assert((await attentionsOf(nexus)).length === 0);
  unit.rename({ product: "TWO", revision: "2" });
  assertEquals(await attentionsOf(nexus), ["inquiryDataHasChanged"]);
  const { data } = await run(nexus, cdb("12 00 00 00 ff"));
  assertEquals(new TextDecoder().decode(data.subarray(8, 36)), "NETMGR  TWO             2   ");
});

Deno.test("tasksEnded() of a unit resolves when the tasks of all its initiators have ended", async () => {
  const unit = makeUnit();
  const target = makeTarget(unit);
  const nexuses = [openReadyNexus(target), openReadyNexus(target)];
  const task = new FakeTask();
  for (const nexus of nexuses) nexus.enter(0, task);
  let isOver = false;
  const over = unit.tasksEnded().then(() => isOver = true);
  nexuses[0]!.leave(0, task);
  await Promise.resolve();
  assertEquals(isOver, false);
  nexuses[1]!.leave(0, task);
  await over;
  assertEquals(unit.identity, IDENTITY);
  unit.reset(Sense.busDeviceResetFunctionOccurred);
});
