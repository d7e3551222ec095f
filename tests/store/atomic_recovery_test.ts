import { assert, assertEquals, assertThrows } from "@std/assert";
import { writeUint32, writeUint64 } from "../../lib/bytes/big_endian.ts";
import { crc32c } from "../../lib/bytes/crc32c.ts";
import { BODY_OFFSET, encodeBody, encodeHeader } from "../../lib/store/atomic_record.ts";
import {
  allocateJournal,
  keptJournalOf,
  type OpeningStore,
  recoverAtomicWrites,
  type Recovery,
} from "../../lib/store/atomic_recovery.ts";
import { StoreError, type StoreErrorKind } from "../../lib/store/block_store.ts";
import type { Replacement } from "../../lib/store/write_or_restore.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { MemoryStore } from "../support/memory_store.ts";

const OWNER = "3000000000000001";
const SIZE_BYTES = 64 * 1024;

/** A store that is being opened, which records what became durable, and when. */
class OpeningMemory extends MemoryStore implements OpeningStore {
  /** The content of the journal when the store was flushed. */
  readonly flushedWith: Uint8Array[] = [];
  readonly #journalPath: string;

  constructor(journalPath: string, readOnly = false) {
    super({ sizeBytes: SIZE_BYTES, readOnly });
    this.#journalPath = journalPath;
  }

