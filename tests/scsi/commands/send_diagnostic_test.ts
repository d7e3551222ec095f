import { assert, assertEquals } from "@std/assert";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { RecordingStore } from "../../support/recording_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import {
  assertFieldRefused,
  assertHex,
  blocksCdb,
  cdb,
  makeTarget,
  makeUnit,
  openReadyNexus,
  openUnit,
  run,
} from "../fixture.ts";

const SELF_TEST = cdb("1d 04");
const SIZE_BYTES = 1024 * 1024;

Deno.test("SEND DIAGNOSTIC reads the medium from its first to its last block, and flushes", async () => {
  for (const sizeBytes of [SIZE_BYTES, 512, 4608]) {
    const store = new RecordingStore(new MemoryStore({ sizeBytes }));
    assertEquals((await run(openUnit({ store }), SELF_TEST)).outcome, "good");
    const lengthBytes = Math.min(4096, sizeBytes);
    assertEquals([store.diary[0], store.diary.at(-2), store.diary.at(-1)], [
      `read 0+${lengthBytes}`,
      `read ${sizeBytes - lengthBytes}+${lengthBytes}`,
      "flush 0+0",
    ]);
    assertEquals(store.diary.length, 17);
  }
});

Deno.test("SEND DIAGNOSTIC counts what it reads as verified", async () => {
  const unit = makeUnit();
  await run(openReadyNexus(makeTarget(unit)), SELF_TEST);
  assertEquals([unit.counters.verify.bytes, unit.counters.read.bytes], [16 * 4096, 0]);
});

Deno.test("SEND DIAGNOSTIC reports a medium that cannot be read at one of its ends, or not be flushed", async () => {
  const faults = [
    { operation: "read", kind: "readFailed", endBytes: 1 },
    { operation: "read", kind: "readFailed", startBytes: SIZE_BYTES - 1 },
    { operation: "flush", kind: "flushFailed" },
  ] as const;
  for (const fault of faults) {
    const store = new FaultyStore(new MemoryStore({ sizeBytes: SIZE_BYTES }));
    const nexus = openUnit({ store });
    store.inject(fault);
    const { outcome, sense } = await run(nexus, SELF_TEST);
    assertEquals(outcome, "logicalUnitFailedSelfTest");
    assertHex(sense!, "70 00 04 00 00 00 00 0a 00 00 00 00 3e 03 00 00 00 00");
    store.heal();
    assertEquals((await run(nexus, SELF_TEST)).outcome, "good");
  }
});

Deno.test("SEND DIAGNOSTIC fails on a unit that cannot be opened, and after a failed FORMAT UNIT", async () => {
  assertEquals((await run(openUnit({ isAbsent: true }), SELF_TEST)).outcome, "logicalUnitFailedSelfTest");
  for (
    const [failing, expected] of [["04", "logicalUnitFailedSelfTest"], ["48 02", "sanitizeCommandFailed"]]
  ) {
    const store = new FaultyStore(new MemoryStore({ sizeBytes: SIZE_BYTES, canUnmap: true }));
    store.writeNow(0, new Uint8Array(4096).fill(1));
    const nexus = openUnit({ store });
    store.inject({ operation: "unmap", kind: "writeFailed" });
    await run(nexus, cdb(failing!));
    assertEquals((await run(nexus, SELF_TEST)).outcome, expected);
  }
});

Deno.test("SEND DIAGNOSTIC reports a unit that an initiator has stopped or ejected as not ready", async () => {
  const stopped = openUnit();
  await run(stopped, cdb("1b"));
  assertEquals((await run(stopped, SELF_TEST)).outcome, "initializingCommandRequired");
  const ejected = openUnit({ removable: true });
  await run(ejected, cdb("1b 00 00 00 02"));
  assertEquals((await run(ejected, SELF_TEST)).outcome, "mediumNotPresent");
});

Deno.test("SEND DIAGNOSTIC tests a unit that is write protected", async () => {
  assertEquals((await run(openUnit({ readOnly: true }), SELF_TEST)).outcome, "good");
});

Deno.test("SEND DIAGNOSTIC refuses every self-test code, and parameter lists, by field", async () => {
  const store = new RecordingStore(new MemoryStore({ sizeBytes: SIZE_BYTES }));
  const nexus = openUnit({ store });
  for (let code = 1; code < 8; code++) {
    for (const selfTest of [0, 4]) {
      assertFieldRefused(
        await run(nexus, Uint8Array.of(0x1d, code << 5 | selfTest, ...new Uint8Array(14))),
        1,
        7,
      );
    }
  }
  for (const block of ["1d 10 00 00 04", "1d 04 00 01 00"]) {
    assertFieldRefused(await run(nexus, cdb(block)), 3);
  }
  assertEquals(store.diary, []);
});

Deno.test("SEND DIAGNOSTIC without a test does nothing, whatever it permits", async () => {
  const store = new RecordingStore(new MemoryStore({ sizeBytes: SIZE_BYTES }));
  for (const block of ["1d", "1d 10", "1d 03"]) {
    assertEquals((await run(openUnit({ store }), cdb(block))).outcome, "good");
  }
  assertEquals(store.diary, []);
});

Deno.test("SEND DIAGNOSTIC delays no other command", async () => {
  const slow = new SlowStore(new MemoryStore({ sizeBytes: SIZE_BYTES }));
  const nexus = openUnit({ store: slow });
  const test = nexus.execute(0, SELF_TEST);
  assert(test.kind === "later" && test.changesNothing === true);
  const read = run(nexus, blocksCdb("READ(10)", {}));
  await Promise.resolve();
  assertEquals(slow.pending.length, 2, "the first read of the test, and the other command");
  slow.release(1);
  assertEquals((await read).outcome, "good");
});
