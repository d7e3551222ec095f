import { assertEquals } from "@std/assert";
import type { Nexus } from "../../lib/scsi/nexus.ts";
import type { Operation } from "../../lib/scsi/outcome/operation.ts";
import { TaskAttribute } from "../../lib/scsi/task_attribute.ts";
import { reserveOut } from "./reservations/_reserve_out.ts";
import { cdb, FakeTask, makeTarget, makeUnit, nameOfOutcome, openReadyNexus, run } from "./fixture.ts";

const TEST_UNIT_READY = cdb("00");

function nameOf(operation: Operation): string {
  return operation.kind === "finished" ? nameOfOutcome(operation.outcome) : operation.kind;
}

/** Returns the outcomes of TEST UNIT READY, repeated until it is good. */
function attentionsOf(nexus: Nexus, lun = 0): string[] {
  const names: string[] = [];
  for (let times = 0; times < 10; times++) {
    const name = nameOf(nexus.execute(lun, TEST_UNIT_READY));
    if (name === "good") break;
    names.push(name);
  }
  return names;
}

/** Makes two units and two initiators without pending unit attentions, with a task of each initiator at each unit. */
function makeCrowd(): { nexuses: readonly [Nexus, Nexus]; tasks: FakeTask[][] } {
  const target = makeTarget(makeUnit(), makeUnit());
  const nexuses = [openReadyNexus(target, 2), openReadyNexus(target, 2)] as const;
  const tasks = nexuses.map((nexus) =>
    [0, 1].map((lun) => {
      const task = new FakeTask();
      nexus.enter(lun, task);
      return task;
    })
  );
  return { nexuses, tasks };
}

function abortCountsOf(tasks: readonly FakeTask[][]): number[][] {
  return tasks.map((ofNexus) => ofNexus.map(({ abortCount }) => abortCount));
}

Deno.test("Nexus starts with a unit attention on each unit, reported once to each initiator", () => {
  const target = makeTarget(makeUnit(), makeUnit());
  const [one, two] = [target.openNexus("one"), target.openNexus("two")];
  for (const nexus of [one, two]) {
    assertEquals(attentionsOf(nexus, 0), ["powerOnResetOrBusDeviceResetOccurred"]);
    assertEquals(attentionsOf(nexus, 0), []);
    assertEquals(attentionsOf(nexus, 1), ["powerOnResetOrBusDeviceResetOccurred"]);
  }
  assertEquals(one.initiatorPortName, "one");
});

Deno.test("Nexus answers three commands although a unit attention is pending, and keeps it", async () => {
  const nexus = makeTarget(makeUnit()).openNexus("one");
  assertEquals((await run(nexus, cdb("12 00 00 00 24"))).outcome, "good");
  assertEquals((await run(nexus, cdb("a0 00 00 00 00 00 00 00 00 10"))).outcome, "good");
  assertEquals((await run(nexus, cdb("c0"))).outcome, "powerOnResetOrBusDeviceResetOccurred");
  assertEquals((await run(nexus, cdb("c0"))).outcome, "invalidCommandOperationCode");
});

Deno.test("Nexus has room for 20 MiB of collected data, and for no byte more", () => {
  const { collected } = makeTarget(makeUnit()).openNexus("one");
  assertEquals([collected.take(20 * 1024 * 1024), collected.take(1)], [true, false]);
});

Deno.test("Nexus refuses commands for missing units", () => {
  const nexus = openReadyNexus(makeTarget(makeUnit()));
  for (const lun of [1, 255, undefined]) {
    assertEquals(nameOf(nexus.execute(lun, TEST_UNIT_READY)), "logicalUnitNotSupported");
    assertEquals(nameOf(nexus.execute(lun, cdb("28 00 00 00 00 00 00 00 01"))), "logicalUnitNotSupported");
    assertEquals(nameOf(nexus.execute(lun, cdb("c0"))), "logicalUnitNotSupported");
  }
});

Deno.test("Nexus accepts enter() and leave() of tasks for missing units", () => {
  const nexus = openReadyNexus(makeTarget(makeUnit()));
  const task = new FakeTask();
  nexus.enter(7, task);
  nexus.leave(7, task);
  nexus.enter(undefined, task);
  nexus.close();
  assertEquals(task.abortCount, 0);
});

Deno.test("ABORT TASK SET aborts the tasks of its own nexus on its own unit, and notifies no other nexus", () => {
  const { nexuses, tasks } = makeCrowd();
  assertEquals(nexuses[0].manage("abortTaskSet", 1), "functionComplete");
  assertEquals(abortCountsOf(tasks), [[0, 1], [0, 0]]);
  assertEquals(nexuses.map((nexus) => attentionsOf(nexus, 1)), [[], []]);
});

Deno.test("QUERY TASK SET reports whether its own nexus has tasks on its own unit", () => {
  const { nexuses } = makeCrowd();
  assertEquals(nexuses[0].manage("queryTaskSet", 0), "functionSucceeded");
  nexuses[0].manage("abortTaskSet", 0);
  assertEquals([0, 1].map((lun) => nexuses[0].manage("queryTaskSet", lun)), [
    "functionComplete",
    "functionSucceeded",
  ]);
});

Deno.test("CLEAR TASK SET aborts all tasks on its unit, and notifies the other nexuses that lost one", () => {
  const { nexuses, tasks } = makeCrowd();
  assertEquals(nexuses[0].manage("clearTaskSet", 0), "functionComplete");
  assertEquals(abortCountsOf(tasks), [[1, 0], [1, 0]]);
  assertEquals(attentionsOf(nexuses[0]), []);
  assertEquals(attentionsOf(nexuses[1]), ["commandsClearedByAnotherInitiator"]);
  assertEquals(nexuses[0].manage("clearTaskSet", 0), "functionComplete");
  assertEquals(attentionsOf(nexuses[1]), [], "there was no task left to lose");
});

