import { assert, assertEquals } from "@std/assert";
import { readUint16, writeUint16 } from "../../../lib/bytes/big_endian.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import type { ByteRange } from "../../../lib/store/byte_range.ts";
import type { EraseRecord } from "../../../lib/scsi/medium/erase_record.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
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

const OVERWRITE = 0x01;
const BLOCK_ERASE = 0x02;
const EXIT_FAILURE_MODE = 0x1f;
const IMMED = 0x80;
const AUSE = 0x20;

/** Bytes that OVERWRITE writes between two flushes. */
const WRITE_BYTES = 64 * 1024 * 1024;

function sanitizeCdb(byte1: number, length = 0): Uint8Array {
  const block = Uint8Array.of(0x48, byte1, ...new Uint8Array(14));
  writeUint16(block, 7, length);
  return block;
}

function overwrite(nexus: Nexus, list: string, flags = 0): Promise<Result> {
  const dataOut = bytes(list);
  return run(nexus, sanitizeCdb(OVERWRITE | flags, dataOut.length), { dataOut });
}

/** Returns the condition and the progress that REQUEST SENSE reports. */
async function senseOf(nexus: Nexus): Promise<{ condition: string; progress: number | undefined }> {
  const { data } = await run(nexus, cdb("03 00 00 00 12"));
  return { condition: nameOfSense(data), progress: data[15] === 0x80 ? readUint16(data, 16) : undefined };
}

Deno.test("SANITIZE with BLOCK ERASE unmaps everything durably", async () => {
  const store = makeFullStore();
  assertEquals((await run(openUnit({ store }), sanitizeCdb(BLOCK_ERASE))).outcome, "good");
  assertEquals([store.pageCount, store.flushCount], [0, 1]);
});

Deno.test("SANITIZE with BLOCK ERASE skips extents that take no space, whatever their length", async () => {
  const store = new MemoryStore({ sizeBytes: 2 ** 53 - 1024 ** 2, canUnmap: true });
  const [start, end] = [2 ** 40 + 512, 2 ** 40 + 3 * 2 ** 30];
  store.extentAt = (offset): { isMapped: boolean; endBytes: number } => ({
    isMapped: offset >= start && offset < end,
    endBytes: offset < start ? start : offset < end ? end : store.sizeBytes,
  });
  const unmapped: ByteRange[] = [];
  store.unmap = (ranges): Promise<void> => {
    unmapped.push(...ranges);
    return Promise.resolve();
  };
  assertEquals((await run(openUnit({ store }), sanitizeCdb(BLOCK_ERASE))).outcome, "good");
  // Holes between mapped extents do not divide a stretch.
  assertEquals(
    unmapped,
    [0, 1, 2].map((index) => ({ offset: start + index * 2 ** 30, lengthBytes: 2 ** 30 })),
  );
});

Deno.test("SANITIZE erases the journal before anything else", async () => {
  for (
    const sanitize of [
      (nexus: Nexus): Promise<Result> => run(nexus, sanitizeCdb(BLOCK_ERASE)),
      (nexus: Nexus): Promise<Result> => overwrite(nexus, "01 00 00 01 aa"),
    ]
  ) {
    const calls: string[] = [];
    const store = makeFullStore();
    const write = store.write.bind(store);
    store.write = (offset, from) => {
      calls.push("change");
      return write(offset, from);
    };
    const unmap = store.unmap.bind(store);
    store.unmap = (ranges) => {
      calls.push("change");
      return unmap(ranges);
    };
    assertEquals((await sanitize(openUnit({ store, journal: notingJournal(calls) }))).outcome, "good");
    assertEquals(calls.slice(0, 2), ["erase", "change"]);
    assertEquals(calls.at(-1), "flush");
  }
});

Deno.test("SANITIZE fails when the journal cannot be erased", async () => {
  const calls: string[] = [];
  const nexus = openUnit({ store: makeFullStore(), journal: notingJournal(calls, true) });
  assertEquals((await run(nexus, sanitizeCdb(BLOCK_ERASE))).outcome, "sanitizeCommandFailed");
  assertEquals((await run(nexus, blocksCdb("READ(10)", {}))).outcome, "sanitizeCommandFailed");
});

