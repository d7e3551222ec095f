import { assert, assertEquals, assertThrows } from "@std/assert";
import { AdaptiveStore } from "../../lib/store/adaptive_store.ts";
import { type BlockStore, StoreError } from "../../lib/store/block_store.ts";
import { MemoryStore } from "../support/memory_store.ts";

/** A store whose operations take a given time on a clock of the test. */
class TimedStore implements BlockStore {
  readonly sizeBytes = 1 << 20;
  readonly readOnly = false;
  readonly canUnmap = false;
  now = 0;
  readMs = 0.004;
  writeMs = 0.004;
  doneAtOnce = 0;

  readNow(): boolean {
    this.doneAtOnce++;
    this.now += this.readMs;
    return true;
  }

  writeNow(): boolean {
    this.doneAtOnce++;
    this.now += this.writeMs;
    return true;
  }

  read(): Promise<void> {
    return Promise.resolve();
  }

  write(): Promise<void> {
    return Promise.resolve();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  unmap(): Promise<void> {
    return Promise.resolve();
  }

  extentAt(): { isMapped: boolean; endBytes: number } {
    return { isMapped: true, endBytes: this.sizeBytes };
  }

  close(): void {}
}

const block = new Uint8Array(4096);

/** Reads so often, with some time between; returns how many were done at once. */
function readOften(store: AdaptiveStore, timed: TimedStore, count: number, betweenMs: number): number {
  const before = timed.doneAtOnce;
  for (let i = 0; i < count; i++) {
    store.readNow(0, block);
    timed.now += betweenMs;
  }
  return timed.doneAtOnce - before;
}

function fixture(): { timed: TimedStore; store: AdaptiveStore } {
  const timed = new TimedStore();
  return { timed, store: new AdaptiveStore(timed, () => timed.now) };
}

Deno.test("AdaptiveStore reads at once as long as that is fast", () => {
  const { timed, store } = fixture();
  assertEquals(readOften(store, timed, 1_000, 0.01), 1_000);
});

Deno.test("AdaptiveStore tolerates an occasional slow read", () => {
  const { timed, store } = fixture();
  for (let round = 0; round < 50; round++) {
    timed.readMs = 3;
    assertEquals(readOften(store, timed, 1, 0), 1);
    timed.readMs = 0.004;
    assertEquals(readOften(store, timed, 40, 0.01), 40);
  }
});

Deno.test("AdaptiveStore declines when the medium is slow, and tries for at most a hundredth of the time", () => {
  for (const readMs of [0.08, 1, 10]) {
    const { timed, store } = fixture();
    timed.readMs = readMs;
    assert(readOften(store, timed, 32, 0.01) <= 10, "a few slow reads are enough");
    const began = timed.now;
    const tries = readOften(store, timed, 100_000, 0.1);
    assert(tries > 0, "it goes on trying");
    assert(tries * readMs <= (timed.now - began) * 0.011, `${tries} tries of ${readMs} ms`);
  }
});

Deno.test("AdaptiveStore reads at once again soon after the medium has become fast", () => {
  const { timed, store } = fixture();
  timed.readMs = 10;
  readOften(store, timed, 100, 0.1);
  timed.readMs = 0.004;
  const began = timed.now;
  while (readOften(store, timed, 1, 0.05) === 0) assert(timed.now - began < 2_001, "it tries every 2 s");
  readOften(store, timed, 64, 0.05);
  assertEquals(readOften(store, timed, 1_000, 0.01), 1_000);
});

Deno.test("AdaptiveStore judges reads and writes separately, and transfers by their size", () => {
  const { timed, store } = fixture();
  timed.writeMs = 5;
  for (let i = 0; i < 100; i++) store.writeNow(0, block);
  assertEquals(store.writeNow(0, block), false);
  assertEquals(store.readNow(0, block), true);
  const large = new Uint8Array(1 << 20);
  timed.readMs = 0.5;
  for (let i = 0; i < 100; i++) assertEquals(store.readNow(0, large), true);
});

/** A store whose operations take a given time; those off the event loop last until the test ends them. */
class HangingStore extends TimedStore {
  readonly pending: { readonly name: string; readonly end: (error?: Error) => void }[] = [];

  override read(): Promise<void> {
    return this.#pend("read");
  }

  override write(): Promise<void> {
    return this.#pend("write");
  }

  /** Ends the oldest that is under way. */
  async end(error?: Error): Promise<void> {
    this.pending.shift()!.end(error);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  }

  #pend(name: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.pending.push({ name, end: (error) => error === undefined ? resolve() : reject(error) });
    return promise;
  }
}

function hanging(): { inner: HangingStore; store: AdaptiveStore } {
  const inner = new HangingStore();
  return { inner, store: new AdaptiveStore(inner, () => inner.now) };
}

/** Continues the event loop. */
function nextRun(): Promise<void> {
  return new Promise((resolve) => queueMicrotask(resolve));
}

