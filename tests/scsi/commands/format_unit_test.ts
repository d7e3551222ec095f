import { assert, assertEquals } from "@std/assert";
import { readUint16 } from "../../../lib/bytes/big_endian.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { RecordingStore } from "../../support/recording_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import {
  assertFieldRefused,
  assertParameterRefused,
  blocksCdb,
  bytes,
  cdb,
  complete,
  makeTarget,
  makeUnit,
  nameOfSense,
  openReadyNexus,
  openUnit,
  type Result,
  run,
} from "../fixture.ts";
import { contentOf, drain, KeptRecord, makeFullStore, notingJournal, settle } from "./_erasing.ts";

const FORMAT = cdb("04");
const TEST_UNIT_READY = cdb("00");
const REQUEST_SENSE = cdb("03 00 00 00 12");
const BLOCK_ERASE = cdb("48 02");
const READ = blocksCdb("READ(10)", {});
const IMMEDIATE = "00 02 00 00";

/** Sends FORMAT UNIT with a parameter list. */
function format(nexus: Nexus, list: string, byte1 = 0x10): Promise<Result> {
  const block = FORMAT.slice();
  block[1] = byte1;
  return run(nexus, block, { dataOut: bytes(list) });
}

Deno.test("FORMAT UNIT zeroes everything durably, and gives its space back where that is possible", async () => {
  for (const canUnmap of [true, false]) {
    const store = makeFullStore({ canUnmap });
    assertEquals((await run(openUnit({ store }), FORMAT)).outcome, "good");
    assertEquals(contentOf(store), new Uint8Array(store.sizeBytes));
    assertEquals([canUnmap && store.pageCount > 0, store.flushCount], [false, 1]);
  }
});

Deno.test("FORMAT UNIT takes the requests of sg_format, FreeBSD and Solaris", async () => {
  const requests: readonly (readonly [string, string])[] = [
    // sg_format --format, --wait, --dcrt, --dcrt --dcrt, --ip-def, --ffmt=1
    ["04 18", "00 02 00 00"],
    ["04 18", "00 00 00 00"],
    ["04 18", "00 a2 00 00"],
    ["04 18", "00 82 00 00"],
    ["04 18", "00 8a 00 00 00 00 00 00"],
    ["04 10 00 00 01", "00 02 00 00"],
    ["04 00 00 00 01", ""],
    // camcontrol format
    ["04 10", "00 02 00 00"],
    // format of SunOS, with an empty list of "bytes from index" and an interleave of 1, and of Solaris
    ["04 1c 00 00 01", "00 00 00 00"],
    ["04 38", "00 82 00 00 00 00 00 00"],
  ];
  for (const [block, list] of requests) {
    const store = makeFullStore();
    const { outcome } = await run(openUnit({ store }), cdb(block), { dataOut: bytes(list) });
    assertEquals(outcome, "good", `${block}, ${list}`);
    await settle();
    assertEquals(store.pageCount, 0, `${block}, ${list}`);
  }
});

Deno.test("FORMAT UNIT fills each block with the initialization pattern", async () => {
  const store = makeFullStore();
  assertEquals((await format(openUnit({ store }), "00 88 00 00 00 01 00 03 01 02 03")).outcome, "good");
  const content = contentOf(store);
  for (const at of [0, 511, 512, 1024 * 1024 - 1]) assertEquals(content[at], at % 512 % 3 + 1);
  // A pattern of zeros takes no space.
  assertEquals((await format(openUnit({ store }), "00 88 00 00 00 01 00 01 00")).outcome, "good");
  assertEquals(store.pageCount, 0);
});

