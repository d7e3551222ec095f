import { assert, assertEquals, assertRejects } from "@std/assert";
import { AtomicJournalFile } from "../../lib/store/atomic_journal.ts";
import { decodeJournal } from "../../lib/store/atomic_record.ts";
import { allocateJournal, keptJournalOf } from "../../lib/store/atomic_recovery.ts";
import { type BlockStore, StoreError, type StoreErrorKind } from "../../lib/store/block_store.ts";
import { type Replacement, writeOrRestore } from "../../lib/store/write_or_restore.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { countHandles } from "../support/open_handles.ts";
import { LoggedStore, OperationLog } from "./_operation_log.ts";

const OWNER = "300000000000000A";
const SIZE_BYTES = 1024 * 1024;
const ROOM_BYTES = 16_384;

interface Fixture {
  readonly path: string;
  readonly memory: MemoryStore;
  readonly store: LoggedStore;
  readonly journal: AtomicJournalFile;
  readonly log: OperationLog;
}

/** Runs a test with a journal, in a new folder, of a store whose bytes are all 1. */
async function withJournal(test: (fixture: Fixture) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "iscsi-journal-" });
  const path = `${folder}/journal`;
  const memory = new MemoryStore({ sizeBytes: SIZE_BYTES });
  memory.writeNow(0, new Uint8Array(SIZE_BYTES).fill(1));
  const log = new OperationLog();
  const store = new LoggedStore(memory, log);
  const journal = new AtomicJournalFile(path, { store, owner: OWNER, roomBytes: ROOM_BYTES });
  try {
    await test({ path, memory, store, journal, log });
  } finally {
    journal.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A write of 2s where 1s are. */
function replacement(offset: number, length = 8192): Replacement {
  return { offset, old: new Uint8Array(length).fill(1), fresh: new Uint8Array(length).fill(2) };
}

/** Protects a write to a store. */
function protect(journal: AtomicJournalFile, store: BlockStore, write: Replacement): Promise<void> {
  return journal.protect(write, () => writeOrRestore(store, write));
}

async function kindRejected(promise: Promise<unknown>): Promise<StoreErrorKind> {
  const error = await assertRejects(() => promise, StoreError);
  return (error as StoreError).kind;
}

function contentOf(memory: MemoryStore): Uint8Array {
  const bytes = new Uint8Array(SIZE_BYTES);
  memory.readNow(0, bytes);
  return bytes;
}

/** Makes a method of every handle fail while a test runs. */
async function withBroken(
  method: "write" | "sync" | "syncData",
  errno: number,
  work: () => Promise<void>,
  breaks: (bytes: Uint8Array) => boolean = () => true,
): Promise<void> {
  const original = Deno.FsFile.prototype[method];
  Object.assign(Deno.FsFile.prototype, {
    [method](this: Deno.FsFile, bytes: Uint8Array): Promise<unknown> {
      if (method === "write" && !breaks(bytes)) return Reflect.apply(original, this, [bytes]);
      return Promise.reject(new Error(`told to fail (os error ${errno})`));
    },
  });
  try {
    await work();
  } finally {
    Object.assign(Deno.FsFile.prototype, { [method]: original });
  }
}

Deno.test("AtomicJournalFile makes the record durable before the data, and the data before it erases the record", () =>
  withJournal(async ({ path, memory, store, journal, log }) => {
    const write = replacement(4096);
    let recorded: Uint8Array | undefined;
    const original = store.write.bind(store);
    store.write = (offset, from) => {
      recorded = Deno.readFileSync(path);
      return original(offset, from);
    };
    await log.record(() => protect(journal, store, write));
    assertEquals(log.names, [
      "journal write",
      "journal write",
      "journal sync",
      "folder sync",
      "store write",
      "store sync",
      "journal write",
    ]);
    const content = decodeJournal(recorded!);
    assert(content.kind === "record");
    assertEquals([content.owner, content.writes.map(({ offset, old }) => [offset, old])], [
      OWNER.toLowerCase(),
      [[write.offset, write.old]],
    ]);
    assertEquals(decodeJournal(Deno.readFileSync(path)), { kind: "nothing" });
    assertEquals(contentOf(memory), new Uint8Array(SIZE_BYTES).fill(1).fill(2, 4096, 12_288));
    log.operations.length = 0;
    await log.record(() => protect(journal, store, replacement(65_536)));
    assertEquals(log.names.filter((name) => name === "folder sync"), [], "its name is on the disk by now");
    assertEquals(log.names.filter((name) => name === "journal sync"), ["journal sync"]);
  }));

Deno.test("AtomicJournalFile records concurrent writes together, as far as there is room", () =>
  withJournal(async ({ memory, store, journal, log }) => {
    // The first is alone; then one of 8 KiB and one of 7 KiB fit, and a third does not; what fits no record is alone.
    const lengths = [8192, 8192, 7168, 1024, 65_536, 512];
    let offset = 0;
    const all = lengths.map((length) => {
      const write = replacement(offset, length);
      offset += length;
      return write;
    });
    const ended: number[] = [];
    await log.record(async () => {
      const first = protect(journal, store, all[0]!);
      await Promise.resolve();
      await Promise.resolve();
      const rest = all.slice(1).map((write) => protect(journal, store, write));
      await Promise.all([first, ...rest].map((done, index) => done.then(() => ended.push(index))));
    });
    const rounds = log.names.join().split("journal sync").slice(1)
      .map((round) => round.split("store write").length - 1);
    assertEquals([rounds, ended], [[1, 2, 1, 1, 1], [0, 1, 2, 3, 4, 5]]);
    assertEquals(contentOf(memory), new Uint8Array(SIZE_BYTES).fill(1).fill(2, 0, offset));
  }));

Deno.test("AtomicJournalFile reports a failed write to its caller only, with the old bytes restored", () =>
  withJournal(async ({ path, memory, store, journal }) => {
    store.inject({ operation: "write", kind: "outOfSpace", startBytes: 16_384, endBytes: 16_385 });
    const results = await Promise.allSettled(
      [0, 16_384, 32_768].map((at) => protect(journal, store, replacement(at))),
    );
    assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    assertEquals((results[1] as PromiseRejectedResult).reason.kind, "outOfSpace");
    const content = contentOf(memory);
    assertEquals([0, 16_384, 32_768].map((at) => content[at]), [2, 1, 2]);
    assertEquals(decodeJournal(Deno.readFileSync(path)), { kind: "nothing" });
    store.heal();
    await protect(journal, store, replacement(16_384));
    await journal.flush();
  }));

Deno.test("AtomicJournalFile keeps the record of a torn write, and fails from then on", () =>
  withJournal(async ({ path, memory, store, journal }) => {
    const original = store.write.bind(store);
    store.write = async (offset, from) => {
      await original(offset, from.subarray(0, 4096));
      store.inject({ operation: "write", kind: "writeFailed" });
      throw new StoreError("outOfSpace", "told to fail");
    };
    assertEquals(await kindRejected(protect(journal, store, replacement(0))), "outOfSpace");
    assertEquals(contentOf(memory).subarray(4095, 4097), Uint8Array.of(2, 1));
    assertEquals(decodeJournal(Deno.readFileSync(path)).kind, "record");
    assertEquals(await kindRejected(journal.flush()), "flushFailed");
    store.write = original;
    store.heal();
    assertEquals(await kindRejected(protect(journal, store, replacement(65_536))), "flushFailed");
    assertEquals(contentOf(memory)[65_536], 1, "it was not begun");
    const content = decodeJournal(Deno.readFileSync(path));
    assert(content.kind === "record");
    assertEquals(
      content.writes[0]!.offset,
      0,
      "and its record has not taken the place of the one that is needed",
    );
  }));

Deno.test("AtomicJournalFile keeps the record of writes that cannot be made durable", () =>
  withJournal(async ({ path, store, journal }) => {
    store.inject({ operation: "flush", kind: "flushFailed" });
    assertEquals(await kindRejected(protect(journal, store, replacement(0))), "flushFailed");
    assertEquals(decodeJournal(Deno.readFileSync(path)).kind, "record");
    store.heal();
    assertEquals(await kindRejected(journal.flush()), "flushFailed");
  }));

Deno.test("AtomicJournalFile that cannot be written prevents a write, and recovers", () =>
  withJournal(async ({ memory, store, journal }) => {
    for (const [errno, kind] of [[28, "outOfSpace"], [5, "writeFailed"]] as const) {
      await withBroken("write", errno, async () => {
        assertEquals(await kindRejected(protect(journal, store, replacement(0))), kind);
      });
    }
    assertEquals(contentOf(memory)[0], 1);
    await protect(journal, store, replacement(0));
    assertEquals(contentOf(memory)[0], 2);
    const elsewhere = new AtomicJournalFile("/nonexistent/journal", {
      store,
      owner: OWNER,
      roomBytes: ROOM_BYTES,
    });
    assertEquals(await kindRejected(protect(elsewhere, store, replacement(0))), "writeFailed");
    assertRejects(
      () => protect(elsewhere, store, replacement(0)),
      StoreError,
      'journal "/nonexistent/journal"',
    );
    await elsewhere.flush();
  }));

Deno.test("AtomicJournalFile whose record cannot be made durable prevents all writes from then on", () =>
  withJournal(async ({ path, memory, store, journal }) => {
    await withBroken("sync", 5, async () => {
      assertEquals(await kindRejected(protect(journal, store, replacement(0))), "flushFailed");
    });
    assertEquals(await kindRejected(protect(journal, store, replacement(0))), "flushFailed");
    await assertRejects(() => journal.flush(), StoreError, `Cannot flush journal "${path}": told to fail`);
    assertEquals(contentOf(memory)[0], 1);
    const again = new AtomicJournalFile(path, { store, owner: OWNER, roomBytes: ROOM_BYTES });
    await again.flush();
    again.close();
  }));

Deno.test("AtomicJournalFile whose record cannot be erased fails from then on", () =>
  withJournal(async ({ store, journal }) => {
    const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);
    await withBroken("write", 5, async () => {
      assertEquals(await kindRejected(protect(journal, store, replacement(0))), "writeFailed");
    }, isZero);
    assertEquals(await kindRejected(journal.flush()), "flushFailed");
  }));

