import { assert, assertEquals, assertRejects } from "@std/assert";
import { AtomicJournalFile } from "../../lib/store/atomic_journal.ts";
import { writeAtomically } from "../../lib/store/atomic_write.ts";
import { FileStore } from "../../lib/store/file_store.ts";
import { type BlockStore, StoreError } from "../../lib/store/block_store.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { FaultyStore } from "../support/faulty_store.ts";

const SIZE = 64 * 1024;

/** Runs a test in a folder of its own. */
async function inFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "iscsi-atomic-" });
  try {
    await test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function contentOf(store: BlockStore): Uint8Array {
  const bytes = new Uint8Array(store.sizeBytes);
  store.readNow(0, bytes);
  return bytes;
}

/** A store whose every byte is `value`. */
function filled(value: number): MemoryStore {
  const store = new MemoryStore({ sizeBytes: SIZE });
  store.writeNow(0, new Uint8Array(SIZE).fill(value));
  return store;
}

/** What the death of a process looks like to the code that it strikes. */
class Killed extends Error {}

/** A store whose process dies after it has written so many pages: of the write it dies in they stay. */
class MortalStore extends FaultyStore {
  #pagesLeft: number;
  readonly #store: BlockStore;

  constructor(store: BlockStore, pagesLeft: number) {
    super(store);
    this.#store = store;
    this.#pagesLeft = pagesLeft;
  }

  override async write(offset: number, from: Uint8Array): Promise<void> {
    for (let at = 0; at < from.length;) {
      if (this.#pagesLeft-- <= 0) throw new Killed();
      const length = Math.min(4096 - (offset + at) % 4096, from.length - at);
      await this.#store.write(offset + at, from.subarray(at, at + length));
      at += length;
    }
  }
}

Deno.test("writeAtomically() within a page needs no journal", () =>
  inFolder(async (folder) => {
    const store = filled(1);
    const path = `${folder}/journal`;
    const journal = new AtomicJournalFile(path);
    await writeAtomically(store, journal, 4096, new Uint8Array(4096).fill(2));
    await writeAtomically(store, journal, 512, new Uint8Array(512).fill(3));
    await assertRejects(() => Deno.stat(path), Deno.errors.NotFound);
    const bytes = contentOf(store);
    assertEquals([bytes[511], bytes[512], bytes[1024], bytes[4096], bytes[8191], bytes[8192]], [
      1,
      3,
      1,
      2,
      2,
      1,
    ]);
    journal.close();
  }));

Deno.test("writeAtomically() is whole or not there, after whichever page the process dies", () =>
  inFolder(async (folder) => {
    // 512 bytes into a page, and through three more: five pages, of which the first and last in part.
    const [offset, length] = [4096 + 512, 4 * 4096];
    for (let pages = 0; pages <= 5; pages++) {
      const store = filled(1);
      const path = `${folder}/journal-${pages}`;
      const journal = new AtomicJournalFile(path);
      // The journal retires its record behind whatever is thrown, which a process that is dead does not do.
      const mortal = new MortalStore(store, pages);
      const written = journal.protect(offset, new Uint8Array(length).fill(1), async () => {
        const image = await dieAt(mortal, offset, length);
        if (image) Deno.copyFileSync(path, `${path}.left`);
      });
      await written;
      journal.close();
      const torn = contentOf(store).subarray(offset, offset + length);
      if (pages === 5) {
        assert(torn.every((byte) => byte === 2), "complete");
        continue;
      }
      const recovering = new AtomicJournalFile(`${path}.left`);
      assertEquals(recovering.recover(store), true);
      assert(contentOf(store).every((byte) => byte === 1), `${pages} pages were taken back`);
      assertEquals(recovering.recover(store), false, "and are not taken back again");
      recovering.close();
    }
  }));

/** Writes until the process dies; returns whether it did. */
async function dieAt(store: BlockStore, offset: number, length: number): Promise<boolean> {
  try {
    await store.write(offset, new Uint8Array(length).fill(2));
    return false;
  } catch (error) {
    if (error instanceof Killed) return true;
    throw error;
  }
}

Deno.test("a journal is taken for what it is, wherever its own writing was cut short", () =>
  inFolder(async (folder) => {
    const path = `${folder}/journal`;
    const journal = new AtomicJournalFile(path);
    const old = Uint8Array.from({ length: 8192 }, (_, index) => index * 7 + (index >> 8));
    let record = new Uint8Array();
    await journal.protect(4096, old, () => {
      record = Deno.readFileSync(path);
      return Promise.resolve();
    });
    journal.close();
    const retired = Deno.readFileSync(path);
    const recover = (image: Uint8Array): boolean => {
      Deno.writeFileSync(path, image);
      return new AtomicJournalFile(path).recover(filled(1));
    };
    assertEquals(record.length, 4096 + old.length);
    assertEquals([recover(record), recover(retired), recover(new Uint8Array())], [true, false, false]);
    // After kill -9: every page boundary of the bytes, before the header is there.
    for (let length = 4096; length <= record.length; length += 512) {
      const image = record.slice(0, length);
      assertEquals(recover(image), length === record.length, `${length} bytes`);
      image.fill(0, 0, 28);
      assertEquals(recover(image), false);
    }
    // After a power failure: any one page is an older one.
    for (let page = 0; page < record.length; page += 512) {
      const image = record.slice();
      image.fill(0xee, page, page + 512);
      assertEquals(recover(image), page >= 512 && page < 4096, `page at ${page}`);
    }
  }));

/** A store that is full after the first page of the first write. */
class HalfWayStore extends FaultyStore {
  writes = 0;
  readonly #store: BlockStore;

  constructor(store: BlockStore) {
    super(store);
    this.#store = store;
  }

  override async write(offset: number, from: Uint8Array): Promise<void> {
    if (++this.writes > 1) return await this.#store.write(offset, from);
    await this.#store.write(offset, from.subarray(0, 4096));
    throw new StoreError("outOfSpace", "full");
  }
}

Deno.test("writeAtomically() takes back a write that fails half way, and leaves holes alone", () =>
  inFolder(async (folder) => {
    const inner = filled(1);
    const half = new HalfWayStore(inner);
    const journal = new AtomicJournalFile(`${folder}/journal`);
    const failed = await assertRejects(
      () => writeAtomically(half, journal, 8192, new Uint8Array(16384).fill(2)),
      StoreError,
    );
    assertEquals(failed.kind, "outOfSpace");
    assert(contentOf(inner).every((byte) => byte === 1));
    assertEquals(half.writes, 2, "one page was written, and one was put back");
    assertEquals(new AtomicJournalFile(`${folder}/journal`).recover(inner), false);
    journal.close();
  }));

Deno.test("a journal protects one write at a time, and goes on after one that failed", () =>
  inFolder(async (folder) => {
    const journal = new AtomicJournalFile(`${folder}/journal`);
    const order: string[] = [];
    const work = (name: string) => async (): Promise<void> => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 0));
      order.push(`${name} ends`);
      if (name === "b") throw new StoreError("writeFailed", "b");
    };
    const old = new Uint8Array(8192);
    const results = await Promise.allSettled(
      ["a", "b", "c"].map((name) => journal.protect(0, old, work(name))),
    );
    assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    assertEquals(order, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
    await journal.flush();
    journal.close();
  }));

