import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { CountedStore } from "../../../lib/scsi/medium/counted_store.ts";
import { ErrorCounters } from "../../../lib/scsi/counters/error_counters.ts";
import { NO_STORAGE_FAULTS } from "../../../lib/scsi/medium/storage_faults.ts";
import { VolatileCache } from "../../../lib/scsi/medium/volatile_cache.ts";
import { StoreError, type StoreErrorKind } from "../../../lib/store/block_store.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";

Deno.test("CountedStore reports every failure of the medium, and nothing else", async () => {
  const reported: string[] = [];
  const faults = { add: (kind: string) => reported.push(kind), figures: () => NO_STORAGE_FAULTS };
  const inner = new FaultyStore(new MemoryStore({ sizeBytes: 4096 }));
  const counters = new ErrorCounters();
  const store = new CountedStore(inner, counters, { cache: new VolatileCache(), faults });
  const block = new Uint8Array(512);
  const operations: readonly (readonly ["read" | "write" | "flush" | "unmap", () => unknown])[] = [
    ["read", () => store.readNow(0, block)],
    ["read", () => store.read(0, block)],
    ["write", () => store.writeNow(0, block)],
    ["write", () => store.write(0, block)],
    ["flush", () => store.flush()],
    ["unmap", () => store.unmap([{ offset: 0, lengthBytes: 512 }])],
  ];
  const kinds: readonly StoreErrorKind[] = ["readFailed", "writeFailed", "flushFailed", "outOfSpace"];
  for (const [operation, run] of operations) {
    await run();
    assertEquals(reported, [], operation);
    for (const kind of kinds) {
      inner.inject({ operation, kind });
      await assertRejects(async () => await run(), StoreError);
      inner.heal();
      assertEquals(reported.splice(0), [kind], operation);
    }
    // A refused write to a read-only store is no fault of the medium.
    inner.inject({ operation, kind: "readOnly" });
    await assertRejects(async () => await run(), StoreError);
    inner.heal();
    assertEquals(reported, []);
  }
  assertThrows(
    () => new CountedStore(inner, counters, { cache: new VolatileCache() }).readNow(0, new Uint8Array(8192)),
    Error,
  );
  assertEquals([counters.read.uncorrectedErrors, counters.write.uncorrectedErrors], [11, 15]);
});

Deno.test("CountedStore reports each hole that was refused, though the command succeeds", async () => {
  const reported: string[] = [];
  const faults = { add: (kind: string) => reported.push(kind), figures: () => NO_STORAGE_FAULTS };
  const inner = new MemoryStore({ sizeBytes: 4096 });
  let refusedHoles = 0;
  Object.defineProperty(inner, "refusedHoles", { get: () => refusedHoles });
  const store = new CountedStore(inner, new ErrorCounters(), { cache: new VolatileCache(), faults });
  const range = [{ offset: 0, lengthBytes: 512 }];
  await store.unmap(range);
  assertEquals(reported, []);
  refusedHoles = 2;
  await store.unmap(range);
  await store.unmap(range);
  assertEquals(reported, ["holeFailed", "holeFailed"]);
});