Deno.test("AtomicJournalFile.flush() syncs an existing file, and each erased record", () =>
  withJournal(async ({ path, store, journal, log }) => {
    const flush = (): Promise<void> => log.record(() => journal.flush());
    await flush();
    assertEquals(log.names, [], "there is no file");
    await protect(journal, store, replacement(0));
    log.operations.length = 0;
    await flush();
    assertEquals(log.names, ["journal sync"]);
    await flush();
    assertEquals(log.names, ["journal sync"], "once is enough");
    const found = new AtomicJournalFile(path, { store, owner: OWNER, roomBytes: ROOM_BYTES });
    await log.record(() => found.flush());
    found.close();
    assertEquals(log.names.slice(1), ["journal sync", "folder sync"]);
  }));

Deno.test("AtomicJournalFile.flush() that fails is final, and one that cannot open the file is not", () =>
  withJournal(async ({ path, store, journal }) => {
    Deno.mkdirSync(path);
    assertEquals(await kindRejected(journal.flush()), "flushFailed");
    Deno.removeSync(path);
    await journal.flush();
    await protect(journal, store, replacement(0));
    await withBroken("syncData", 5, async () => {
      assertEquals(await kindRejected(journal.flush()), "flushFailed");
    });
    assertEquals(await kindRejected(journal.flush()), "flushFailed");
  }));

