import { assert, assertEquals, assertFalse } from "@std/assert";
import { ByteBudget } from "../../lib/scsi/medium/byte_budget.ts";
import { ItlNexus } from "../../lib/scsi/itl_nexus.ts";
import { Sense } from "../../lib/scsi/outcome/sense.ts";
import { FakeTask, makeUnit } from "./fixture.ts";

const TARGET = {
  name: "a",
  portName: "a,t,0x0001",
  relativePortIdentifier: 1,
  logicalUnits: new Map(),
  protocolVersion: 0x0961,
};
const OPTIONS = {
  initiatorPort: "iqn.2007-01.tld.host:client,i,0x400001370000",
  collected: new ByteBudget(0),
  reach: () => undefined,
  onLunsReported: () => {},
};

Deno.test("ItlNexus is notified by its logical unit from its creation until close()", () => {
  const unit = makeUnit();
  const nexus = new ItlNexus(TARGET, unit, OPTIONS);
  assertEquals(nexus.attentions.take(), Sense.powerOnResetOrBusDeviceResetOccurred);
  unit.reset(Sense.busDeviceResetFunctionOccurred);
  assertEquals(nexus.attentions.take(), Sense.busDeviceResetFunctionOccurred);
  nexus.close();
  unit.reset(Sense.busDeviceResetFunctionOccurred);
  assert(nexus.attentions.isEmpty);
});

Deno.test("abortTasks() returns undefined when there was no task to abort", () => {
  const nexus = new ItlNexus(TARGET, makeUnit(), OPTIONS);
  const task = new FakeTask();
  assertFalse(nexus.abortTasks());
  nexus.enter(task);
  assert(nexus.abortTasks());
  assertFalse(nexus.abortTasks());
});

Deno.test("tasksEnded() resolves when all current tasks have ended, and does not wait for later ones", async () => {
  const nexus = new ItlNexus(TARGET, makeUnit(), OPTIONS);
  const [one, two, three] = Array.from({ length: 3 }, () => new FakeTask());
  let ended = 0;
  const wait = (): Promise<void> => nexus.tasksEnded().then(() => void ended++);
  await wait();
  assertEquals(ended, 1);
  nexus.enter(one!);
  nexus.enter(two!);
  const waiting = [wait()];
  nexus.enter(three!);
  waiting.push(wait());
  nexus.leave(one!);
  await Promise.resolve();
  assertEquals(ended, 1);
  nexus.leave(two!);
  await waiting[0];
  assertEquals(ended, 2);
  nexus.abortTasks();
  await waiting[1];
  assertEquals(ended, 3);
});
