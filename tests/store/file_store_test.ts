import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { StoreError, type StoreErrorKind } from "../../lib/store/block_store.ts";
import { FileStore } from "../../lib/store/file_store.ts";
import { countHandles } from "../support/open_handles.ts";

const SIZE_BYTES = 1 << 20;

/** Runs `test` with a store on a new sparse file. */
async function withStore(test: (store: FileStore, path: string) => Promise<void> | void): Promise<void> {
  const folder = Deno.makeTempDirSync();
  const path = join(folder, "file");
  Deno.writeFileSync(path, new Uint8Array());
  Deno.truncateSync(path, SIZE_BYTES);
  const store = FileStore.open(path, { sizeBytes: SIZE_BYTES, readOnly: false });
  try {
    await test(store, path);
  } finally {
    store.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

function pattern(length: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + seed) & 0xff);
}

function assertKind(error: unknown, kind: StoreErrorKind): void {
  assertInstanceOf(error, StoreError);
  assertEquals(error.kind, kind);
}

Deno.test("FileStore reads in both forms what was written in both forms", async () => {
  await withStore(async (store, path) => {
    const [first, last] = [pattern(4096, 1), pattern(1536, 2)];
    assert(store.writeNow(512, first));
    await store.write(SIZE_BYTES - last.length, last);
    const now = new Uint8Array(first.length);
    assert(store.readNow(512, now));
    assertEquals(now, first);
    const later = new Uint8Array(last.length);
    await store.read(SIZE_BYTES - last.length, later);
    assertEquals(later, last);
    const file = Deno.readFileSync(path);
    assertEquals(file.length, SIZE_BYTES);
    assertEquals(file.subarray(512, 512 + first.length), first);
    assertEquals(file.subarray(SIZE_BYTES - last.length), last);
  });
});

Deno.test("FileStore does many concurrent reads and writes correctly", async () => {
  await withStore(async (store) => {
    const pieces = Array.from({ length: 100 }, (_, index) => pattern(4096, index));
    await Promise.all(pieces.map((piece, index) => store.write(index * 4096, piece)));
    const now = new Uint8Array(4096);
    const reads = pieces.map(async (piece, index) => {
      const into = new Uint8Array(4096);
      const reading = store.read(index * 4096, into);
      // The handle of this form must not be moved by those of the other.
      store.readNow((99 - index) * 4096, now);
      assertEquals(now, pieces[99 - index]);
      await reading;
      assertEquals(into, piece);
    });
    await Promise.all(reads);
  });
});

Deno.test("FileStore fails reads of a truncated file instead of inventing data", async () => {
  await withStore(async (store, path) => {
    Deno.truncateSync(path, SIZE_BYTES - 512);
    const into = new Uint8Array(1024);
    const now = assertThrows(
      () => store.readNow(SIZE_BYTES - 1024, into),
      StoreError,
      "unexpected end of file",
    );
    assertKind(now, "readFailed");
    assertKind(await assertRejects(() => store.read(SIZE_BYTES - 1024, into)), "readFailed");
    assert(store.readNow(SIZE_BYTES - 1024, into.subarray(512)), "the part that is there can be read");
  });
});

