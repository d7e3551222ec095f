import { assertEquals, assertRejects } from "@std/assert";
import { StoreError } from "../../lib/store/block_store.ts";
import { zeroFill } from "../../lib/store/zero_fill.ts";
import { FaultyStore } from "../support/faulty_store.ts";
import { MemoryStore } from "../support/memory_store.ts";

const KIB4 = 4096;
const SIZE_BYTES = 1024 * 1024;

function contentOf(memory: MemoryStore): Uint8Array {
  const into = new Uint8Array(SIZE_BYTES);
  memory.readNow(0, into);
  return into;
}

Deno.test("zeroFill() zeroes exactly its range", async () => {
  for (
    const [offset, end] of [[0, SIZE_BYTES], [1, 2], [4095, 4097], [512, 300_000], [
      262_144,
      600_001,
    ]] as const
  ) {
    const memory = new MemoryStore({ sizeBytes: SIZE_BYTES });
    memory.writeNow(0, new Uint8Array(SIZE_BYTES).fill(0xa5));
    await zeroFill(memory, { offset, lengthBytes: end - offset });
    assertEquals(
      contentOf(memory),
      new Uint8Array(SIZE_BYTES).fill(0xa5).fill(0, offset, end),
      `${offset}-${end}`,
    );
  }
});

Deno.test("zeroFill() allocates no hole", async () => {
  const memory = new MemoryStore({ sizeBytes: SIZE_BYTES });
  // Bytes in four pages, of which the last three follow one another, on both sides of the end of a piece; others are
  // holes.
  for (const offset of [7 * KIB4 + 511, 63 * KIB4, 64 * KIB4 - 1, 64 * KIB4, 65 * KIB4]) {
    memory.writeNow(offset, Uint8Array.of(1));
  }
  const written: [number, number][] = [];
  const spied = {
    read: memory.read.bind(memory),
    write: (offset: number, from: Uint8Array): Promise<void> => {
      written.push([offset, from.length]);
      return memory.write(offset, from);
    },
  };
  await zeroFill(spied, { offset: 512, lengthBytes: SIZE_BYTES - 1024 });
  assertEquals(written, [[7 * KIB4, KIB4], [63 * KIB4, KIB4], [64 * KIB4, 2 * KIB4]]);
  assertEquals([memory.pageCount, contentOf(memory)], [4, new Uint8Array(SIZE_BYTES)]);
  await zeroFill(memory, { offset: 0, lengthBytes: SIZE_BYTES });
  assertEquals(written.length, 3, "what reads as zeros is left alone");
});

Deno.test("zeroFill() forwards failures of the medium", async () => {
  for (const operation of ["read", "write"] as const) {
    const memory = new MemoryStore({ sizeBytes: SIZE_BYTES });
    memory.writeNow(0, Uint8Array.of(1));
    const faulty = new FaultyStore(memory);
    faulty.inject({ operation, kind: "outOfSpace" });
    const failed = await assertRejects(() => zeroFill(faulty, { offset: 0, lengthBytes: KIB4 }), StoreError);
    assertEquals(failed.kind, "outOfSpace");
  }
});
