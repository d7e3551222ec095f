import { assert, assertEquals, assertFalse, assertRejects, assertThrows } from "@std/assert";
import { StoreError } from "../../lib/store/block_store.ts";
import { FaultyStore } from "./faulty_store.ts";
import { MemoryStore } from "./memory_store.ts";
import { SlowStore } from "./slow_store.ts";

const TERABYTE = 2 ** 40;

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index % 251 + 1);
}

Deno.test("MemoryStore returns what was written, across pages and at the end of a huge store", () => {
  const store = new MemoryStore({ sizeBytes: 750 * TERABYTE });
  const offset = store.sizeBytes - 10_000;
  assert(store.writeNow(offset, pattern(10_000)));
  const into = new Uint8Array(10_100).fill(0xee);
  assert(store.readNow(offset - 100, into));
  assertEquals(into.subarray(0, 100), new Uint8Array(100));
  assertEquals(into.subarray(100), pattern(10_000));
});

Deno.test("MemoryStore throws for an access beyond its end", () => {
  const store = new MemoryStore({ sizeBytes: 1024 });
  assertThrows(() => store.readNow(1023, new Uint8Array(2)), RangeError);
  assertThrows(() => store.writeNow(-1, new Uint8Array(1)), RangeError);
});

Deno.test("MemoryStore that is read-only refuses to write", () => {
  const store = new MemoryStore({ sizeBytes: 1024, readOnly: true });
  assertEquals(assertThrows(() => store.writeNow(0, new Uint8Array(1)), StoreError).kind, "readOnly");
  assertEquals(store.writeCount, 0);
});

Deno.test("FaultyStore fails only injected faults, until it is healed", async () => {
  const store = new FaultyStore(new MemoryStore({ sizeBytes: 4096 }));
  store.inject({ operation: "write", kind: "outOfSpace", startBytes: 512, endBytes: 1024 });
  assert(store.writeNow(0, new Uint8Array(512)));
  assert(store.writeNow(1024, new Uint8Array(512)));
  assert(store.readNow(0, new Uint8Array(4096)));
  assertThrows(() => store.writeNow(1023, new Uint8Array(1)), StoreError);
  const error = await assertRejects(() => store.write(0, new Uint8Array(513)), StoreError);
  assertEquals(error.kind, "outOfSpace");
  store.inject({ operation: "flush", kind: "flushFailed" });
  await assertRejects(() => store.flush(), StoreError);
  store.heal();
  await store.flush();
  assert(store.writeNow(1023, new Uint8Array(1)));
});

Deno.test("SlowStore does nothing at once, and follows the order of releases", async () => {
  const memory = new MemoryStore({ sizeBytes: 4096 });
  const store = new SlowStore(memory);
  assertFalse(store.writeNow());
  assertFalse(store.readNow());
  const ended: string[] = [];
  const first = store.write(0, pattern(8)).then(() => ended.push("first"));
  const second = store.write(8, pattern(4)).then(() => ended.push("second"));
  const flush = store.flush().then(() => ended.push("flush"));
  assertEquals(store.pending, [
    { operation: "write", offset: 0, lengthBytes: 8 },
    { operation: "write", offset: 8, lengthBytes: 4 },
    { operation: "flush", offset: 0, lengthBytes: 0 },
  ]);
  assertEquals(memory.writeCount, 0);
  store.release(1);
  await second;
  store.releaseAll();
  await Promise.all([first, flush]);
  assertEquals(ended, ["second", "first", "flush"]);
  assertEquals([memory.writeCount, memory.flushCount], [2, 1]);
  assertThrows(() => store.release(), RangeError);
});

Deno.test("SlowStore with a delay does everything by itself", async () => {
  const memory = new MemoryStore({ sizeBytes: 4096 });
  const store = new SlowStore(memory, { delayMs: 1 });
  await store.write(0, pattern(8));
  const into = new Uint8Array(8);
  await store.read(0, into);
  assertEquals(into, pattern(8));
});
