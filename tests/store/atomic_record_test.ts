import { assert, assertEquals } from "@std/assert";
import { writeUint32, writeUint64 } from "../../lib/bytes/big_endian.ts";
import { crc32c } from "../../lib/bytes/crc32c.ts";
import {
  BODY_OFFSET,
  decodeJournal,
  encodeBody,
  encodeHeader,
  examineWrite,
  isBlank,
  recordBytesMax,
  recordedBytes,
  type RecordedWrite,
} from "../../lib/store/atomic_record.ts";

const OWNER = "3000000000000001";

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 9) + seed) & 0xff);
}

/** The journal of a record, as a file has it. */
function journalOf(header: Uint8Array, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(BODY_OFFSET + body.length);
  bytes.set(header);
  bytes.set(body, BODY_OFFSET);
  return bytes;
}

const REPLACEMENTS = [
  { offset: 4096 + 100, old: pattern(1024, 1), fresh: pattern(1024, 2) },
  { offset: 2 ** 40, old: pattern(512, 3), fresh: pattern(512, 4) },
];

/** A journal of version 1, which programs before this one have written. */
function version1(offset: number, old: Uint8Array): Uint8Array {
  const header = new Uint8Array(28);
  header.set(new TextEncoder().encode("ISCSIUND"));
  writeUint32(header, 8, 1);
  writeUint32(header, 12, old.length);
  writeUint64(header, 16, offset);
  writeUint32(header, 24, crc32c(old, crc32c(header.subarray(0, 24))));
  return journalOf(header, old);
}

Deno.test("encodeHeader() and encodeBody() write the layout of a record", () => {
  const body = encodeBody(REPLACEMENTS);
  const header = encodeHeader(OWNER, body, 2);
  assertEquals([header.length, body.length], [512, 12 + 3 * 4 + 1024 + 12 + 4 + 512]);
  assertEquals(
    header.slice(0, 16),
    Uint8Array.of(...new TextEncoder().encode("ISCSIUND"), 0, 0, 0, 2, 0, 0, 6, 0x28),
  );
  assertEquals(header.slice(20, 41), Uint8Array.of(0, 0, 0, 2, ...new TextEncoder().encode(OWNER), 0));
  assertEquals(body.slice(0, 12), Uint8Array.of(0, 0, 0, 0, 0, 0, 0x10, 0x64, 0, 0, 4, 0));
  // The new bytes cover 412 bytes of a sector, all of the next, and 100 of a third.
  const sectors = [[0, 412], [412, 924], [924, 1024]].map(([start, end]) =>
    crc32c(REPLACEMENTS[0]!.fresh.subarray(start, end))
  );
  const view = new DataView(body.buffer);
  assertEquals([12, 16, 20].map((at) => view.getUint32(at)), sectors);
  assertEquals(body.slice(24, 24 + 1024), REPLACEMENTS[0]!.old);
  assertEquals(new DataView(header.buffer).getUint32(16), crc32c(body));
  assertEquals(new DataView(header.buffer).getUint32(508), crc32c(header.subarray(0, 508)));
});

Deno.test("decodeJournal() returns what was recorded", () => {
  const body = encodeBody(REPLACEMENTS);
  // The rest of a longer, earlier record follows.
  const content = decodeJournal(journalOf(encodeHeader(OWNER, body, 2), Uint8Array.of(...body, 9, 9, 9)));
  assert(content.kind === "record");
  assertEquals([content.owner, content.writes.length], [OWNER, 2]);
  for (const [index, { offset, old }] of REPLACEMENTS.entries()) {
    assertEquals([content.writes[index]!.offset, content.writes[index]!.old], [offset, old]);
  }
  assertEquals(content.writes.map(({ checksums }) => checksums?.length), [3, 1]);
});

Deno.test("decodeJournal() distinguishes an empty journal from a file that is none", () => {
  for (const blank of [new Uint8Array(), new Uint8Array(5), new Uint8Array(10_000).fill(7, 8)]) {
    assert(isBlank(blank));
    assertEquals(decodeJournal(blank), { kind: "nothing" });
  }
  for (const other of [pattern(4, 1), pattern(10_000, 1), new TextEncoder().encode("ISCSIUND")]) {
    assert(!isBlank(other));
    assertEquals(decodeJournal(other), { kind: "damaged" });
  }
});

