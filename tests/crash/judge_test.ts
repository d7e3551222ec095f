import { assertEquals } from "@std/assert";
import type { CrashKind } from "./_crash_states.ts";
import { Ledger } from "./_judge.ts";
import { blocksOf, type Disks, type Note, type Observation, tagsOf, TORN, tracesIn } from "./_notes.ts";

const NOTHING: Observation = {
  problems: [],
  found: {},
  built: undefined,
  traces: new Set(),
  unsanitized: new Set(),
  tags: new Map(),
  reservations: new Map(),
};

type How = (Note & { readonly kind: "writing" })["how"];

/** Returns a write of two blocks. */
function writing(id: number, how: How = "write", lba = 0): Note {
  return { kind: "writing", id, lun: 0, lba, blocks: 2, how };
}

function written(id: number): Note {
  return { kind: "written", id };
}

const FLUSH: readonly Note[] = [{ kind: "flushing", id: 100, lun: 0 }, { kind: "flushed", id: 100 }];

/** Reports if blocks with these contents are as promised. */
function allows(crash: CrashKind, notes: readonly Note[], ...tags: readonly number[]): boolean {
  return new Ledger(notes).judge(crash, { ...NOTHING, tags: new Map([[0, tags]]) }).length === 0;
}

Deno.test("Ledger wants what was acknowledged after a kill, and only what was flushed after a power cut", () => {
  const notes = [writing(1), written(1), writing(2), written(2)];
  assertEquals([allows("kill", notes, 2, 2), allows("kill", notes, 1, 1), allows("kill", notes, 0, 0)], [
    true,
    false,
    false,
  ]);
  assertEquals([allows("power", notes, 2, 1), allows("power", notes, 0, 2)], [true, true]);
  const flushed = [writing(1), written(1), ...FLUSH, writing(2), written(2)];
  assertEquals([allows("power", flushed, 1, 2), allows("power", flushed, 0, 2)], [true, false]);
});

Deno.test("Ledger lets a write under way be there or not", () => {
  const notes = [writing(1), written(1), writing(2)];
  assertEquals([allows("kill", notes, 1, 2), allows("kill", notes, 0, 2)], [true, false]);
});

Deno.test("Ledger takes a write for flushed only when it was acknowledged before the flush began", () => {
  const notes: Note[] = [writing(1), { kind: "flushing", id: 9, lun: 0 }, written(1), {
    kind: "flushed",
    id: 9,
  }];
  assertEquals(allows("power", notes, 0, 0), true);
  assertEquals(allows("power", [writing(1), { kind: "flushing", id: 9, lun: 0 }], 0, 0), true);
});

Deno.test("Ledger wants a write with FUA after a power cut, and zeros after UNMAP and a flush", () => {
  assertEquals(allows("power", [writing(1, "durable"), written(1)], 0, 0), false);
  const unmapped = [writing(1), written(1), ...FLUSH, writing(2, "unmap"), written(2)];
  assertEquals([allows("power", unmapped, 1, 0), allows("kill", unmapped, 1, 0)], [true, false]);
  assertEquals([allows("power", [...unmapped, ...FLUSH], 1, 0)], [false]);
});

Deno.test("Ledger wants atomic commands whole after a kill, and counts those in part after a power cut", () => {
  const notes = [writing(1), written(1), writing(2, "atomic")];
  assertEquals([allows("kill", notes, 1, 1), allows("kill", notes, 2, 2), allows("kill", notes, 1, 2)], [
    true,
    true,
    false,
  ]);
  assertEquals(allows("power", notes, 1, 2), true);
  assertEquals(new Ledger(notes).tornBy({ ...NOTHING, tags: new Map([[0, [1, 2]]]) }), 1);
  const later = [writing(2, "atomic"), written(2), writing(3, "write", 1), written(3)];
  assertEquals(allows("kill", later, 2, 3, 3), true);
});

Deno.test("Ledger wants nothing else where blocks were seen and flushed", () => {
  const notes: Note[] = [writing(1), written(1), { kind: "seen", lun: 0, tags: [0, 1] }];
  assertEquals([allows("power", notes, 0, 1), allows("power", notes, 1, 1)], [true, false]);
  assertEquals(allows("kill", notes, 0, TORN), false);
});

