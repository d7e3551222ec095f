import { assert, assertEquals, assertRejects } from "@std/assert";
import type { AtomicJournal } from "../../lib/store/atomic_journal.ts";
import { type Interruption, writeAtomically } from "../../lib/store/atomic_write.ts";
import { StoreError } from "../../lib/store/block_store.ts";
import type { Replacement } from "../../lib/store/write_or_restore.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { SlowStore } from "../support/slow_store.ts";

const SIZE = 64 * 1024;

function contentOf(store: MemoryStore, offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  store.readNow(offset, bytes);
  return bytes;
}

/** A store whose every byte is 1. */
function filled(): MemoryStore {
  const store = new MemoryStore({ sizeBytes: SIZE });
  store.writeNow(0, new Uint8Array(SIZE).fill(1));
  return store;
}

/** A journal that only notes what it is to protect. */
function notingJournal(): AtomicJournal & { readonly noted: Replacement[] } {
  const noted: Replacement[] = [];
  return {
    noted,
    async protect(replacement, write): Promise<void> {
      noted.push(replacement);
      assertEquals(await write(), undefined);
    },
    flush: () => Promise.resolve(),
    erase: () => Promise.resolve(),
    close: () => {},
  };
}

Deno.test("writeAtomically() uses the journal only for a write that crosses a unit of the interruption", async () => {
  const rows:
    readonly (readonly [survives: Interruption, offset: number, length: number, isProtected: boolean])[] = [
      ["processDeath", 0, 4096, false],
      ["processDeath", 3584, 512, false],
      ["processDeath", 3584, 1024, true],
      ["processDeath", 4096, 4097, true],
      ["powerLoss", 512, 512, false],
      ["powerLoss", 1023, 1, false],
      ["powerLoss", 0, 1024, true],
      ["powerLoss", 511, 2, true],
    ];
  for (const [survives, offset, length, isProtected] of rows) {
    const [store, journal] = [filled(), notingJournal()];
    const from = Uint8Array.from({ length }, (_, index) => index + 7);
    await writeAtomically(store, journal, { offset, from, survives });
    assertEquals(contentOf(store, offset, length), from);
    assertEquals(journal.noted.length, isProtected ? 1 : 0, `${length} at ${offset}`);
    if (isProtected) {
      assertEquals(journal.noted, [{ offset, old: new Uint8Array(length).fill(1), fresh: from }]);
    }
  }
});

Deno.test("writeAtomically() supports an asynchronous store, with and without a journal", async () => {
  for (const journal of [notingJournal(), undefined]) {
    for (const length of [512, 8192]) {
      const memory = filled();
      const from = new Uint8Array(length).fill(2);
      await writeAtomically(new SlowStore(memory, { delayMs: 0 }), journal, {
        offset: 0,
        from,
        survives: "powerLoss",
      });
      assertEquals(contentOf(memory, 0, length), from);
    }
  }
});

Deno.test("writeAtomically() reports failures of the medium, and restores without a journal, too", async () => {
  const memory = filled();
  const faulty = new FaultyStore(memory);
  const original = memory.write.bind(memory);
  memory.write = async (offset, from) => {
    await original(offset, from.subarray(0, 4096));
    if (from.length > 4096) throw new StoreError("outOfSpace", "full");
  };
  const write = { offset: 8192, from: new Uint8Array(16_384).fill(2), survives: "processDeath" } as const;
  const failed = await assertRejects(() => writeAtomically(faulty, undefined, write), StoreError);
  assertEquals(failed.kind, "outOfSpace");
  assert(contentOf(memory, 0, SIZE).every((byte) => byte === 1));
  faulty.inject({ operation: "read", kind: "readFailed" });
  const unread = await assertRejects(() => writeAtomically(faulty, notingJournal(), write), StoreError);
  assertEquals(unread.kind, "readFailed");
});