Deno.test("FORMAT UNIT refuses what it does not support by its field, and changes nothing then", async () => {
  const store = makeFullStore();
  const nexus = openUnit({ store });
  assertFieldRefused(await run(nexus, cdb("04 80")), 1, 7);
  assertFieldRefused(await run(nexus, cdb("04 40")), 1, 7);
  assertFieldRefused(await run(nexus, cdb("04 05")), 1, 2);
  for (const format of ["16", "17"]) assertFieldRefused(await run(nexus, cdb(`04 ${format}`)), 1, 2);
  assertFieldRefused(await run(nexus, cdb("04 00 01")), 2, 0);
  assertFieldRefused(await run(nexus, cdb("04 00 00 01")), 3, 0);
  assertFieldRefused(await run(nexus, cdb("04 00 00 00 02")), 4, 1);
  // Format options without FOV, a list of defects, and protection information.
  for (const [options, bit] of [["08", 3], ["10", 4], ["20", 5], ["40", 6]] as const) {
    assertParameterRefused(await format(nexus, `00 ${options} 00 00`), 1, bit);
  }
  assertParameterRefused(await format(nexus, "00 00 00 08 00 00 00 00 00 00 00 00"), 2);
  assertParameterRefused(await format(nexus, "00 00 00 00 00 00 00 08", 0x30), 4);
  assertParameterRefused(await format(nexus, "01 00 00 00"), 0, 0);
  assertParameterRefused(await format(nexus, "00 00 00 03 00 00 00 00", 0x30), 3, 1);
  // Initialization pattern descriptors: SI, a vendor's type, lengths that do not fit their types.
  assertParameterRefused(await format(nexus, "00 88 00 00 20 00 00 00"), 4, 5);
  assertParameterRefused(await format(nexus, "00 88 00 00 00 80 00 00"), 5);
  assertParameterRefused(await format(nexus, "00 88 00 00 00 00 00 01 00"), 6);
  assertParameterRefused(await format(nexus, "00 88 00 00 00 01 00 00"), 6);
  assertParameterRefused(await format(nexus, "00 88 00 00 00 01 02 01 aa"), 6);
  // Bytes behind the list.
  assertParameterRefused(await format(nexus, "00 00 00 00 00 07"), 5);
  for (const list of ["", "00 00 00", "00 88 00 00 00 00 00", "00 88 00 00 00 01 00 02 aa"]) {
    assertEquals((await format(nexus, list)).outcome, "parameterListLengthError", list);
  }
  assertEquals((await format(nexus, "00 00 00 00 00 00 00", 0x30)).outcome, "parameterListLengthError");
  assertEquals([store.writeCount, store.pageCount], [1, 256]);
});

Deno.test("FORMAT UNIT accepts zeros behind its list, and the list without an interest in CMPLST", async () => {
  for (const byte1 of [0x10, 0x18, 0x30, 0x38]) {
    assertEquals((await format(openUnit(), "00 00 00 00 00 00 00 00 00 00", byte1)).outcome, "good");
  }
  // Without FMTDATA, LONGLIST and CMPLST are ignored (SBC-3, 5.3).
  for (const block of ["04 20", "04 08", "04 28"]) {
    assertEquals((await run(openUnit(), cdb(block))).outcome, "good");
  }
});

Deno.test("FORMAT UNIT is refused where blocks may not be written", async () => {
  const store = makeFullStore();
  assertEquals((await run(openUnit({ store, readOnly: true }), FORMAT)).outcome, "writeProtected");
  const software = openUnit({ store });
  const list = bytes("00 00 00 00 0a 0a 00 10 08 00 00 00 ff ff 00 00");
  assertEquals((await run(software, cdb("15 10 00 00 10"), { dataOut: list })).outcome, "good");
  assertEquals((await run(software, FORMAT)).outcome, "logicalUnitSoftwareWriteProtected");
  const stopped = openUnit({ store });
  await run(stopped, cdb("1b"));
  assertEquals((await run(stopped, FORMAT)).outcome, "initializingCommandRequired");
  assertEquals(store.pageCount, 256);
});

Deno.test("FORMAT UNIT reports its progress, and allows only commands that need no logical unit", async () => {
  const slow = new SlowStore(makeFullStore());
  const target = makeTarget(makeUnit({ store: slow }));
  const nexus = openReadyNexus(target);
  const other = openReadyNexus(target);
  assertEquals((await format(nexus, "00 8a 00 00 00 01 00 01 aa")).outcome, "good");
  await settle();
  for (const progress of [0, 0x4000]) {
    const { data } = await run(other, REQUEST_SENSE);
    assertEquals([nameOfSense(data), data[15], readUint16(data, 16)], ["formatInProgress", 0x80, progress]);
    for (const block of [TEST_UNIT_READY, cdb("1b 00 00 00 01"), READ, FORMAT, BLOCK_ERASE, cdb("1d 04")]) {
      const { outcome, sense } = await run(other, block);
      assertEquals([outcome, readUint16(sense!, 16)], ["formatInProgress", progress]);
    }
    assertEquals((await format(other, IMMEDIATE)).outcome, "formatInProgress");
    assertEquals((await run(other, cdb("12 00 00 00 24"))).outcome, "good");
    assertEquals((await run(other, cdb("a0 00 00 00 00 00 00 00 01 00"))).outcome, "good");
    slow.release();
    await settle();
  }
  await drain(slow);
  // Neither the capacity nor another parameter has changed, so there is no unit attention.
  for (const each of [nexus, other]) assertEquals((await run(each, TEST_UNIT_READY)).outcome, "good");
});

