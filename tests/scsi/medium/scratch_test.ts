import { assert, assertEquals, assertRejects } from "@std/assert";
import { Scratch, SCRATCH_BYTES } from "../../../lib/scsi/medium/scratch.ts";

/** Work that lasts until the test ends it. */
function hold(scratch: Scratch): { readonly held: Uint8Array[]; end: () => Promise<void> } {
  const held: Uint8Array[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = scratch.use(async (buffer) => {
    held.push(buffer);
    await promise;
  });
  return { held, end: () => (resolve(), done) };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await Promise.resolve();
}

Deno.test("Scratch gives a buffer to 16 commands at once, and to the others in turn", async () => {
  const scratch = new Scratch();
  const works = Array.from({ length: 20 }, () => hold(scratch));
  await settle();
  const buffers = works.flatMap(({ held }) => held);
  assertEquals([buffers.length, new Set(buffers).size], [16, 16]);
  assert(buffers.every(({ length }) => length === SCRATCH_BYTES));
  assertEquals(works.slice(16).flatMap(({ held }) => held), []);
  for (const [index, work] of works.entries()) {
    await work.end();
    await settle();
    assertEquals(works.filter(({ held }) => held.length === 1).length, Math.min(17 + index, 20));
  }
  assertEquals(new Set(works.flatMap(({ held }) => held)).size, 16, "no other buffers were made");
});

Deno.test("SCRATCH_BYTES is a multiple of the largest block, and with it of every block", () => {
  assertEquals(SCRATCH_BYTES % (64 * 1024), 0);
});

Deno.test("Scratch has a buffer again after work that fails", async () => {
  const scratch = new Scratch();
  for (let round = 0; round < 40; round++) {
    await assertRejects(() => scratch.use(() => Promise.reject(new Error("no"))), Error, "no");
  }
  assertEquals(await scratch.use(({ length }) => Promise.resolve(length)), SCRATCH_BYTES);
});