  flushNow(): void {
    this.flushedWith.push(Deno.readFileSync(this.#journalPath));
  }
}

interface Fixture {
  readonly path: string;
  readonly store: OpeningMemory;
  content(): Uint8Array;
  recover(): Recovery | undefined;
}

/** Runs a test with a store whose bytes are all 1, and a path for its journal. */
function withStore(test: (fixture: Fixture) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "iscsi-recovery-" });
  try {
    const path = `${folder}/journal`;
    const store = new OpeningMemory(path);
    store.writeNow(0, new Uint8Array(SIZE_BYTES).fill(1));
    test({
      path,
      store,
      content: () => {
        const bytes = new Uint8Array(SIZE_BYTES);
        store.readNow(0, bytes);
        return bytes;
      },
      recover: () => recoverAtomicWrites(path, OWNER, store),
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function writeJournal(
  path: string,
  replacements: readonly Replacement[],
  owner = OWNER,
): Uint8Array<ArrayBuffer> {
  const body = encodeBody(replacements);
  const journal = new Uint8Array(BODY_OFFSET + body.length);
  journal.set(encodeHeader(owner, body, replacements.length));
  journal.set(body, BODY_OFFSET);
  Deno.writeFileSync(path, journal);
  return journal;
}

/** A write of 2s where 1s are. */
function replacement(offset: number, length: number): Replacement {
  return { offset, old: new Uint8Array(length).fill(1), fresh: new Uint8Array(length).fill(2) };
}

function isRetired(path: string): boolean {
  return Deno.readFileSync(path).subarray(0, 512).every((byte) => byte === 0);
}

function kindThrown(recover: () => unknown): StoreErrorKind {
  const error = assertThrows(recover, StoreError);
  assert(error instanceof StoreError);
  return error.kind;
}

Deno.test("recoverAtomicWrites() does nothing without a record", () => {
  withStore(({ path, store, recover }) => {
    assertEquals(recover(), undefined);
    Deno.writeFileSync(path, new Uint8Array());
    assertEquals(recover(), undefined);
    Deno.writeFileSync(path, new Uint8Array(10_000).fill(9, 512));
    assertEquals(recover(), undefined);
    assertEquals([store.writeCount, store.flushedWith.length], [1, 0]);
  });
});

Deno.test("recoverAtomicWrites() restores torn writes, durably before it erases the record", () => {
  withStore(({ path, store, content, recover }) => {
    const [torn, whole, untouched] = [
      replacement(4096 + 512, 8192),
      replacement(32_768, 4096),
      replacement(0, 1024),
    ];
    const journal = writeJournal(path, [torn, whole, untouched]);
    store.writeNow(torn.offset + 512, torn.fresh.subarray(0, 4096));
    store.writeNow(whole.offset, whole.fresh);
    const writesBefore = store.writeCount;
    assertEquals(recover(), { kind: "restored" });
    assertEquals(content(), new Uint8Array(SIZE_BYTES).fill(1).fill(2, 32_768, 36_864));
    assertEquals(store.writeCount - writesBefore, 1, "what is right already is not written");
    assertEquals(store.flushedWith, [journal]);
    assert(isRetired(path));
    store.writeNow(torn.offset, torn.fresh.subarray(0, 512));
    assertEquals(recover(), undefined, "and not again");
  });
});

Deno.test("recoverAtomicWrites() changes nothing of a write that is whole or has not begun", () => {
  for (const fresh of [true, false]) {
    withStore(({ path, store, recover }) => {
      const write = replacement(4096, 8192);
      const journal = writeJournal(path, [write]);
      if (fresh) store.writeNow(write.offset, write.fresh);
      const writesBefore = store.writeCount;
      assertEquals(recover(), undefined);
      assertEquals([store.writeCount - writesBefore, store.flushedWith], [0, [journal]]);
      assert(isRetired(path));
    });
  }
});

Deno.test("recoverAtomicWrites() changes nothing in a file with other content, and keeps the record", () => {
  const other = replacement(8192, 4096);
  const cases: readonly ((fixture: Fixture) => void)[] = [
    // Something else in one sector of a write that would be torn.
    ({ path, store }) => {
      writeJournal(path, [replacement(0, 4096), other]);
      store.writeNow(0, new Uint8Array(512).fill(2));
      store.writeNow(8192 + 1024, Uint8Array.of(7));
    },
    ({ path }) => writeJournal(path, [other], "3000000000000002"),
    // The file is shorter than it was.
    ({ path }) => writeJournal(path, [replacement(SIZE_BYTES - 512, 1024)]),
  ];
  for (const prepare of cases) {
    withStore((fixture) => {
      prepare(fixture);
      const { path, store, content, recover } = fixture;
      const [before, journal, writesBefore] = [content(), Deno.readFileSync(path), store.writeCount];
      assertEquals(recover(), { kind: "other", keptPath: keptJournalOf(path) });
      assertEquals([content(), store.writeCount], [before, writesBefore]);
      assertEquals(Deno.readFileSync(keptJournalOf(path)), journal);
      assertEquals(recover(), undefined, "it is not looked at again");
    });
  }
});

Deno.test("recoverAtomicWrites() ignores the case of designators", () => {
  withStore(({ path, store }) => {
    const write = replacement(0, 4096);
    writeJournal(path, [write], "300000000000000a");
    store.writeNow(0, write.fresh.subarray(0, 512));
    assertEquals(recoverAtomicWrites(path, "300000000000000A", store)?.kind, "restored");
  });
});

Deno.test("recoverAtomicWrites() reports an incomplete or damaged record once", () => {
  withStore(({ path, store, recover }) => {
    const journal = writeJournal(path, [replacement(0, 4096)]);
    store.writeNow(0, new Uint8Array(512).fill(2));
    Deno.writeFileSync(path, journal.subarray(0, -1));
    assertEquals(recover(), { kind: "incomplete" });
    assert(isRetired(path));
    assertEquals(recover(), undefined);
    journal[100]! ^= 1;
    Deno.writeFileSync(path, journal);
    assertEquals(recover(), { kind: "damaged", keptPath: keptJournalOf(path) });
    assertEquals(Deno.readFileSync(keptJournalOf(path)), journal);
    assertEquals(recover(), undefined);
    assertEquals(store.writeCount, 2);
  });
});

Deno.test("recoverAtomicWrites() refuses the journal of a newer program, and does not change it", () => {
  withStore(({ path, recover }) => {
    const journal = writeJournal(path, [replacement(0, 4096)]);
    journal[11] = 3;
    Deno.writeFileSync(path, journal);
    assertEquals(kindThrown(recover), "readFailed");
    assertThrows(recover, StoreError, `Cannot use journal "${path}": it has version 3`);
    assertEquals(Deno.readFileSync(path), journal);
  });
});

Deno.test("recoverAtomicWrites() restores the write of a version 1 record", () => {
  withStore(({ path, store, content, recover }) => {
    const header = new Uint8Array(BODY_OFFSET + 8192).fill(1, BODY_OFFSET);
    header.set(new TextEncoder().encode("ISCSIUND"));
    writeUint32(header, 8, 1);
    writeUint32(header, 12, 8192);
    writeUint64(header, 16, 4096);
    writeUint32(header, 24, crc32c(header.subarray(BODY_OFFSET), crc32c(header, 0, 0, 24)));
    Deno.writeFileSync(path, header);
    store.writeNow(8192, new Uint8Array(512).fill(2));
    assertEquals(recover(), { kind: "restored" });
    assertEquals(content(), new Uint8Array(SIZE_BYTES).fill(1));
  });
});

Deno.test("recoverAtomicWrites() refuses a read-only store only if it must write", () => {
  withStore(({ path }) => {
    const memory = new OpeningMemory(path, true);
    writeJournal(path, [{ offset: 0, old: new Uint8Array(1024), fresh: new Uint8Array(1024).fill(2) }]);
    assertEquals(recoverAtomicWrites(path, OWNER, memory), undefined);
    // It holds 0s; half of the new bytes are 0s, too.
    writeJournal(path, [{
      offset: 0,
      old: new Uint8Array(1024).fill(1, 512),
      fresh: new Uint8Array(1024).fill(2, 0, 512),
    }]);
    const recover = (): unknown => recoverAtomicWrites(path, OWNER, memory);
    assertThrows(recover, StoreError, "make it writable and start once");
    assertEquals(kindThrown(recover), "readOnly");
    assert(!isRetired(path));
  });
});

Deno.test("recoverAtomicWrites() keeps the record until the old bytes are durable", () => {
  withStore(({ path, store, recover }) => {
    writeJournal(path, [replacement(0, 4096)]);
    store.writeNow(0, new Uint8Array(512).fill(2));
    store.flushNow = () => {
      throw new StoreError("flushFailed", "told to");
    };
    assertEquals(kindThrown(recover), "flushFailed");
    assert(!isRetired(path));
    for (const operation of ["read", "write"] as const) {
      const faulty = Object.assign(new FaultyStore(store), { flushNow: () => {} });
      store.writeNow(0, new Uint8Array(512).fill(2));
      faulty.inject({ operation, kind: `${operation}Failed` });
      assertEquals(kindThrown(() => recoverAtomicWrites(path, OWNER, faulty)), `${operation}Failed`);
      assert(!isRetired(path));
    }
  });
});

Deno.test("recoverAtomicWrites() throws for a store that does not act at once", () => {
  withStore(({ path, store }) => {
    writeJournal(path, [replacement(0, 4096)]);
    store.writeNow(0, new Uint8Array(512).fill(2));
    const [readNow, writeNow] = [store.readNow.bind(store), (): boolean => false];
    for (const declining of [{ readNow: writeNow }, { readNow, writeNow }]) {
      assertThrows(
        () => recoverAtomicWrites(path, OWNER, Object.assign(store, declining)),
        Error,
        "did not act at once",
      );
      assert(!isRetired(path));
    }
  });
});

Deno.test("recoverAtomicWrites() names the journal that it cannot read or write", () => {
  withStore(({ path, recover }) => {
    Deno.mkdirSync(path);
    assertEquals(kindThrown(recover), "readFailed");
    assertThrows(recover, StoreError, `Cannot read journal "${path}"`);
  });
  withStore(({ path, recover }) => {
    writeJournal(path, [replacement(SIZE_BYTES, 512)]);
    Deno.mkdirSync(`${keptJournalOf(path)}/full`, { recursive: true });
    assertEquals(kindThrown(recover), "writeFailed");
    assertThrows(recover, StoreError, `Cannot rename journal "${path}"`);
  });
});

Deno.test("recoverAtomicWrites() fails when the record cannot be erased", () => {
  withStore(({ path, store, recover }) => {
    const journal = writeJournal(path, [replacement(0, 4096)]);
    store.writeNow(0, new Uint8Array(512).fill(2));
    const { writeSync } = Deno.FsFile.prototype;
    Deno.FsFile.prototype.writeSync = () => {
      throw new Error("Input/output error (os error 5)");
    };
    try {
      assertEquals(kindThrown(recover), "writeFailed");
      assertThrows(recover, StoreError, `Cannot write journal "${path}": Input/output error`);
    } finally {
      Deno.FsFile.prototype.writeSync = writeSync;
    }
    assertEquals(Deno.readFileSync(path), journal);
  });
});

Deno.test("allocateJournal() allocates the space of a record, with real zeros", () => {
  withStore(({ path }) => {
    allocateJournal(path, 131_072);
    const { size, blocks, mode } = Deno.statSync(path);
    // Header and body: 12 bytes and a checksum for each of up to 257 sectors beside the old bytes.
    assertEquals([size, mode! & 0o777], [4096 + 12 + 257 * 4 + 131_072, 0o600]);
    assert(blocks! * 512 >= size);
    assert(Deno.readFileSync(path).every((byte) => byte === 0));
    Deno.writeFileSync(path, new Uint8Array(size).fill(7, 512));
    allocateJournal(path, 131_072);
    assertEquals(Deno.readFileSync(path)[600], 7, "what has its space is left alone");
    allocateJournal(path, 262_144);
    assertEquals(Deno.statSync(path).size, 4096 + 12 + 513 * 4 + 262_144);
    const inFolder = `${path}-folder/journal`;
    allocateJournal(inFolder, 131_072);
    assertEquals(Deno.statSync(`${path}-folder`).mode! & 0o777, 0o700);
    Deno.truncateSync(path, 0);
    Deno.truncateSync(path, 300_000);
    allocateJournal(path, 131_072);
    assert(Deno.statSync(path).blocks! * 512 >= size, "a hole is no space");
  });
});

Deno.test("allocateJournal() does not change a record, and reports lack of space", () => {
  withStore(({ path }) => {
    const journal = writeJournal(path, [replacement(0, 4096)]);
    allocateJournal(path, 131_072);
    assertEquals(Deno.readFileSync(path), journal);
  });
  withStore(({ path }) => {
    const original = Deno.FsFile.prototype.writeSync;
    Deno.FsFile.prototype.writeSync = () => {
      throw new Error("No space left on device (os error 28)");
    };
    try {
      assertEquals(kindThrown(() => allocateJournal(path, 131_072)), "outOfSpace");
      assertThrows(
        () => allocateJournal(path, 131_072),
        StoreError,
        `Cannot allocate journal "${path}"`,
      );
    } finally {
      Deno.FsFile.prototype.writeSync = original;
    }
  });
});