Deno.test("AtomicJournalFile.flush() is shared by concurrent callers, and waits for the round under way", () =>
  withJournal(async ({ store, journal, log }) => {
    await log.record(async () => {
      const written = protect(journal, store, replacement(0));
      await Promise.all([1, 2, 3].map(() => journal.flush()));
      await written;
    });
    assertEquals(log.names.slice(-2), ["journal write", "journal sync"]);
    assertEquals(log.names.filter((name) => name === "journal sync").length, 2);
  }));

Deno.test("AtomicJournalFile.erase() leaves no byte of the store in any file, nor on the disk", () =>
  withJournal(async ({ path, store, journal, log }) => {
    await journal.erase();
    allocateJournal(path, ROOM_BYTES);
    // Larger than what it was made for, and than what is erased at a time.
    const secret = replacement(0, 600_000);
    await protect(journal, store, secret);
    assert(Deno.readFileSync(path).includes(1), "the old bytes are still in it");
    const { size } = Deno.statSync(path);
    Deno.copyFileSync(path, keptJournalOf(path));
    log.operations.length = 0;
    await log.record(() => journal.erase());
    assertEquals(Deno.readFileSync(path), new Uint8Array(size));
    assertEquals([...Deno.readDirSync(path.slice(0, -"/journal".length))].map(({ name }) => name), [
      "journal",
    ]);
    assertEquals(log.names.filter((name) => name === "journal sync").length, 2);
    assertEquals([log.names.at(-1), log.names[3]], ["journal sync", "journal sync"], "each after its bytes");
    await protect(journal, store, replacement(0));
    Deno.writeFileSync(path, new Uint8Array(size).fill(1));
    await journal.erase();
    assertEquals(Deno.readFileSync(path), new Uint8Array(size), "from the first byte to the last");
  }));

Deno.test("AtomicJournalFile.erase() waits for the writes under way, and reports failures", () =>
  withJournal(async ({ path, store, journal }) => {
    const written = protect(journal, store, replacement(0));
    await journal.erase();
    await written;
    assert(!Deno.readFileSync(path).includes(1));
    for (const method of ["write", "sync"] as const) {
      await withBroken(method, 5, async () => {
        assertEquals(await kindRejected(journal.erase()), "writeFailed");
      });
    }
    Deno.removeSync(path);
    Deno.mkdirSync(path);
    await assertRejects(() => journal.erase(), StoreError, `Cannot erase journal "${path}"`);
  }));

Deno.test("AtomicJournalFile.close() closes its handle", () =>
  withJournal(async ({ path, store, journal }) => {
    await protect(journal, store, replacement(0));
    assertEquals(countHandles(path), 1);
    journal.close();
    assertEquals(countHandles(path), 0);
    journal.close();
  }));