Deno.test("SANITIZE with OVERWRITE writes its pattern into each block", async () => {
  const store = makeFullStore();
  assertEquals((await overwrite(openUnit({ store }), "01 00 00 03 01 02 03")).outcome, "good");
  const content = contentOf(store);
  for (const at of [0, 511, 512, 1024 * 1024 - 1]) assertEquals(content[at], at % 512 % 3 + 1);
  assert(store.flushCount > 0);
});

Deno.test("SANITIZE with OVERWRITE and INVERT inverts between passes, and ends with the pattern", async () => {
  for (const [header, first] of [["81", 0x0f], ["82", 0xf0], ["83", 0x0f], ["02", 0x0f]] as const) {
    const store = makeFullStore();
    const faulty = new FaultyStore(store);
    // The first pass ends with the flush that fails.
    faulty.inject({ operation: "flush", kind: "flushFailed" });
    await overwrite(openUnit({ store: faulty }), `${header} 00 00 01 0f`);
    assertEquals(contentOf(store), new Uint8Array(store.sizeBytes).fill(first), header);
    assertEquals((await overwrite(openUnit({ store }), `${header} 00 00 01 0f`)).outcome, "good");
    assertEquals(contentOf(store), new Uint8Array(store.sizeBytes).fill(0x0f), header);
  }
});

Deno.test("SANITIZE with OVERWRITE flushes each 64 MiB before it writes the next", async () => {
  const store = new MemoryStore({ sizeBytes: 2 * WRITE_BYTES + 512 });
  let writtenBytes = 0;
  const flushedAt: number[] = [];
  store.write = (offset, from): Promise<void> => {
    assertEquals(offset, writtenBytes);
    writtenBytes += from.length;
    return Promise.resolve();
  };
  store.flush = (): Promise<void> => Promise.resolve(void flushedAt.push(writtenBytes));
  assertEquals((await overwrite(openUnit({ store }), "01 00 00 01 aa")).outcome, "good");
  assertEquals(flushedAt, [WRITE_BYTES, 2 * WRITE_BYTES, store.sizeBytes]);
});

Deno.test("SANITIZE refuses unsupported requests, and erases nothing then", async () => {
  const store = makeFullStore();
  const nexus = openUnit({ store });
  for (const action of [OVERWRITE, BLOCK_ERASE, EXIT_FAILURE_MODE]) {
    assertFieldRefused(await run(nexus, sanitizeCdb(action | 0x40, 5)), 1, 6);
    for (let byte = 2; byte < 7; byte++) {
      const block = sanitizeCdb(action, 5);
      block[byte] = 1;
      assertFieldRefused(await run(nexus, block), byte, 0);
    }
  }
  assertFieldRefused(await run(nexus, sanitizeCdb(0x03)), 1, 4);
  assertFieldRefused(await run(nexus, sanitizeCdb(BLOCK_ERASE, 8)), 7);
  assertFieldRefused(await run(nexus, sanitizeCdb(EXIT_FAILURE_MODE, 8)), 7);
  for (const length of [0, 4, 517]) assertFieldRefused(await run(nexus, sanitizeCdb(OVERWRITE, length)), 7);
  assertParameterRefused(await overwrite(nexus, "00 00 00 01 aa"), 0, 4);
  assertParameterRefused(await overwrite(nexus, "21 00 00 01 aa"), 0, 6);
  for (const list of ["01 00 00 00 aa", "01 00 00 02 aa", "01 00 00 01 aa aa"]) {
    assertParameterRefused(await overwrite(nexus, list), 2);
  }
  assertEquals(store.writeCount, 1);
});

Deno.test("SANITIZE allows only commands that need no logical unit, and reports its progress", async () => {
  const slow = new SlowStore(makeFullStore());
  const target = makeTarget(makeUnit({ store: slow }));
  const nexus = openReadyNexus(target);
  const other = openReadyNexus(target);
  const immediate = await run(nexus, sanitizeCdb(OVERWRITE | IMMED, 5), { dataOut: bytes("01 00 00 01 aa") });
  assertEquals(immediate.outcome, "good");
  await settle();
  assertEquals(await senseOf(other), { condition: "sanitizeInProgress", progress: 0 });
  slow.release();
  await settle();
  assertEquals(await senseOf(other), { condition: "sanitizeInProgress", progress: 0x4000 });
  for (
    const block of [cdb("00"), cdb("1b 00 00 00 01"), blocksCdb("READ(10)", {}), sanitizeCdb(BLOCK_ERASE)]
  ) {
    const { outcome, sense } = await run(other, block);
    assertEquals([outcome, sense![15], readUint16(sense!, 16)], ["sanitizeInProgress", 0x80, 0x4000]);
  }
  assertEquals((await run(other, cdb("12 00 00 00 24"))).outcome, "good");
  assertEquals((await run(other, cdb("a0 00 00 00 00 00 00 00 01 00"))).outcome, "good");
  await drain(slow);
  assertEquals((await run(other, cdb("00"))).outcome, "good");
  assertEquals((await senseOf(nexus)).condition, "noAdditionalSenseInformation");
});