Deno.test("FORMAT UNIT whose list arrives while another one runs is refused", async () => {
  const slow = new SlowStore(makeFullStore());
  const nexus = openUnit({ store: slow });
  const begun = nexus.execute(0, FORMAT.with(1, 0x10));
  const running = run(nexus, FORMAT);
  await settle();
  assertEquals((await complete(begun, { dataOut: bytes(IMMEDIATE) })).outcome, "formatInProgress");
  await drain(slow);
  assertEquals((await running).outcome, "good");
});

Deno.test("FORMAT UNIT is refused after a failed SANITIZE, also when that fails before its list arrives", async () => {
  const store = new FaultyStore(makeFullStore());
  const nexus = openUnit({ store });
  const begun = nexus.execute(0, FORMAT.with(1, 0x10));
  store.inject({ operation: "unmap", kind: "writeFailed" });
  await run(nexus, BLOCK_ERASE);
  store.heal();
  assertEquals((await complete(begun, { dataOut: bytes(IMMEDIATE) })).outcome, "sanitizeCommandFailed");
  assertEquals((await run(nexus, FORMAT)).outcome, "sanitizeCommandFailed");
});

Deno.test("FORMAT UNIT continues when its task is aborted, the unit is reset and its initiator leaves", async () => {
  const store = makeFullStore();
  const slow = new SlowStore(store);
  const target = makeTarget(makeUnit({ store: slow }));
  const [nexus, other] = [openReadyNexus(target), openReadyNexus(target)];
  const operation = nexus.execute(0, FORMAT);
  await settle();
  if (operation.kind === "later") operation.cancel?.();
  nexus.manage("logicalUnitReset", 0);
  nexus.close();
  await run(other, REQUEST_SENSE);
  assertEquals((await run(other, TEST_UNIT_READY)).outcome, "formatInProgress");
  await drain(slow);
  assertEquals([(await run(other, TEST_UNIT_READY)).outcome, store.pageCount], ["good", 0]);
});

Deno.test("FORMAT UNIT waits for a running write, and replaces its data", async () => {
  const store = makeFullStore();
  const nexus = openUnit({ store });
  const write = nexus.execute(0, blocksCdb("WRITE(10)", { blocks: 2 }));
  assert(write.kind === "dataOut");
  write.writeNow(0, new Uint8Array(512));
  const formatted = run(nexus, FORMAT);
  await settle();
  assertEquals(store.pageCount, 256, "half of the data has not arrived yet");
  write.writeNow(512, new Uint8Array(512).fill(1));
  await complete(write.finish(1024));
  assertEquals((await formatted).outcome, "good");
  assertEquals(store.pageCount, 0);
});

Deno.test("FORMAT UNIT that fails prevents access to the medium until another, or a SANITIZE, completes", async () => {
  for (const remedy of [FORMAT, BLOCK_ERASE]) {
    const store = new FaultyStore(makeFullStore());
    const target = makeTarget(makeUnit({ store }), makeUnit());
    const nexus = openReadyNexus(target, 2);
    store.inject({ operation: "unmap", kind: "writeFailed" });
    assertEquals((await run(nexus, FORMAT)).outcome, "formatCommandFailed");
    const refused = [TEST_UNIT_READY, READ, blocksCdb("WRITE(10)", {}), cdb("35"), cdb("42")];
    for (const block of refused) assertEquals((await run(nexus, block)).outcome, "mediumFormatCorrupted");
    const { data } = await run(nexus, REQUEST_SENSE);
    assertEquals([nameOfSense(data), data[15]], ["mediumFormatCorrupted", 0]);
    // What sg_format needs to repair that.
    for (
      const block of [
        "12 00 00 00 24",
        "1a 00 01 00 ff",
        "25",
        "4d 00 40 00 00 00 00 00 ff",
        "1b 00 00 00 01",
      ]
    ) {
      assertEquals((await run(nexus, cdb(block))).outcome, "good", block);
    }
    assertEquals((await run(nexus, cdb("48 1f"))).outcome, "good");
    assertEquals((await run(nexus, READ)).outcome, "mediumFormatCorrupted", "no SANITIZE has failed");
    assertEquals((await run(nexus, FORMAT)).outcome, "formatCommandFailed");
    store.heal();
    assertEquals((await run(nexus, remedy)).outcome, "good");
    assertEquals((await run(nexus, READ)).outcome, "good");
  }
});