Deno.test("a journal that cannot be written keeps the write from beginning", () =>
  inFolder(async (folder) => {
    const journal = new AtomicJournalFile(`${folder}/missing/journal`);
    const store = filled(1);
    const failed = await assertRejects(
      () => writeAtomically(store, journal, 0, new Uint8Array(8192).fill(2)),
      StoreError,
    );
    assertEquals(failed.kind, "writeFailed");
    assert(contentOf(store).every((byte) => byte === 1));
    await journal.flush();
  }));

Deno.test("a journal whose flush has failed once promises nothing any more, until it is opened anew", () =>
  inFolder(async (folder) => {
    const path = `${folder}/journal`;
    const journal = new AtomicJournalFile(path);
    const protectOnce = (): Promise<void> =>
      journal.protect(0, new Uint8Array(8192), () => Promise.resolve());
    await protectOnce();
    const original = Deno.FsFile.prototype.syncData;
    Deno.FsFile.prototype.syncData = () => Promise.reject(new Error("Input/output error (os error 5)"));
    try {
      await assertRejects(() => journal.flush(), StoreError, `Cannot flush journal "${path}"`);
    } finally {
      Deno.FsFile.prototype.syncData = original;
    }
    await assertRejects(() => journal.flush(), StoreError, `Cannot flush journal "${path}"`);
    await protectOnce();
    await assertRejects(() => journal.flush(), StoreError, `Cannot flush journal "${path}"`);
    journal.close();
    const again = new AtomicJournalFile(path);
    await again.flush();
    again.close();
  }));

Deno.test("a journal whose record cannot be taken out again promises nothing any more", () =>
  inFolder(async (folder) => {
    const journal = new AtomicJournalFile(`${folder}/journal`);
    const original = Deno.FsFile.prototype.write;
    Deno.FsFile.prototype.write = function (bytes): Promise<number> {
      return bytes.every((byte) => byte === 0)
        ? Promise.reject(new Error("Input/output error (os error 5)"))
        : original.call(this, bytes);
    };
    try {
      const old = new Uint8Array(8192).fill(1);
      await assertRejects(() => journal.protect(0, old, () => Promise.resolve()), StoreError);
    } finally {
      Deno.FsFile.prototype.write = original;
    }
    await assertRejects(() => journal.flush(), StoreError, "Cannot flush journal");
    journal.close();
  }));

Deno.test("recover() refuses a store that it cannot write to, and says what to do", () =>
  inFolder(async (folder) => {
    const path = `${folder}/journal`;
    const journal = new AtomicJournalFile(path);
    await journal.protect(0, new Uint8Array(8192), () => {
      Deno.copyFileSync(path, `${path}.left`);
      return Promise.resolve();
    });
    journal.close();
    Deno.writeFileSync(`${folder}/disk`, new Uint8Array(SIZE));
    const store = FileStore.open(`${folder}/disk`, { sizeBytes: SIZE, readOnly: true });
    try {
      new AtomicJournalFile(`${path}.left`).recover(store);
      assert(false, "it was recovered");
    } catch (error) {
      assert(error instanceof StoreError && error.kind === "readOnly");
      assert(error.message.includes("make it writable and start once"));
    }
    store.close();
  }));