/** Does operations off the event loop that take this long, one after the other. */
async function runLater(
  { inner, store }: { inner: HangingStore; store: AdaptiveStore },
  direction: "read" | "write",
  count: number,
  ms: number,
): Promise<void> {
  for (let done = 0; done < count; done++) {
    const ended = store[direction](0, block);
    inner.now += ms;
    await inner.end();
    await ended;
  }
}

Deno.test("AdaptiveStore that has blocked once does nothing at once from then on, reads or writes", async () => {
  for (const blocks of ["readMs", "writeMs"] as const) {
    // The first operation of a run, a timed one, and the last before the loop continues.
    for (const before of [0, 1, 5]) {
      const { inner, store } = hanging();
      for (let count = 0; count < before; count++) assert(store.readNow(0, block));
      inner[blocks] = 250;
      assert(blocks === "readMs" ? store.readNow(0, block) : store.writeNow(0, block));
      inner[blocks] = 0.004;
      await nextRun();
      const doneAtOnce = inner.doneAtOnce;
      for (let later = 0; later < 100; later++) {
        assert(!store.readNow(0, block) && !store.writeNow(0, block));
        inner.now += 1_000;
        if (later % 10 === 0) await nextRun();
      }
      assertEquals(inner.doneAtOnce, doneAtOnce, `${blocks} after ${before}`);
    }
  }
});

Deno.test("AdaptiveStore that has blocked does not do so again in the same run", () => {
  const { inner, store } = hanging();
  inner.writeMs = 250;
  const done = Array.from(
    { length: 64 },
    (_, index) => index % 2 === 0 ? store.writeNow(0, block) : store.readNow(0, block),
  );
  assertEquals(done.filter((isDone) => isDone).length, 1);
});

Deno.test("AdaptiveStore detects an operation that blocks and then fails", async () => {
  for (const before of [0, 1]) {
    const { inner, store } = hanging();
    for (let count = 0; count < before; count++) store.writeNow(0, block);
    inner.writeNow = () => {
      inner.now += 30_000;
      throw new StoreError("writeFailed", "Input/output error");
    };
    assertThrows(() => store.writeNow(0, block), StoreError, "Input/output error");
    await nextRun();
    assertEquals([store.readNow(0, block), store.writeNow(0, block)], [false, false]);
  }
});

Deno.test("AdaptiveStore does not take the time between runs, or a merely slow operation, for a block", async () => {
  const { inner, store } = hanging();
  for (let run = 0; run < 20; run++) {
    for (let count = 0; count < 3; count++) assert(store.readNow(0, block) && store.writeNow(0, block));
    await nextRun();
    inner.now += 100_000;
  }
  inner.writeMs = 249;
  assert(store.writeNow(0, block));
  await nextRun();
  assert(store.readNow(0, block));
});

Deno.test("AdaptiveStore does at once again operations that were prompt off the event loop for a while", async () => {
  const fixture = hanging();
  const { inner, store } = fixture;
  inner.writeMs = 250;
  store.writeNow(0, block);
  inner.writeMs = 0.004;
  await runLater(fixture, "read", 30, 300);
  await runLater(fixture, "read", 400, 30);
  await nextRun();
  assertEquals([store.readNow(0, block), store.writeNow(0, block)], [true, false]);
  await runLater(fixture, "write", 32, 30);
  await nextRun();
  assertEquals([store.readNow(0, block), store.writeNow(0, block)], [true, true]);
});

Deno.test("AdaptiveStore that has blocked has few operations under way at a time, the oldest first", async () => {
  const { inner, store } = hanging();
  inner.readMs = 250;
  store.readNow(0, block);
  const ended: string[] = [];
  const all = Array.from({ length: 7 }, (_, index) => [
    store.read(index, block).then(() => ended.push(`read ${index}`)),
    store.write(index, block).then(() => ended.push(`write ${index}`), () => ended.push(`failed ${index}`)),
  ]).flat();
  const names = (): string => inner.pending.map(({ name }) => name).join();
  assertEquals(names(), "read,write,read,write,read,write,read,write");
  await inner.end();
  assertEquals(names(), "write,read,write,read,write,read,write,read");
  await inner.end(new Error("failed"));
  assertEquals(names(), "read,write,read,write,read,write,read,write");
  while (inner.pending.length > 0) await inner.end();
  await Promise.all(all);
  assertEquals(
    ended.filter((name) => name.startsWith("read")),
    [0, 1, 2, 3, 4, 5, 6].map((at) => `read ${at}`),
  );
  assertEquals(ended.filter((name) => !name.startsWith("read"))[0], "failed 0");
});

