import { assert, assertEquals } from "@std/assert";
import { StoreError } from "../../lib/store/block_store.ts";
import {
  equalBytes,
  findDifferences,
  writeDifferences,
  writeOrRestore,
} from "../../lib/store/write_or_restore.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { MemoryStore } from "../support/memory_store.ts";

const SIZE_BYTES = 64 * 1024;

Deno.test("equalBytes() compares every byte, at any alignment", () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, index) => index);
  for (const start of [0, 1, 2, 3, 4, 5, 6, 10, 15]) {
    for (let length = 0; length <= 18; length++) {
      const a = bytes.subarray(start, start + length);
      const same = Uint8Array.of(...new Uint8Array(20), ...a).subarray(20);
      assert(equalBytes(a, same) && equalBytes(a, a.slice()));
      for (let at = 0; at < length; at++) {
        const other = a.slice();
        other[at]! ^= 1;
        assertEquals([equalBytes(a, other), equalBytes(other, a)], [false, false], `${at} of ${length}`);
      }
    }
  }
});

Deno.test("findDifferences() compares units of the store, and joins adjacent ones", () => {
  const wanted = new Uint8Array(10);
  const held = (...different: number[]): Uint8Array =>
    Uint8Array.from({ length: 10 }, (_, at) => different.includes(at) ? 1 : 0);
  // From 6 on in units of 4: 6-7, 8-11, 12-15.
  assertEquals(findDifferences(6, held(), wanted, 4), []);
  assertEquals(findDifferences(6, held(1), wanted, 4), [{ start: 0, end: 2 }]);
  assertEquals(findDifferences(6, held(2, 9), wanted, 4), [{ start: 2, end: 10 }]);
  assertEquals(findDifferences(6, held(0, 6), wanted, 4), [{ start: 0, end: 2 }, { start: 6, end: 10 }]);
  assertEquals(findDifferences(5, held(9), wanted, 4), [{ start: 7, end: 10 }]);
});

Deno.test("writeDifferences() writes only the pages that differ", async () => {
  const memory = new MemoryStore({ sizeBytes: SIZE_BYTES });
  const wanted = new Uint8Array(4 * 4096).fill(7, 4096, 8192);
  memory.writeNow(3 * 4096, new Uint8Array(1).fill(9));
  await writeDifferences(memory, 512, wanted);
  const content = new Uint8Array(wanted.length);
  memory.readNow(512, content);
  assertEquals(content, wanted);
  // Pages 1 and 2 for the sevens, and page 3 for the nine.
  assertEquals([memory.writeCount, memory.pageCount], [2, 3]);
});

/** A store that is full after the first page of a write, and on request fails every later write. */
class FullStore extends FaultyStore {
  readonly #memory: MemoryStore;

  constructor(memory: MemoryStore) {
    super(memory);
    this.#memory = memory;
  }

  override async write(offset: number, from: Uint8Array): Promise<void> {
    if (from.length === 4096) return await super.write(offset, from);
    await this.#memory.write(offset, from.subarray(0, 4096));
    throw new StoreError("outOfSpace", "full");
  }
}

Deno.test("writeOrRestore() writes the new bytes, restores the old ones, or reports a torn write", async () => {
  const memory = new MemoryStore({ sizeBytes: SIZE_BYTES });
  const replacement = { offset: 8192, old: new Uint8Array(8192), fresh: new Uint8Array(8192).fill(2) };
  const content = new Uint8Array(8192);
  const full = new FullStore(memory);
  const failed = await writeOrRestore(full, replacement);
  assert(failed?.error instanceof StoreError && failed.error.kind === "outOfSpace" && !failed.isTorn);
  memory.readNow(8192, content);
  assertEquals(content, replacement.old);

  full.inject({ operation: "write", kind: "writeFailed" });
  const torn = await writeOrRestore(full, replacement);
  assert(torn?.error instanceof StoreError && torn.error.kind === "outOfSpace" && torn.isTorn);

  assertEquals(await writeOrRestore(memory, replacement), undefined);
  memory.readNow(8192, content);
  assertEquals(content, replacement.fresh);
});