Deno.test("Ledger finds blocks that were erased", () => {
  const notes: Note[] = [writing(1), written(1), writing(2, "erase"), written(2), { kind: "erased", lun: 0 }];
  const found = (traces: number[]): string[] =>
    new Ledger(notes).judge("kill", { ...NOTHING, traces: new Set(traces) });
  assertEquals(found([2]), ["a file still has blocks of write 2, which were erased"]);
  assertEquals(found([3]), []);
});

Deno.test("Ledger wants the disks that were built, with their identities and sizes", () => {
  const identity = { naa: "3000000000000001", serialNumber: "1" };
  const disks: Disks = { a: { identity, sizeBytes: 10 } };
  const faultsOf = (found: Disks, built?: Disks): number =>
    new Ledger([{ kind: "built", disks }]).judge("power", { ...NOTHING, found, built }).length;
  assertEquals(faultsOf({ a: { identity, sizeBytes: 20 } }), 0);
  assertEquals(faultsOf({}), 1);
  assertEquals(faultsOf({ a: { identity, sizeBytes: 9 } }), 1);
  assertEquals(faultsOf({ a: { identity: { ...identity, serialNumber: "2" }, sizeBytes: 10 } }), 1);
  assertEquals(
    faultsOf(disks, { a: { identity: { ...identity, naa: "3000000000000002" }, sizeBytes: 10 } }),
    1,
  );
});

Deno.test("Ledger wants the reservations that were acknowledged last, or those of a request under way", () => {
  const notes: Note[] = [
    { kind: "reserving", id: 1, lun: 0 },
    { kind: "reserved", id: 1, lun: 0, state: "a" },
    { kind: "reserving", id: 2, lun: 0 },
  ];
  const later: Note[] = [{ kind: "reserved", id: 2, lun: 0, state: "b" }];
  const isAllowed = (known: readonly Note[], state: string): boolean =>
    new Ledger(known, later).judge("power", { ...NOTHING, reservations: new Map([[0, state]]) }).length === 0;
  assertEquals(["a", "b", "c"].map((state) => isAllowed(notes, state)), [true, true, false]);
  const seen: Note[] = [...notes, { kind: "reservationsSeen", lun: 0, state: "b" }];
  assertEquals(["a", "b"].map((state) => isAllowed(seen, state)), [false, true]);
});

Deno.test("tagsOf() tells blocks of writes, zeros and anything else apart", () => {
  const content = new Uint8Array(4 * 512);
  content.set(blocksOf(7, 0, 2));
  content.set(blocksOf(7, 3, 1), 3 * 512);
  assertEquals(tagsOf(content), [7, 7, 0, 7]);
  content[600]! ^= 1;
  content[2 * 512]! ^= 1;
  assertEquals(tagsOf(content), [7, TORN, TORN, 7]);
});

Deno.test("tracesIn() finds blocks of writes wherever they are", () => {
  const content = new Uint8Array(4096 + 3 * 512);
  content.set(blocksOf(7, 100, 1), 4096 + 512);
  assertEquals([...tracesIn(content)], [7]);
  content[4096 + 600]! ^= 1;
  assertEquals([...tracesIn(content)], []);
});

Deno.test("Ledger lets a LUN refuse access while its SANITIZE has not completed, and wants that to last", () => {
  const judge = (notes: readonly Note[], isRefusing: boolean): string[] =>
    new Ledger(notes).judge("power", {
      ...NOTHING,
      ...isRefusing ? { unsanitized: new Set([0]) } : { tags: new Map([[0, [0, 0]]]) },
    });
  const erasing = [writing(1, "erase")];
  assertEquals([judge(erasing, true), judge(erasing, false)], [[], []]);
  const refuses = ["LUN 0 refuses access although its SANITIZE has completed"];
  assertEquals([judge([], true), judge([...erasing, written(1)], true)], [refuses, refuses]);
  const seen: readonly Note[] = [...erasing, { kind: "seenUnsanitized", lun: 0 }];
  assertEquals(judge(seen, true), []);
  assertEquals(judge(seen, false), ["LUN 0 grants access although its SANITIZE did not complete"]);
});
