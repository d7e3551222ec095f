import { assert, assertEquals, assertFalse } from "@std/assert";
import { ItlNexus } from "../../lib/scsi/itl_nexus.ts";
import { Sense } from "../../lib/scsi/sense.ts";
import type { Task } from "../../lib/scsi/task.ts";
import { makeUnit } from "./fixture.ts";

const TARGET = { name: "a", portName: "a,t,0x0001", relativePortIdentifier: 1, logicalUnits: new Map() };
const PORT = "iqn.2007-01.tld.host:client,i,0x400001370000";

Deno.test("ItlNexus hears of its logical unit from when it is made until it is closed", () => {
  const unit = makeUnit();
  const nexus = new ItlNexus(TARGET, unit, PORT, () => undefined);
  assertEquals(nexus.attentions.take(), Sense.powerOnResetOrBusDeviceResetOccurred);
  unit.reset(Sense.busDeviceResetFunctionOccurred);
  assertEquals(nexus.attentions.take(), Sense.busDeviceResetFunctionOccurred);
  nexus.close();
  unit.reset(Sense.busDeviceResetFunctionOccurred);
  assert(nexus.attentions.isEmpty);
});

Deno.test("ItlNexus says whether there was a task to abort", () => {
  const nexus = new ItlNexus(TARGET, makeUnit(), PORT, () => undefined);
  const task: Task = { abort: () => undefined };
  assertFalse(nexus.abortTasks());
  nexus.enter(task);
  assert(nexus.abortTasks());
  assertFalse(nexus.abortTasks());
});
