import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { StoreError } from "../../lib/store/block_store.ts";
import { LateStore } from "../../lib/store/late_store.ts";
import { MemoryStore } from "../support/memory_store.ts";

Deno.test("LateStore fails operations on the medium until it is open, and then forwards them", async () => {
  const late = new LateStore({ sizeBytes: 4096, readOnly: false, canUnmap: false });
  const block = new Uint8Array(512).fill(7);
  assertEquals([late.sizeBytes, late.readOnly, late.canUnmap], [4096, false, false]);
  assertEquals(late.extentAt(0), { isMapped: true, endBytes: 4096 });
  assertEquals(assertThrows(() => late.readNow(0, block), StoreError).kind, "readFailed");
  assertEquals(assertThrows(() => late.writeNow(0, block), StoreError).kind, "writeFailed");
  for (const work of [late.read(0, block), late.write(0, block), late.unmap([])]) {
    await assertRejects(() => work, StoreError, "it is not open");
  }
  await late.flush();
  late.close();
  const medium = new MemoryStore({ sizeBytes: 8192, canUnmap: true });
  late.arrive(medium);
  assertEquals([late.sizeBytes, late.readOnly, late.canUnmap], [8192, false, true]);
  assert(late.writeNow(0, block));
  await late.write(4096, block);
  const into = new Uint8Array(512);
  await late.read(4096, into);
  assertEquals(into, block);
  assert(late.readNow(0, into));
  await late.unmap([{ offset: 4096, lengthBytes: 4096 }]);
  assertEquals(late.extentAt(0), { isMapped: true, endBytes: 4096 });
  await late.flush();
  late.close();
  assertEquals([medium.flushCount, medium.pageCount, medium.isClosed], [1, 1, true]);
});

Deno.test("LateStore has the expected properties before its medium is open, and then those of the medium", () => {
  const late = new LateStore({ sizeBytes: 4096, readOnly: true, canUnmap: true });
  assertEquals([late.sizeBytes, late.readOnly, late.canUnmap], [4096, true, true]);
  late.arrive(new MemoryStore({ sizeBytes: 8192, canUnmap: true }));
  assertEquals([late.sizeBytes, late.readOnly], [8192, false]);
  assertEquals(late.extentAt(0), { isMapped: false, endBytes: 8192 });
});
