import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { LateStore } from "../../lib/store/late_store.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { cdb, makeTarget, makeUnit, openReadyNexus, run } from "./fixture.ts";

Deno.test("LogicalUnit counts whole blocks only", () => {
  const store = new MemoryStore({ sizeBytes: 4096 * 3 + 512 * 7 + 1 });
  assertEquals(makeUnit({ store }).capacityBlocks, 31);
  assertEquals(makeUnit({ store, blockSizeBytes: 4096 }).capacityBlocks, 3);
});

Deno.test("LogicalUnit that grows by less than a block keeps its capacity, and notifies nobody", async () => {
  const store = new MemoryStore({ sizeBytes: 8192 });
  const unit = makeUnit({ store });
  const nexus = openReadyNexus(makeTarget(unit));
  store.sizeBytes += 511;
  unit.followCapacity();
  assertEquals([unit.capacityBlocks, (await run(nexus, cdb("00"))).outcome], [16, "good"]);
  store.sizeBytes += 1;
  unit.followCapacity();
  assertEquals([unit.capacityBlocks, (await run(nexus, cdb("00"))).outcome], [17, "capacityDataHasChanged"]);
});

Deno.test("LogicalUnit takes 512 and 4096 bytes for its blocks by default", () => {
  const unit = makeUnit();
  assertEquals([unit.blockSizeBytes, unit.physicalBlockSizeBytes], [512, 4096]);
  assertEquals(makeUnit({ blockSizeBytes: 8192 }).physicalBlockSizeBytes, 8192);
});

Deno.test("LogicalUnit throws for unsupported sizes", () => {
  for (const blockSizeBytes of [0, 256, 513, 131072, -512, NaN]) {
    assertThrows(() => makeUnit({ blockSizeBytes }), RangeError, "blocks of");
  }
  for (const physicalBlockSizeBytes of [512, 6000, 131072]) {
    assertThrows(() => makeUnit({ blockSizeBytes: 1024, physicalBlockSizeBytes }), RangeError, "physical");
  }
  assertThrows(() => makeUnit({ store: new MemoryStore({ sizeBytes: 511 }) }), RangeError, "a block has 512");
});

Deno.test("LogicalUnit throws for an identity or a text that does not fit", () => {
  assertThrows(() => makeUnit({ identity: { naa: "", serialNumber: "1" } }), TypeError);
  assertThrows(() => makeUnit({ vendor: "123456789" }), RangeError, "vendor");
  assertThrows(() => makeUnit({ product: "12345678901234567" }), RangeError, "product");
  assertThrows(() => makeUnit({ revision: "\n" }), RangeError, "revision");
});

Deno.test("LogicalUnit is write protected when it or its store is read-only", () => {
  assertFalse(makeUnit().writeProtected);
  assert(makeUnit({ readOnly: true }).writeProtected);
  assert(makeUnit({ store: new MemoryStore({ sizeBytes: 4096, readOnly: true }) }).writeProtected);
});

Deno.test("LogicalUnit that is absent is not ready, and notifies initiators when it becomes ready", async () => {
  const store = new LateStore({ sizeBytes: 4096, readOnly: false, canUnmap: false });
  const unit = makeUnit({ store, isAbsent: true });
  const nexus = openReadyNexus(makeTarget(unit));
  const testUnitReady = async (): Promise<string> => (await run(nexus, cdb("00"))).outcome;
  assertEquals([unit.isAbsent, await testUnitReady()], [true, "manualInterventionRequired"]);
  // START does not change this.
  unit.stop();
  unit.start();
  assertEquals(await testUnitReady(), "manualInterventionRequired");
  unit.arrive(() => store.arrive(new MemoryStore({ sizeBytes: 8192, canUnmap: true })));
  for (
    const expected of ["inquiryDataHasChanged", "capacityDataHasChanged", "notReadyToReadyChange", "good"]
  ) {
    assertEquals(await testUnitReady(), expected);
  }
  assertEquals([unit.isAbsent, unit.canUnmap, unit.capacityBlocks], [false, true, 16]);
});

Deno.test("LogicalUnit whose medium is gone is not ready, and notifies initiators when it returns", async () => {
  const unit = makeUnit({ store: new MemoryStore({ sizeBytes: 8192 }) });
  const nexus = openReadyNexus(makeTarget(unit));
  unit.depart();
  assertEquals((await run(nexus, cdb("00"))).outcome, "manualInterventionRequired");
  let isOpen = false;
  unit.arrive(() => isOpen = true);
  assertEquals([isOpen, unit.isDurable], [true, false]);
  assertEquals((await run(nexus, cdb("00"))).outcome, "notReadyToReadyChange");
  assertEquals((await run(nexus, cdb("00"))).outcome, "good");
});
