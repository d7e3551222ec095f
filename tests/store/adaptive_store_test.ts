import { assert, assertEquals } from "@std/assert";
import { AdaptiveStore } from "../../lib/store/adaptive_store.ts";
import type { BlockStore } from "../../lib/store/block_store.ts";

/** A store that takes as long as it is told, on a clock of its own. */
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

Deno.test("AdaptiveStore is not put off by a slow read now and then", () => {
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

Deno.test("AdaptiveStore judges reads and writes apart, and large transfers by their size", () => {
  const { timed, store } = fixture();
  timed.writeMs = 5;
  for (let i = 0; i < 100; i++) store.writeNow(0, block);
  assertEquals(store.writeNow(0, block), false);
  assertEquals(store.readNow(0, block), true);
  const large = new Uint8Array(1 << 20);
  timed.readMs = 0.5;
  for (let i = 0; i < 100; i++) assertEquals(store.readNow(0, large), true);
});