Deno.test("FORMAT UNIT with IMMED that fails is reported by REQUEST SENSE and to later commands", async () => {
  const store = new FaultyStore(makeFullStore());
  const nexus = openUnit({ store });
  store.inject({ operation: "flush", kind: "flushFailed" });
  assertEquals((await format(nexus, IMMEDIATE)).outcome, "good");
  await settle();
  assertEquals(nameOfSense((await run(nexus, REQUEST_SENSE)).data), "mediumFormatCorrupted");
  assertEquals((await run(nexus, READ)).outcome, "mediumFormatCorrupted");
});

Deno.test("FORMAT UNIT is recorded before the first change, and as completed before its status", async () => {
  const slow = new SlowStore(makeFullStore());
  const record = new KeptRecord();
  const nexus = openUnit({ store: slow, eraseRecord: record });
  const result = run(nexus, FORMAT);
  await settle();
  assertEquals([record.history, slow.pending.length], [["format"], 1]);
  await drain(slow);
  assertEquals([(await result).outcome, record.history], ["good", ["format", "completed"]]);
});

Deno.test("FORMAT UNIT that cannot be recorded changes nothing, and says why", async () => {
  const store = makeFullStore();
  const record = new KeptRecord();
  record.fails = true;
  const nexus = openUnit({ store, eraseRecord: record });
  assertEquals((await run(nexus, FORMAT)).outcome, "spaceAllocationFailedWriteProtect");
  assertEquals([(await run(nexus, READ)).outcome, store.pageCount], ["good", 256]);
});

Deno.test("FORMAT UNIT of a removed unit fails, and the medium is unusable when it is served again", async () => {
  const store = new MemoryStore({ sizeBytes: 128 * 1024 * 1024 });
  store.writeNow(0, new Uint8Array(4096).fill(0xa5));
  const slow = new SlowStore(store);
  const record = new KeptRecord();
  const unit = makeUnit({ store: slow, eraseRecord: record });
  const result = run(openReadyNexus(makeTarget(unit)), FORMAT);
  await settle();
  const ended = unit.eraser.cancel();
  await drain(slow);
  await ended;
  assertEquals([(await result).outcome, unit.ranges.isIdle], ["formatCommandFailed", true]);
  const again = openUnit({ store, eraseRecord: record });
  assertEquals((await run(again, READ)).outcome, "mediumFormatCorrupted");
  assertEquals((await format(again, IMMEDIATE)).outcome, "good");
  await settle();
  assertEquals([(await run(again, READ)).outcome, record.unfinished], ["good", undefined]);
});

Deno.test("FORMAT UNIT erases the journal before the blocks", async () => {
  for (const list of ["00 00 00 00", "00 88 00 00 00 01 00 01 aa"]) {
    const recording = new RecordingStore(makeFullStore());
    const journal = notingJournal(recording.diary);
    assertEquals((await format(openUnit({ store: recording, journal }), list)).outcome, "good");
    assertEquals([recording.diary[0], ...recording.diary.slice(-2)], ["erase", "flush 0+0", "flush"]);
  }
});

Deno.test("EXTENDED COPY neither reads nor writes a medium whose format failed", async () => {
  const store = new FaultyStore(makeFullStore());
  const naas = ["3000000000000001", "3000000000000002"];
  const units = naas.map((naa, index) =>
    makeUnit({ identity: { naa, serialNumber: naa }, ...(index === 0 && { store }) })
  );
  const nexus = openReadyNexus(makeTarget(...units), 2);
  store.inject({ operation: "unmap", kind: "writeFailed" });
  await run(nexus, FORMAT);
  const list = bytes(
    `07 00 00 40 00 00 00 00 00 00 00 1c 00 00 00 00
      ${
      ["01", "02"].map((id) => `e4 00 00 00 01 03 00 08 30 00 00 00 00 00 00 ${id} ${"00 ".repeat(14)}02 00`)
        .join(" ")
    }
      02 00 00 18 00 00 00 01 00 00 00 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00`,
  );
  const copy = await complete(nexus.execute(1, cdb("83 00 00 00 00 00 00 00 00 00 00 00 00 6c")), {
    dataOut: list,
  });
  assertEquals(copy.outcome, "thirdPartyDeviceFailure");
});
