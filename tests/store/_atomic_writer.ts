/**
 * A process that a test kills. It writes a range of a file atomically, over and over, with one value after the other,
 * page by page. Arguments: file, journal or "none".
 */
import { AtomicJournalFile } from "../../lib/store/atomic_journal.ts";
import { writeAtomically } from "../../lib/store/atomic_write.ts";
import type { BlockStore } from "../../lib/store/block_store.ts";
import { FileStore } from "../../lib/store/file_store.ts";

/** The range that is written: neither end is at a page boundary. */
export const OFFSET = 1536;
export const LENGTH = 512 * 1024;

/** The logical unit whose file it is. */
export const OWNER = "3000000000000001";

/** The file's length. */
export const SIZE = 1024 * 1024;

/** Writes page by page, as the kernel does, but slowly enough to be interrupted in between. */
function pageByPage(store: FileStore): BlockStore {
  const write = store.write.bind(store);
  store.write = async (offset, from) => {
    for (let at = 0; at < from.length; at += 4096) await write(offset + at, from.subarray(at, at + 4096));
  };
  return store;
}

async function writeForever([file, journal]: readonly string[]): Promise<void> {
  const store = pageByPage(FileStore.open(file!, { sizeBytes: SIZE, readOnly: false }));
  const kept = journal === "none"
    ? undefined
    : new AtomicJournalFile(journal!, { store, owner: OWNER, roomBytes: LENGTH });
  const first = new Uint8Array(1);
  store.readNow(OFFSET, first);
  console.log("ready");
  for (let value = first[0]! + 1;; value = (value + 1) % 256) {
    const from = new Uint8Array(LENGTH).fill(value);
    await writeAtomically(store, kept, { offset: OFFSET, from, survives: "processDeath" });
  }
}

if (import.meta.main) await writeForever(Deno.args);
