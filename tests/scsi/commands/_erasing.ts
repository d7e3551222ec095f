/** Shared parts of the tests of SANITIZE and FORMAT UNIT: a medium full of data, and what outlives a unit. */
import type { EraseRecord, Unfinished } from "../../../lib/scsi/medium/erase_record.ts";
import type { AtomicJournal } from "../../../lib/store/atomic_journal.ts";
import { StoreError } from "../../../lib/store/block_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import type { SlowStore } from "../../support/slow_store.ts";

/** Makes a store of 1 MiB that is full of data. */
export function makeFullStore({ canUnmap = true } = {}): MemoryStore {
  const store = new MemoryStore({ sizeBytes: 1024 * 1024, canUnmap });
  store.writeNow(0, new Uint8Array(store.sizeBytes).fill(0xa5));
  return store;
}

/** Returns all bytes of a store. */
export function contentOf(store: MemoryStore): Uint8Array {
  const content = new Uint8Array(store.sizeBytes);
  store.readNow(0, content);
  return content;
}

/** Lets the work proceed that can. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** Releases the work of a store until none is left. */
export async function drain(slow: SlowStore): Promise<void> {
  while (slow.pending.length > 0) {
    slow.releaseAll();
    await settle();
  }
}

/** A journal that records its calls, and can fail to erase. */
export function notingJournal(calls: string[], fails = false): AtomicJournal {
  return {
    protect: () => Promise.reject(new Error("It is not asked to protect")),
    flush: () => Promise.resolve(void calls.push("flush")),
    erase: () => {
      calls.push("erase");
      return fails ? Promise.reject(new StoreError("writeFailed", "injected")) : Promise.resolve();
    },
    close: () => {},
  };
}

/** A record that outlives the units that use it, and can fail. */
export class KeptRecord implements EraseRecord {
  unfinished: Unfinished | undefined;
  fails = false;
  readonly history: string[] = [];

  // deno-lint-ignore require-await
  async keep(unfinished: Unfinished | undefined): Promise<void> {
    if (this.fails) throw new StoreError("outOfSpace", "Cannot save: injected failure");
    this.history.push(unfinished ?? "completed");
    this.unfinished = unfinished;
  }
}