Deno.test("LOGICAL UNIT RESET aborts all tasks on its unit, and notifies every nexus", () => {
  const { nexuses, tasks } = makeCrowd();
  assertEquals(nexuses[0].manage("logicalUnitReset", 0), "functionComplete");
  assertEquals(abortCountsOf(tasks), [[1, 0], [1, 0]]);
  for (const nexus of nexuses) {
    assertEquals(attentionsOf(nexus, 0), ["busDeviceResetFunctionOccurred"]);
    assertEquals(attentionsOf(nexus, 1), []);
  }
});

Deno.test("target resets abort all tasks on all units, and notify every nexus", () => {
  for (
    const [fn, attention] of [
      ["targetWarmReset", "scsiBusResetOccurred"],
      ["targetColdReset", "powerOnOccurred"],
    ] as const
  ) {
    const { nexuses, tasks } = makeCrowd();
    assertEquals(nexuses[1].manage(fn, undefined), "functionComplete");
    assertEquals(abortCountsOf(tasks), [[1, 1], [1, 1]]);
    for (const nexus of nexuses) {
      assertEquals([attentionsOf(nexus, 0), attentionsOf(nexus, 1)], [[attention], [attention]]);
    }
  }
});

Deno.test("TARGET COLD RESET starts a stopped unit, and TARGET WARM RESET does not", () => {
  const nexus = openReadyNexus(makeTarget(makeUnit()));
  nexus.execute(0, cdb("1b 00 00 00 04 00"));
  nexus.manage("targetWarmReset", 0);
  nexus.execute(0, TEST_UNIT_READY);
  assertEquals(nameOf(nexus.execute(0, TEST_UNIT_READY)), "initializingCommandRequired");
  nexus.manage("targetColdReset", 0);
  assertEquals(attentionsOf(nexus), ["powerOnOccurred"]);
});

Deno.test("CLEAR ACA is not supported, and functions for missing units report lunDoesNotExist", () => {
  const { nexuses: [nexus], tasks } = makeCrowd();
  assertEquals(nexus.manage("clearAca", 0), "functionNotSupported");
  for (const fn of ["abortTaskSet", "clearTaskSet", "logicalUnitReset"] as const) {
    assertEquals(nexus.manage(fn, 2), "lunDoesNotExist");
    assertEquals(nexus.manage(fn, undefined), "lunDoesNotExist");
  }
  assertEquals(abortCountsOf(tasks), [[0, 0], [0, 0]]);
});

Deno.test("a task that has left is not aborted, and none is aborted twice", () => {
  const { nexuses, tasks } = makeCrowd();
  nexuses[0].leave(0, tasks[0]![0]!);
  nexuses[1].manage("logicalUnitReset", 0);
  nexuses[1].manage("logicalUnitReset", 0);
  assertEquals(abortCountsOf(tasks), [[0, 0], [1, 0]]);
});

Deno.test("a task may leave, and its nexus may close, while it is being aborted", () => {
  const target = makeTarget(makeUnit());
  const [one, two] = [openReadyNexus(target), openReadyNexus(target)];
  const last = new FakeTask();
  const first = new FakeTask(TaskAttribute.simple, () => {
    one.leave(0, first);
    one.close();
    return undefined;
  });
  one.enter(0, first);
  one.enter(0, last);
  assertEquals(two.manage("targetColdReset", 0), "functionComplete");
  assertEquals(last.abortCount, 1);
  assertEquals(attentionsOf(two), ["powerOnOccurred"]);
});

Deno.test("close() aborts the tasks of the nexus and detaches it from its units", () => {
  const { nexuses, tasks } = makeCrowd();
  nexuses[0].close();
  assertEquals(abortCountsOf(tasks), [[1, 1], [0, 0]]);
  nexuses[1].manage("logicalUnitReset", 0);
  assertEquals(abortCountsOf(tasks), [[1, 1], [1, 0]]);
});

Deno.test("a unit behind two targets is one unit: its resets are reported at both", () => {
  const unit = makeUnit();
  const [one, two] = [openReadyNexus(makeTarget(unit)), openReadyNexus(makeTarget(unit))];
  one.manage("logicalUnitReset", 0);
  assertEquals(attentionsOf(two), ["busDeviceResetFunctionOccurred"]);
});

Deno.test("reservations() reports the reservations of the initiator, for each unit that has one", () => {
  const target = makeTarget(makeUnit(), makeUnit());
  const [anna, ben] = ["a", "b"].map((name) =>
    target.openNexus(`iqn.2007-01.tld.host:${name},i,0x400001370000`)
  );
  for (const nexus of [anna!, ben!]) attentionsOf(nexus);
  assertEquals(anna!.reservations(), []);
  for (const [nexus, newKey] of [[anna!, 1n], [ben!, 2n]] as const) reserveOut(nexus, "REGISTER", { newKey });
  reserveOut(anna!, "RESERVE", { key: 1n, type: 5 });
  const holds = "writeExclusiveRegistrantsOnly";
  assertEquals(anna!.reservations(), [{ lun: 0, isRegistered: true, holds }]);
  assertEquals(ben!.reservations(), [{ lun: 0, isRegistered: true, holds: null }]);
  attentionsOf(ben!, 1);
  assertEquals(nameOf(ben!.execute(1, cdb("16"))), "good");
  assertEquals(ben!.reservations().at(-1), { lun: 1, isRegistered: false, holds: "reserve" });
});
