import { assertEquals } from "@std/assert";
import { makeRecord, noFaults, readRecord, RECORD_BYTES, Ring, type Survival } from "./_records.ts";

const WRITER = 3;
const SLOTS = 4;

/** A ring that has sent six records: 1 to 4 are flushed, 5 is acknowledged, 6 is under way. */
function ringOfSix(): Ring {
  const ring = new Ring(WRITER, SLOTS);
  for (let number = 1; number <= 6; number++) {
    ring.send();
    if (number < 6) ring.acknowledge(number);
    if (number === 4) ring.flush([1, 2, 3, 4]);
  }
  return ring;
}

/** Returns [lost, duplicated, torn] of a ring with these records, from slot 0 on. */
function judge(records: readonly (number | Uint8Array)[], survival: Survival): number[] {
  const content = new Uint8Array(SLOTS * RECORD_BYTES);
  records.forEach((record, slot) => {
    const bytes = typeof record === "number" ? makeRecord(WRITER, record) : record;
    content.set(bytes, slot * RECORD_BYTES);
  });
  const faults = noFaults();
  ringOfSix().judge(content, survival, faults);
  return [faults.lost, faults.duplicated, faults.torn];
}

Deno.test("readRecord() returns the number of a whole record, 0 for zeros, and nothing for anything else", () => {
  const torn = makeRecord(WRITER, 7);
  torn.set(makeRecord(WRITER, 8).subarray(0, 512));
  assertEquals(readRecord(WRITER, makeRecord(WRITER, 7)), 7);
  assertEquals(readRecord(WRITER, new Uint8Array(RECORD_BYTES)), 0);
  assertEquals(readRecord(WRITER, torn), undefined);
  assertEquals(readRecord(WRITER + 1, makeRecord(WRITER, 7)), undefined);
});

Deno.test("Ring.judge() accepts every record from the newest that must survive to the newest that was sent", () => {
  assertEquals(judge([4, 5, 6, 3], "acknowledged"), [0, 0, 0]);
  assertEquals(judge([4, 5, 2, 3], "acknowledged"), [0, 0, 0]);
  assertEquals(judge([4, 1, 2, 3], "flushed"), [0, 0, 0]);
});

Deno.test("Ring.judge() finds lost records", () => {
  assertEquals(judge([4, 1, 6, 3], "acknowledged"), [1, 0, 0]);
  const none = new Uint8Array(RECORD_BYTES);
  assertEquals(judge([none, 5, 6, none], "flushed"), [2, 0, 0]);
});

Deno.test("Ring.judge() finds records at another place than their own, and records that are none", () => {
  assertEquals(judge([4, 5, 6, 4], "acknowledged"), [0, 1, 0]);
  const torn = makeRecord(WRITER, 5);
  torn[600] = 0xff;
  assertEquals(judge([4, torn, 6, makeRecord(WRITER + 1, 3)], "acknowledged"), [0, 0, 2]);
});

Deno.test("Ring.flush() makes durable only the records that it names", () => {
  const ring = new Ring(WRITER, SLOTS);
  for (const number of [ring.send(), ring.send(), ring.send()]) ring.acknowledge(number);
  ring.flush([1, 3]);
  assertEquals(ring.pending, [2]);
});