Deno.test("AdaptiveStore that is slow limits no operations, and makes no attempt while they hang", async () => {
  for (
    const [direction, now, ms] of [["read", "readNow", "readMs"], ["write", "writeNow", "writeMs"]] as const
  ) {
    const { inner, store } = hanging();
    inner[ms] = 2;
    for (let count = 0; count < 32; count++) {
      store[now](0, block);
      await nextRun();
    }
    inner.now += 10_000;
    inner[ms] = 0.004;
    const works = Array.from({ length: 40 }, () => store[direction](0, block));
    assertEquals(inner.pending.length, 40);
    assert(store[now](0, block), "an attempt");
    await nextRun();
    inner.now += 250;
    assertEquals([store.readNow(0, block), store.writeNow(0, block)], [false, false]);
    while (inner.pending.length > 0) await inner.end();
    await Promise.all(works);
    assert(store.readNow(0, block) && store.writeNow(0, block));
  }
});

Deno.test("AdaptiveStore that is fast does not follow operations off the event loop", async () => {
  const { inner, store } = hanging();
  const works = [store.read(0, block), store.write(0, block)];
  inner.now += 250;
  assert(store.readNow(0, block) && store.writeNow(0, block));
  await inner.end();
  await inner.end();
  await Promise.all(works);
});

Deno.test("AdaptiveStore forwards false from the lower store", () => {
  const { inner, store } = hanging();
  inner.readNow = () => false;
  inner.writeNow = () => false;
  for (let count = 0; count < 40; count++) {
    assertEquals([store.readNow(0, block), store.writeNow(0, block)], [false, false]);
  }
});

Deno.test("AdaptiveStore does not judge by declined or failed operations", async () => {
  for (const fails of [true, false]) {
    const { inner, store } = hanging();
    inner.readNow = inner.writeNow = () => {
      inner.now += 2;
      if (fails) throw new StoreError("readFailed", "told to");
      return false;
    };
    for (let count = 0; count < 40; count++) {
      for (const operation of ["readNow", "writeNow"] as const) {
        if (fails) assertThrows(() => store[operation](0, block), StoreError, "told to");
        else assertEquals(store[operation](0, block), false);
      }
      await nextRun();
    }
    inner.readNow = TimedStore.prototype.readNow;
    inner.writeNow = TimedStore.prototype.writeNow;
    for (let count = 0; count < 100; count++) assert(store.readNow(0, block) && store.writeNow(0, block));
  }
});

Deno.test("AdaptiveStore reads the clock for one in sixteen fast operations of a run, and at its ends", async () => {
  for (const operation of ["readNow", "writeNow"] as const) {
    let looks = 0;
    const inner = new TimedStore();
    const store = new AdaptiveStore(inner, () => {
      looks++;
      return inner.now;
    });
    for (let count = 0; count < 1 + 32; count++) assert(store[operation](0, block));
    assertEquals(looks, 2 + 2 * 2, "before and after the first one and two others");
    assert(store[operation](0, block));
    await nextRun();
    assertEquals(looks, 2 + 2 * 2 + 1, "and at the end, since the last one was not timed");
    assert(store[operation](0, block));
    await nextRun();
    assertEquals(looks, 2 + 2 * 2 + 1 + 2);
  }
});

Deno.test("AdaptiveStore detects in the same run that an untimed operation has blocked", () => {
  const { inner, store } = hanging();
  assert(store.readNow(0, block));
  inner.writeMs = 250;
  assert(store.writeNow(0, block));
  inner.writeMs = 0.004;
  let count = 0;
  while (store.readNow(0, block)) count++;
  assertEquals(count, 15);
});

Deno.test("AdaptiveStore forwards everything else", async () => {
  const memory = new MemoryStore({ sizeBytes: 1 << 20, canUnmap: true });
  const store = new AdaptiveStore(memory, () => 0);
  assertEquals([store.sizeBytes, store.readOnly, store.canUnmap], [1 << 20, false, true]);
  assert(store.writeNow(4096, block.slice().fill(1)));
  await store.write(8192, block.slice().fill(2));
  const [now, later] = [block.slice(), block.slice()];
  assert(store.readNow(8192, now));
  await store.read(4096, later);
  assertEquals([now[0], later[0]], [2, 1]);
  assertEquals(store.extentAt(0), { isMapped: false, endBytes: 4096 });
  await store.unmap([{ offset: 4096, lengthBytes: 4096 }]);
  await store.flush();
  assertEquals([memory.pageCount, memory.flushCount], [1, 1]);
  store.close();
  assert(memory.isClosed);
  const protectedStore = new AdaptiveStore(new MemoryStore({ sizeBytes: 512, readOnly: true }), () => 0);
  assertEquals([protectedStore.readOnly, protectedStore.canUnmap], [true, false]);
});

Deno.test("AdaptiveStore uses another medium, also when a layer on the former one is removed afterwards", () => {
  const [first, second] = [1, 2].map((byte) => {
    const store = new MemoryStore({ sizeBytes: 4096 });
    store.writeNow(0, Uint8Array.of(byte));
    return store;
  }) as [MemoryStore, MemoryStore];
  const store = new AdaptiveStore(first, () => 0);
  const { remove } = store.interpose((lower) => lower);
  store.replaceMedium(second);
  remove();
  const read = new Uint8Array(1);
  assertEquals([store.readNow(0, read), read[0]], [true, 2]);
});