Deno.test("FileStore.open() refuses a file that is too short or missing", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = join(folder, "short");
    Deno.writeFileSync(path, new Uint8Array(512));
    const options = { sizeBytes: 1024, readOnly: false };
    const short = assertThrows(() => FileStore.open(path, options), StoreError, "file is 512 bytes short");
    assertKind(short, "readFailed");
    const missing = assertThrows(
      () => FileStore.open(join(folder, "none"), options),
      StoreError,
      `Cannot open "${folder}/none"`,
    );
    assertKind(missing, "readFailed");
    FileStore.open(path, { sizeBytes: 512, readOnly: false }).close();
    assertThrows(
      () => FileStore.open(path, { sizeBytes: 513, readOnly: false }),
      StoreError,
      "is 1 bytes short",
    );
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("FileStore opened read-only reads and refuses to write", async () => {
  await withStore(async (store, path) => {
    store.writeNow(0, pattern(512, 3));
    const reader = FileStore.open(path, { sizeBytes: SIZE_BYTES, readOnly: true });
    try {
      const into = new Uint8Array(512);
      reader.readNow(0, into);
      assertEquals(into, pattern(512, 3));
      assertKind(assertThrows(() => reader.writeNow(0, new Uint8Array(512))), "readOnly");
      assertKind(await assertRejects(() => reader.write(0, new Uint8Array(512))), "readOnly");
      await reader.flush();
      reader.readNow(0, into);
      assertEquals(into, pattern(512, 3));
    } finally {
      reader.close();
    }
  });
});

Deno.test("FileStore refuses another file that has replaced its own", async () => {
  await withStore(async (store, path) => {
    store.writeNow(0, pattern(512, 4));
    Deno.renameSync(path, `${path}.old`);
    Deno.writeFileSync(path, pattern(SIZE_BYTES, 5));
    const buffers = Array.from({ length: 8 }, () => new Uint8Array(512));
    await Promise.all(buffers.map((into) => store.read(0, into)));
    for (const into of buffers) assertEquals(into, pattern(512, 4));
    // The first handles are still open; those opened since are closed.
    assertEquals(countHandles(`${path}.old`), 3);
    await untilHandles(path, 0);
  });
});

/**
 * Counts how many calls of `Deno.FsFile.syncData` run at once, and makes them wait for `release`; what the
 * store does to its handles is not visible from outside otherwise.
 */
async function withHeldFlushes(
  test: (
    held: { begun: number; running: number; runningMax: number; release(error?: Error): void },
  ) => Promise<void>,
): Promise<void> {
  const original = Deno.FsFile.prototype.syncData;
  const waiting: ((error?: Error) => void)[] = [];
  const held = {
    begun: 0,
    running: 0,
    runningMax: 0,
    release: (error?: Error) => waiting.shift()!(error),
  };
  Deno.FsFile.prototype.syncData = function (): Promise<void> {
    held.begun++;
    held.running++;
    held.runningMax = Math.max(held.runningMax, held.running);
    return new Promise<void>((resolve, reject) => {
      waiting.push((error) => {
        held.running--;
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  };
  try {
    await test(held);
  } finally {
    Deno.FsFile.prototype.syncData = original;
  }
}

/** Waits until every promise that can settle has settled. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("FileStore.flush() shares one waiting flush among all calls while one runs", async () => {
  await withStore(async (store) => {
    await withHeldFlushes(async (held) => {
      let [firstDone, laterDone] = [false, 0];
      const first = store.flush().then(() => firstDone = true);
      await settle();
      const later = [1, 2, 3].map(() => store.flush().then(() => laterDone++));
      await settle();
      assertEquals(held.begun, 1);
      held.release();
      await settle();
      assertEquals(
        [firstDone, laterDone, held.begun],
        [true, 0, 2],
        "a flush that began before does not count",
      );
      const last = store.flush();
      held.release();
      await Promise.all([first, ...later]);
      await settle();
      held.release();
      await last;
      assertEquals([held.begun, held.runningMax], [3, 1]);
    });
  });
});

Deno.test("FileStore.flush() is one flush for all calls of a turn of the event loop", async () => {
  await withStore(async (store) => {
    await withHeldFlushes(async (held) => {
      // As for connections whose reads the event loop completes together.
      const flushes = [1, 2, 3].map(() => Promise.resolve().then(() => store.flush()));
      await settle();
      held.release();
      await Promise.all(flushes);
      assertEquals(held.begun, 1);
    });
  });
});

Deno.test("FileStore.close() completes the flushes requested before", async () => {
  const path = Deno.makeTempFileSync();
  Deno.truncateSync(path, SIZE_BYTES);
  const store = FileStore.open(path, { sizeBytes: SIZE_BYTES, readOnly: false });
  await withHeldFlushes(async (held) => {
    const running = store.flush();
    await settle();
    const waiting = store.flush();
    store.close();
    held.release();
    await running;
    await settle();
    assertEquals(handlesOn(path), ["write"]);
    held.release();
    await waiting;
    await settle();
    assertEquals(handlesOn(path), []);
  });
  await assertRejects(() => store.flush(), StoreError, "Cannot flush");
  Deno.removeSync(path);
});

Deno.test("FileStore.flush() never runs two flushes when called just as one ends", async () => {
  await withStore(async (store) => {
    await withHeldFlushes(async (held) => {
      const flushes: Promise<void>[] = [store.flush()];
      await settle();
      // Each caller flushes a microtask after the one before, around the end of the first flush.
      flushes.push(store.flush());
      held.release();
      for (let turn = 0; turn < 20; turn++) {
        flushes.push(store.flush());
        await Promise.resolve();
      }
      while (held.running > 0) {
        held.release();
        await settle();
      }
      await Promise.all(flushes);
      assertEquals(held.runningMax, 1);
    });
  });
});

Deno.test("FileStore.flush() fails after a failure until the file is opened again", async () => {
  await withStore(async (store, path) => {
    await withHeldFlushes(async (held) => {
      const first = store.flush();
      await settle();
      const second = store.flush();
      held.release(new Error("Input/output error (os error 5)"));
      assertKind(await assertRejects(() => first), "flushFailed");
      assertKind(await assertRejects(() => second), "flushFailed");
      assertKind(await assertRejects(() => store.flush()), "flushFailed");
      assertEquals(held.begun, 1);
    });
    await assertRejects(() => store.flush(), StoreError, `Cannot flush "${path}": Input/output error`);
    const again = FileStore.open(path, { sizeBytes: SIZE_BYTES, readOnly: false });
    await again.flush();
    again.close();
  });
});

Deno.test("FileStore distinguishes a full medium from a broken one", async () => {
  await withStore(async (store) => {
    const original = Deno.FsFile.prototype.writeSync;
    const rows: readonly (readonly [number, StoreErrorKind])[] = [
      [28, "outOfSpace"],
      [122, "outOfSpace"],
      [5, "writeFailed"],
      [27, "writeFailed"],
    ];
    try {
      for (const [errno, kind] of rows) {
        Deno.FsFile.prototype.writeSync = () => {
          throw new Error(`Some words (os error ${errno})`);
        };
        assertKind(assertThrows(() => store.writeNow(0, new Uint8Array(512))), kind);
      }
    } finally {
      Deno.FsFile.prototype.writeSync = original;
    }
    await store.write(0, new Uint8Array(512));
  });
});

/** /dev/full, on which every write fails for want of space; Deno opens devices only with every permission. */
function canOpenDevices(): boolean {
  try {
    Deno.openSync("/dev/full", { write: true }).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test({
  name: "FileStore passes on what a full device says (needs --allow-all)",
  ignore: !canOpenDevices(),
  fn: async () => {
    const store = FileStore.open("/dev/full", { sizeBytes: 0, readOnly: false });
    try {
      assertKind(assertThrows(() => store.writeNow(0, new Uint8Array(512))), "outOfSpace");
      assertKind(await assertRejects(() => store.write(0, new Uint8Array(512))), "outOfSpace");
      assertKind(await assertRejects(() => store.flush()), "flushFailed");
    } finally {
      store.close();
    }
  },
});

Deno.test("FileStore.grow() extends the store to the grown file, and not beyond its end", async () => {
  await withStore((store, path) => {
    Deno.truncateSync(path, 2 * SIZE_BYTES);
    assertKind(assertThrows(() => store.grow(2 * SIZE_BYTES + 512)), "readFailed");
    assertEquals(store.sizeBytes, SIZE_BYTES);
    store.grow(2 * SIZE_BYTES);
    assertEquals(store.sizeBytes, 2 * SIZE_BYTES);
    assert(store.writeNow(2 * SIZE_BYTES - 512, pattern(512, 3)));
    assertEquals(Deno.readFileSync(path).subarray(-512), pattern(512, 3));
  });
});

/** The handles on a file that this process has, by the modes in which they are open. */
function handlesOn(path: string): string[] {
  const handles = [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      if (Deno.readLinkSync(`/proc/self/fd/${name}`) !== path) return [];
      const flags = /^flags:\s+(\d+)$/m.exec(Deno.readTextFileSync(`/proc/self/fdinfo/${name}`))![1]!;
      return [Number.parseInt(flags, 8) % 4 === 0 ? "read" : "write"];
    } catch {
      // The handle that reads the folder is closed by now.
      return [];
    }
  });
  return [...new Set(handles)];
}

Deno.test("FileStore.reopen() changes the mode during work, and closes the old handles", async () => {
  await withStore(async (store, path) => {
    const link = `${path}.link`;
    Deno.symlinkSync(path, link);
    const writes = Array.from({ length: 40 }, (_, index) => store.write(index * 4096, pattern(4096, index)));
    const flush = store.flush();
    store.reopen(link, true);
    assert(store.readOnly);
    assertKind(assertThrows(() => store.writeNow(0, pattern(512, 1))), "readOnly");
    const results = await Promise.allSettled(writes);
    for (const [index, { status }] of results.entries()) {
      const read = new Uint8Array(4096);
      await store.read(index * 4096, read);
      if (status === "fulfilled") assertEquals(read, pattern(4096, index));
    }
    assertEquals(results.map(({ status }) => status).filter((status) => status === "rejected"), []);
    await flush;
    // Earlier writes are still made durable.
    await store.flush();
    assertEquals(handlesOn(path), ["read"]);
    store.reopen(path, false);
    assert(store.writeNow(0, pattern(512, 9)));
    await store.write(4096, pattern(512, 10));
    assertEquals(handlesOn(path), ["write"]);
  });
});

Deno.test("FileStore.reopen() that fails changes nothing", async () => {
  await withStore((store, path) => {
    const other = `${path}.other`;
    Deno.writeFileSync(other, new Uint8Array(SIZE_BYTES));
    assertKind(assertThrows(() => store.reopen(other, true)), "readFailed");
    assertKind(assertThrows(() => store.reopen(`${path}.none`, true)), "readFailed");
    assert(!store.readOnly && store.writeNow(0, pattern(512, 1)));
  });
});

Deno.test("FileStore.close() completes operations under way, and refuses later ones", async () => {
  await withStore(async (store, path) => {
    const second = FileStore.open(path, { sizeBytes: SIZE_BYTES, readOnly: false });
    const writes = Array.from({ length: 40 }, (_, index) => second.write(index * 4096, pattern(4096, index)));
    second.close();
    await Promise.all(writes);
    assertKind(await assertRejects(() => second.write(0, pattern(512, 1))), "writeFailed");
    assertKind(assertThrows(() => second.readNow(0, new Uint8Array(512))), "readFailed");
    const last = new Uint8Array(4096);
    store.readNow(39 * 4096, last);
    assertEquals(last, pattern(4096, 39));
  });
});

Deno.test("FileStore.unmap() zeroes bytes without allocating holes", async () => {
  await withStore(async (store, path) => {
    store.writeNow(40 * 4096 + 100, pattern(200, 7));
    const before = Deno.statSync(path).blocks!;
    await store.unmap([{ offset: 512, lengthBytes: SIZE_BYTES - 1024 }, { offset: 0, lengthBytes: 4096 }]);
    assertEquals(Deno.statSync(path).blocks, before);
    assert(Deno.readFileSync(path).every((byte) => byte === 0));
    const reader = FileStore.open(path, { sizeBytes: SIZE_BYTES, readOnly: true });
    assertKind(await assertRejects(() => reader.unmap([{ offset: 0, lengthBytes: 512 }])), "readOnly");
    reader.close();
  });
});

Deno.test("FileStore.flushNow() flushes synchronously, and fails as flush() does", async () => {
  await withStore(async (store, path) => {
    const original = Deno.FsFile.prototype.syncDataSync;
    let calls = 0;
    try {
      Deno.FsFile.prototype.syncDataSync = () => void calls++;
      store.flushNow();
      const reader = FileStore.open(path, { sizeBytes: SIZE_BYTES, readOnly: true });
      reader.flushNow();
      reader.close();
      assertEquals(calls, 2, "another process may have written");
      Deno.FsFile.prototype.syncDataSync = () => {
        throw new Error("Input/output error (os error 5)");
      };
      assertKind(assertThrows(() => store.flushNow()), "flushFailed");
    } finally {
      Deno.FsFile.prototype.syncDataSync = original;
    }
    assertKind(assertThrows(() => store.flushNow()), "flushFailed");
    assertKind(await assertRejects(() => store.flush()), "flushFailed");
  });
});

Deno.test("FileStore that cannot be opened or reopened leaves nothing open", async () => {
  await withStore((store, path) => {
    const original = Deno.openSync;
    // A handle for what is done at once, one for flushes, and one for the pool.
    for (let handles = 0; handles < 3; handles++) {
      let left = handles;
      Deno.openSync = (...args) => {
        if (left-- === 0) throw new Error("Too many open files (os error 24)");
        return original(...args);
      };
      const before = countHandles(path);
      try {
        assertThrows(
          () => FileStore.open(path, { sizeBytes: SIZE_BYTES, readOnly: false }),
          StoreError,
          "Too many",
        );
        left = handles;
        assertThrows(() => store.reopen(path, true), StoreError, "Too many");
      } finally {
        Deno.openSync = original;
      }
      assertEquals(countHandles(path), before, `after ${handles}`);
    }
    assert(!store.readOnly && store.writeNow(0, pattern(512, 1)));
  });
});

Deno.test("FileStore that becomes writable flushes", async () => {
  await withStore(async (_, path) => {
    const store = FileStore.open(path, { sizeBytes: SIZE_BYTES, readOnly: true });
    await withHeldFlushes(async (held) => {
      await store.flush();
      assertEquals(held.begun, 0);
      store.reopen(path, false);
      const flush = store.flush();
      await settle();
      assertEquals(held.begun, 1);
      held.release();
      await flush;
    });
    store.close();
  });
});

Deno.test("FileStore continues after a short read or write", async () => {
  await withStore(async (store) => {
    const { readSync, writeSync, read, write } = Deno.FsFile.prototype;
    const part = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, Math.ceil(bytes.length / 3));
    Object.assign(Deno.FsFile.prototype, {
      readSync(this: Deno.FsFile, into: Uint8Array): number | null {
        return readSync.call(this, part(into));
      },
      writeSync(this: Deno.FsFile, from: Uint8Array): number {
        return writeSync.call(this, part(from));
      },
      read(this: Deno.FsFile, into: Uint8Array): Promise<number | null> {
        return read.call(this, part(into));
      },
      write(this: Deno.FsFile, from: Uint8Array): Promise<number> {
        return write.call(this, part(from));
      },
    });
    try {
      assert(store.writeNow(512, pattern(4096, 1)));
      await store.write(8192, pattern(4096, 2));
      const [now, later] = [new Uint8Array(4096), new Uint8Array(4096)];
      assert(store.readNow(8192, now));
      await store.read(512, later);
      assertEquals([now, later], [pattern(4096, 2), pattern(4096, 1)]);
    } finally {
      Object.assign(Deno.FsFile.prototype, { readSync, writeSync, read, write });
    }
  });
});

/** Waits until a file has so many handles, and at most half a second. */
async function untilHandles(path: string, count: number): Promise<void> {
  for (let turn = 0; turn < 100 && countHandles(path) !== count; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assertEquals(countHandles(path), count);
}

Deno.test("FileStore opens more handles for concurrent operations, and closes all of them", async () => {
  await withStore(async (_, path) => {
    const before = countHandles(path);
    const store = FileStore.open(path, { sizeBytes: SIZE_BYTES, readOnly: false });
    assertEquals(countHandles(path) - before, 3);
    const buffers = Array.from({ length: 100 }, () => new Uint8Array(512));
    await Promise.all(buffers.map((into) => store.read(0, into)));
    await untilHandles(path, before + 2 + 24);
    store.close();
    // One that has just been opened is closed when it would be given to the pool.
    await untilHandles(path, before);
  });
});

Deno.test("FileStore.reopen() closes the handle of a running flush after its end", async () => {
  await withStore(async (store, path) => {
    await withHeldFlushes(async (held) => {
      const flush = store.flush();
      await settle();
      store.reopen(path, true);
      await settle();
      assertEquals([handlesOn(path).sort(), countHandles(path)], [["read", "write"], 4]);
      held.release();
      await flush;
      await settle();
      assertEquals([handlesOn(path), countHandles(path)], [["read"], 3]);
    });
  });
});

Deno.test("FileStore.close() closes all handles at once when no flush is under way", async () => {
  await withStore(async (_, path) => {
    const before = countHandles(path);
    const store = FileStore.open(path, { sizeBytes: SIZE_BYTES, readOnly: false });
    await store.flush();
    store.close();
    assertEquals(countHandles(path), before);
  });
});

Deno.test("FileStore closes a handle whose path is replaced while it is opened", async () => {
  await withStore(async (store, path) => {
    const old = `${path}.old`;
    const { open } = Deno;
    const opened: Promise<Deno.FsFile>[] = [];
    Deno.open = async (...args) => {
      const handle = open(...args);
      opened.push(handle);
      await handle;
      Deno.renameSync(path, old);
      Deno.writeFileSync(path, new Uint8Array(SIZE_BYTES));
      return handle;
    };
    try {
      const reads = [1, 2].map(() => store.read(0, new Uint8Array(512)));
      for (let turn = 0; turn < 1000 && opened.length === 0; turn++) await settle();
      const handle = await opened[0]!;
      await Promise.all(reads);
      // The path is looked at once more, off the event loop.
      await untilHandles(old, 3);
      assertThrows(() => handle.statSync(), Deno.errors.BadResource);
      assertEquals(opened.length, 1);
    } finally {
      Deno.open = open;
    }
  });
});