Deno.test("SANITIZE continues when its task is aborted and the unit is reset", async () => {
  const store = makeFullStore();
  const slow = new SlowStore(store);
  const target = makeTarget(makeUnit({ store: slow }));
  const nexus = openReadyNexus(target);
  const other = openReadyNexus(target);
  const operation = nexus.execute(0, sanitizeCdb(BLOCK_ERASE));
  await settle();
  if (operation.kind === "later") operation.cancel?.();
  nexus.manage("logicalUnitReset", 0);
  nexus.close();
  await run(other, cdb("03 00 00 00 12"));
  assertEquals((await run(other, cdb("00"))).outcome, "sanitizeInProgress");
  await drain(slow);
  await settle();
  assertEquals([(await run(other, cdb("00"))).outcome, store.pageCount], ["good", 0]);
});

Deno.test("SANITIZE waits for a running write, and erases its data", async () => {
  const store = makeFullStore();
  const nexus = openUnit({ store });
  const write = nexus.execute(0, blocksCdb("WRITE(10)", { blocks: 2 }));
  if (write.kind !== "dataOut") throw new Error("It takes no data");
  assertEquals(write.writeNow(0, new Uint8Array(512)), { status: 0, sense: undefined });
  const sanitized = run(nexus, sanitizeCdb(BLOCK_ERASE));
  await settle();
  assertEquals(store.pageCount, 256, "half of the data has not arrived yet");
  write.writeNow(512, new Uint8Array(512));
  await complete(write.finish(1024));
  assertEquals((await sanitized).outcome, "good");
  assertEquals(store.pageCount, 0);
});

Deno.test("SANITIZE that fails allows only another SANITIZE, or EXIT FAILURE MODE after AUSE", async () => {
  for (const mayGiveUp of [true, false]) {
    const store = new FaultyStore(makeFullStore());
    const nexus = openUnit({ store });
    store.inject({ operation: "unmap", kind: "writeFailed" });
    const failed = await run(nexus, sanitizeCdb(BLOCK_ERASE | (mayGiveUp ? AUSE : 0)));
    assertEquals(failed.outcome, "sanitizeCommandFailed");
    assertEquals((await run(nexus, blocksCdb("READ(10)", {}))).outcome, "sanitizeCommandFailed");
    assertEquals((await senseOf(nexus)).condition, "sanitizeCommandFailed");
    const exit = await run(nexus, sanitizeCdb(EXIT_FAILURE_MODE));
    if (mayGiveUp) assertEquals(exit.outcome, "good");
    else {
      assertFieldRefused(exit, 1, 4);
      assertFieldRefused(await run(nexus, sanitizeCdb(BLOCK_ERASE | AUSE)), 1, 5);
      assertFieldRefused(await run(nexus, sanitizeCdb(OVERWRITE | AUSE, 5)), 1, 5);
    }
    store.heal();
    if (!mayGiveUp) assertEquals((await run(nexus, sanitizeCdb(BLOCK_ERASE))).outcome, "good");
    assertEquals((await run(nexus, blocksCdb("READ(10)", {}))).outcome, "good");
  }
});