Deno.test("decodeJournal() detects every damaged byte, in header or body", () => {
  const body = encodeBody(REPLACEMENTS);
  const journal = journalOf(encodeHeader(OWNER, body, 2), body);
  for (let at = 0; at < journal.length; at++) {
    const damaged = journal.slice();
    damaged[at]! ^= 0x10;
    const { kind } = decodeJournal(damaged);
    if (at >= 8 && at < 12) assertEquals(kind, "newer", `byte ${at}`);
    else if (at < 512) assertEquals(kind, "damaged", `byte ${at}`);
    else assertEquals(kind, at < BODY_OFFSET ? "record" : "incomplete", `byte ${at}`);
  }
  for (const length of [512, BODY_OFFSET, journal.length - 1]) {
    assertEquals(decodeJournal(journal.subarray(0, length)).kind, "incomplete", `${length} bytes`);
  }
  for (const length of [8, 100, 511]) {
    assertEquals(decodeJournal(journal.subarray(0, length)).kind, "damaged", `${length} bytes`);
  }
});

Deno.test("decodeJournal() refuses any journal of a newer version", () => {
  const journal = new Uint8Array(1000).fill(0xee);
  journal.set(new TextEncoder().encode("ISCSIUND"));
  writeUint32(journal, 8, 3);
  assertEquals(decodeJournal(journal), { kind: "newer", version: 3 });
  writeUint32(journal, 8, 0);
  assertEquals(decodeJournal(journal), { kind: "damaged" });
});

Deno.test("decodeJournal() reads version 1, which cannot recognize new bytes", () => {
  const old = pattern(8192, 5);
  const journal = version1(12_288, old);
  const writes = [{ offset: 12_288, old, checksums: undefined }];
  assertEquals(decodeJournal(journal), { kind: "record", owner: undefined, writes });
  const longer = new Uint8Array(journal.length + 4096).fill(9);
  longer.set(journal);
  assertEquals(
    decodeJournal(longer),
    { kind: "record", owner: undefined, writes },
    "of a longer record before",
  );
  for (const at of [13, 20, 25, BODY_OFFSET, journal.length - 1]) {
    const damaged = journal.slice();
    damaged[at]! ^= 1;
    assertEquals(decodeJournal(damaged).kind, "damaged", `byte ${at}`);
  }
  assertEquals(examineWrite(writes[0]!, old), "untouched");
  assertEquals(examineWrite(writes[0]!, pattern(8192, 6)), "torn");
});

Deno.test("examineWrite() determines the state of a write by its sectors", () => {
  const [{ offset, old, fresh }] = REPLACEMENTS as [typeof REPLACEMENTS[0], unknown];
  const body = encodeBody([{ offset, old, fresh }]);
  const content = decodeJournal(journalOf(encodeHeader(OWNER, body, 1), body));
  assert(content.kind === "record");
  const write: RecordedWrite = content.writes[0]!;
  const ends = [0, 412, 924, 1024];
  for (let sectors = 0; sectors < 8; sectors++) {
    const held = old.slice();
    for (let sector = 0; sector < 3; sector++) {
      if ((sectors & 1 << sector) !== 0) {
        held.set(fresh.subarray(ends[sector], ends[sector + 1]), ends[sector]);
      }
    }
    assertEquals(examineWrite(write, held), sectors === 0 ? "untouched" : sectors === 7 ? "whole" : "torn");
    for (const at of [0, 411, 412, 923, 924, 1023]) {
      const other = held.slice();
      other[at]! ^= 1;
      assertEquals(examineWrite(write, other), "other", `byte ${at}`);
    }
  }
});

Deno.test("recordBytesMax() suffices for a write at any offset", () => {
  for (const length of [1, 512, 513, 131_072]) {
    for (let offset = 0; offset < 1024; offset++) {
      assert(recordedBytes(offset, length) <= recordBytesMax(length));
      assertEquals(
        recordedBytes(offset, length),
        encodeBody([
          { offset, old: new Uint8Array(length), fresh: new Uint8Array(length) },
        ]).length,
      );
      if (length > 1000) offset += 100;
    }
  }
});
