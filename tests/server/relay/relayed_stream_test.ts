import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ByteStream } from "../../../lib/iscsi/byte_stream.ts";
import { ENDS, Linked } from "./_linked.ts";

const WINDOW_BYTES = 1_048_576;

/** Reads until so many bytes have come, or the stream has ended. */
async function readBytes(stream: ByteStream, count: number, pieceBytes = 65_536): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  let length = 0;
  while (length < count) {
    const read = await stream.read(bytes.subarray(length, Math.min(length + pieceBytes, count)));
    if (read === null) break;
    length += read;
  }
  return bytes.subarray(0, length);
}

async function writeAll(stream: ByteStream, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length;) offset += await stream.write(bytes.subarray(offset));
}

function numbered(count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, index) => index * 7 & 0xff);
}

/** Lets every message that is on its way arrive. */
function delivered(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

Deno.test("a relayed stream carries bytes in order in both directions, whatever pieces they are read in", async () => {
  using linked = new Linked();
  const [near, far] = await linked.open();
  assertEquals(linked.arrived[0]!.ends, ENDS);
  const bytes = numbered(3 * WINDOW_BYTES + 17);
  const [there] = await Promise.all([readBytes(far, bytes.length, 1_000), writeAll(near, bytes)]);
  assertEquals(there, bytes);
  const [back] = await Promise.all([readBytes(near, bytes.length, 70_001), writeAll(far, bytes)]);
  assertEquals(back, bytes);
});

Deno.test("a relayed stream is not changed by what a caller does with its buffer after a write", async () => {
  using linked = new Linked();
  const [near, far] = await linked.open();
  const buffer = numbered(100);
  await writeAll(near, buffer);
  buffer.fill(0);
  assertEquals(await readBytes(far, 100), numbered(100));
});

Deno.test("a relayed stream takes a window of bytes, and no more until the other end reads", async () => {
  using linked = new Linked();
  const [near, far] = await linked.open();
  await writeAll(near, new Uint8Array(WINDOW_BYTES));
  let isTaken = false;
  const write = near.write(new Uint8Array(1)).then(() => isTaken = true);
  await delivered();
  assert(!isTaken);
  await readBytes(far, 1);
  await write;
});

Deno.test("a relayed stream that ends can still be answered", async () => {
  using linked = new Linked();
  const [near, far] = await linked.open();
  await writeAll(near, numbered(10));
  near.end();
  assertEquals(await readBytes(far, 100), numbered(10));
  await writeAll(far, numbered(20));
  assertEquals(await readBytes(near, 20), numbered(20));
});

Deno.test("a relayed stream that is closed delivers what was written before, and takes no more", async () => {
  using linked = new Linked();
  const [near, far] = await linked.open();
  await writeAll(near, numbered(10));
  near.close();
  assertEquals(await readBytes(far, 100), numbered(10));
  await assertRejects(() => far.write(new Uint8Array(1)), Deno.errors.BrokenPipe);
  await assertRejects(() => near.read(new Uint8Array(1)), Deno.errors.BadResource);
  await assertRejects(() => near.write(new Uint8Array(1)), Deno.errors.BadResource);
});

Deno.test("a relayed stream that is closed ends the reads and writes that wait", async () => {
  using linked = new Linked();
  const [near, far] = await linked.open();
  const read = assertRejects(() => near.read(new Uint8Array(1)), Deno.errors.BadResource);
  await writeAll(far, new Uint8Array(WINDOW_BYTES));
  const write = assertRejects(() => far.write(new Uint8Array(1)), Deno.errors.BrokenPipe);
  near.close();
  await Promise.all([read, write, far.otherClosed]);
});

Deno.test("connections of one relay link do not disturb each other", async () => {
  using linked = new Linked();
  const [first] = await linked.open();
  const [second, farSecond] = await linked.open();
  await writeAll(first, new Uint8Array(WINDOW_BYTES));
  first.close();
  await writeAll(second, numbered(5));
  assertEquals(await readBytes(farSecond, 5), numbered(5));
});

Deno.test("a relay link that is closed closes its connections", async () => {
  using linked = new Linked();
  const [near, far] = await linked.open();
  linked.near.close();
  await assertRejects(() => near.read(new Uint8Array(1)), Deno.errors.BadResource);
  assertEquals(await far.read(new Uint8Array(1)), null);
});
