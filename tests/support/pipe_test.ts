import { assertEquals, assertRejects } from "@std/assert";
import { type ByteStream, createPipe } from "./pipe.ts";

async function readAll(stream: ByteStream): Promise<number[]> {
  const bytes: number[] = [];
  const piece = new Uint8Array(5);
  for (let count = await stream.read(piece); count !== null; count = await stream.read(piece)) {
    bytes.push(...piece.subarray(0, count));
  }
  return bytes;
}

async function writeAll(stream: ByteStream, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += await stream.write(bytes.subarray(written));
}

Deno.test("createPipe() carries bytes both ways", async () => {
  const [a, b] = createPipe();
  const into = new Uint8Array(8);
  assertEquals(await a.write(Uint8Array.of(1, 2, 3)), 3);
  assertEquals(await b.write(Uint8Array.of(4)), 1);
  assertEquals(await b.read(into), 3);
  assertEquals([...into.subarray(0, 3)], [1, 2, 3]);
  assertEquals(await a.read(into), 1);
  assertEquals(into[0], 4);
});

Deno.test("createPipe() keeps the order of many bytes through a small buffer", async () => {
  const [a, b] = createPipe({ capacityBytes: 7 });
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
  const reading = readAll(b);
  await writeAll(a, bytes);
  a.close();
  assertEquals(await reading, [...bytes]);
});

Deno.test("createPipe() lets a writer wait until the other end reads", async () => {
  const [a, b] = createPipe({ capacityBytes: 4 });
  assertEquals(await a.write(new Uint8Array(6)), 4);
  let isWritten = false;
  const writing = a.write(Uint8Array.of(9)).then(() => isWritten = true);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(isWritten, false);
  assertEquals(await b.read(new Uint8Array(1)), 1);
  await writing;
});

Deno.test("createPipe() delivers no more at a time than it was told to", async () => {
  const [a, b] = createPipe({ deliveryBytesMax: 1 });
  await a.write(Uint8Array.of(1, 2));
  const into = new Uint8Array(8);
  assertEquals(await b.read(into), 1);
  assertEquals(await b.read(into), 1);
  assertEquals(into[0], 2);
});

Deno.test("close() ends the other end's reading after what was written, and its writing at once", async () => {
  const [a, b] = createPipe();
  await a.write(Uint8Array.of(1));
  a.close();
  assertEquals(await readAll(b), [1]);
  await assertRejects(() => b.write(Uint8Array.of(2)), Deno.errors.BrokenPipe);
});

Deno.test("close() ends what its own end waits for", async () => {
  const [a, b] = createPipe({ capacityBytes: 1 });
  await a.write(Uint8Array.of(1));
  const reading = assertRejects(() => a.read(new Uint8Array(1)), Deno.errors.BadResource);
  const writing = assertRejects(() => a.write(Uint8Array.of(2)), Deno.errors.BadResource);
  a.close();
  await Promise.all([reading, writing]);
  b.close();
});