for (
  const [name, action, list] of [["OVERWRITE", OVERWRITE, "01 00 00 01 aa"], [
    "BLOCK ERASE",
    BLOCK_ERASE,
    "",
  ]] as const
) {
  Deno.test(`SANITIZE ${name} of a removed unit fails, and it stays unusable when served again`, async () => {
    for (const flags of [0, AUSE]) {
      // At least two stretches, between which it can stop.
      const store = new MemoryStore({ sizeBytes: 128 * 1024 * 1024 });
      store.writeNow(0, new Uint8Array(4096).fill(0xa5));
      const slow = new SlowStore(store);
      const record = new KeptRecord();
      const unit = makeUnit({ store: slow, eraseRecord: record });
      const nexus = openReadyNexus(makeTarget(unit));
      const dataOut = bytes(list);
      const result = run(nexus, sanitizeCdb(action | flags, dataOut.length), { dataOut });
      await settle();
      const ended = unit.eraser.cancel();
      await drain(slow);
      await ended;
      assertEquals((await result).outcome, "sanitizeCommandFailed");
      assertEquals((await run(nexus, cdb("00"))).outcome, "sanitizeCommandFailed");
      assertEquals(unit.ranges.isIdle, true);

      const again = openUnit({ store, eraseRecord: record });
      assertEquals((await run(again, blocksCdb("READ(10)", {}))).outcome, "sanitizeCommandFailed");
      assertEquals((await senseOf(again)).condition, "sanitizeCommandFailed");
      const exit = await run(again, sanitizeCdb(EXIT_FAILURE_MODE));
      if (flags === AUSE) assertEquals(exit.outcome, "good");
      else {
        assertFieldRefused(exit, 1, 4);
        assertEquals((await run(again, sanitizeCdb(BLOCK_ERASE))).outcome, "good");
      }
      assertEquals((await run(again, blocksCdb("READ(10)", {}))).outcome, "good");
      assertEquals(record.unfinished, undefined);
    }
  });
}

Deno.test("SANITIZE is recorded before the first block changes, and as completed before its status", async () => {
  const store = makeFullStore();
  const slow = new SlowStore(store);
  const record = new KeptRecord();
  const unit = makeUnit({ store: slow, eraseRecord: record });
  const nexus = openReadyNexus(makeTarget(unit));
  const result = run(nexus, sanitizeCdb(BLOCK_ERASE));
  await settle();
  assertEquals([record.history, slow.pending.length], [["restricted"], 1]);
  await drain(slow);
  assertEquals([(await result).outcome, record.history], ["good", ["restricted", "completed"]]);
});

Deno.test("SANITIZE that cannot be recorded changes nothing; one whose end cannot be has failed", async () => {
  const store = makeFullStore();
  const record = new KeptRecord();
  const nexus = openUnit({ store, eraseRecord: record });
  record.fails = true;
  assertEquals((await run(nexus, sanitizeCdb(BLOCK_ERASE))).outcome, "spaceAllocationFailedWriteProtect");
  assertEquals([(await run(nexus, cdb("00"))).outcome, store.pageCount], ["good", 256]);
  record.fails = false;
  const faulty = new FaultyStore(store);
  const other = openUnit({ store: faulty, eraseRecord: record });
  faulty.inject({ operation: "flush", kind: "flushFailed" });
  assertEquals((await run(other, sanitizeCdb(BLOCK_ERASE | AUSE))).outcome, "sanitizeCommandFailed");
  record.fails = true;
  assertEquals((await run(other, sanitizeCdb(EXIT_FAILURE_MODE))).outcome, "sanitizeCommandFailed");
  assertEquals([(await run(other, cdb("00"))).outcome, record.unfinished], [
    "sanitizeCommandFailed",
    "unrestricted",
  ]);
});

Deno.test("SANITIZE EXIT FAILURE MODE refuses a concurrent SANITIZE, whose failure it could hide", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const record: EraseRecord = { unfinished: "unrestricted", keep: () => promise };
  const nexus = openUnit({ store: makeFullStore(), eraseRecord: record });
  const exit = run(nexus, sanitizeCdb(EXIT_FAILURE_MODE));
  assertEquals((await run(nexus, sanitizeCdb(BLOCK_ERASE))).outcome, "sanitizeInProgress");
  resolve();
  assertEquals((await exit).outcome, "good");
  assertEquals(
    (await run(nexus, sanitizeCdb(EXIT_FAILURE_MODE))).outcome,
    "good",
    "there is nothing to exit",
  );
});

Deno.test("SANITIZE of a unit that is about to be removed does not begin", async () => {
  const store = makeFullStore();
  const record = new KeptRecord();
  const unit = makeUnit({ store, eraseRecord: record });
  const nexus = openReadyNexus(makeTarget(unit));
  await unit.eraser.cancel();
  const { outcome } = await run(nexus, sanitizeCdb(BLOCK_ERASE));
  assertEquals([outcome, record.history, store.pageCount], ["commandsClearedByDeviceServer", [], 256]);
});
