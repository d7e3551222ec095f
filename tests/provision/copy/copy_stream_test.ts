import { assert, assertEquals, assertRejects } from "@std/assert";
import { copyStream, type StreamCopy, TooLongError } from "../../../lib/provision/copy/copy_stream.ts";
import { ProvisionError } from "../../../lib/provision/provision_error.ts";
import { mostReactions } from "../../support/reactions.ts";
import { Random } from "../../support/seeded_random.ts";

const MIB = 1024 ** 2;

/** A destination in memory, which counts the bytes that were written. */
class Memory {
  readonly bytes = new Uint8Array(8 * MIB);
  writtenBytes = 0;

  write(offset: number, bytes: Uint8Array): Promise<void> {
    this.bytes.set(bytes, offset);
    this.writtenBytes += bytes.length;
    return Promise.resolve();
  }

  async writeZeros(): Promise<void> {}
  async sync(): Promise<void> {}
}

/** Returns a reader that gives the bytes in pieces, as a pipe does. */
function pipeOf(bytes: Uint8Array, random = new Random(1)): StreamCopy["read"] {
  let at = 0;
  return (into) => {
    if (at === bytes.length) return Promise.resolve(null);
    const count = Math.min(into.length, bytes.length - at, 1 + random.below(100_000));
    into.set(bytes.subarray(at, at + count));
    at += count;
    return Promise.resolve(count);
  };
}

function copyBytes(bytes: Uint8Array, destination: Memory, maxBytes = Infinity): Promise<number> {
  return copyStream({
    read: pipeOf(bytes),
    destination,
    maxBytes,
    isGentle: true,
    pace: () => Promise.resolve(),
    onProgress: () => {},
    signal: new AbortController().signal,
  });
}

Deno.test("copyStream() copies all bytes to the end, and writes no zeros", async () => {
  for (const length of [0, 1, 4097, MIB, 2 * MIB + 5]) {
    const bytes = new Uint8Array(length);
    bytes.fill(3, length - Math.min(length, 4096));
    const memory = new Memory();
    assertEquals(await copyBytes(bytes, memory, length), length);
    assertEquals(memory.bytes.subarray(0, length), bytes);
    assertEquals(memory.writtenBytes <= 8192, true, `${memory.writtenBytes} bytes were written`);
  }
});

Deno.test("copyStream() refuses what is too long, and what is no plain disk at either end", async () => {
  await assertRejects(() => copyBytes(new Uint8Array(MIB + 1), new Memory(), MIB), TooLongError);
  const [head, tail] = [new Uint8Array(MIB), new Uint8Array(2 * MIB + 512)];
  head.set(new TextEncoder().encode("QFI\xfb").slice(0, 3));
  head[3] = 0xfb;
  tail.set(new TextEncoder().encode("conectix"), 2 * MIB);
  const memory = new Memory();
  await assertRejects(() => copyBytes(head, memory), ProvisionError, "standard input is a qcow2 image");
  assertEquals(memory.writtenBytes, 0);
  await assertRejects(() => copyBytes(tail, new Memory()), ProvisionError, "standard input is a VHD image");
});

Deno.test("copyStream() keeps nothing of pieces that are copied, however long the stream is", async () => {
  const destination = { write: async () => {}, writeZeros: async () => {}, sync: async () => {} };
  const bytes = new Uint8Array(32 * MIB);
  const options = { maxBytes: Infinity, isGentle: false, pace: async () => {}, onProgress: () => {} };
  const { signal } = new AbortController();
  const reactions = await mostReactions(() =>
    copyStream({ ...options, read: pipeOf(bytes), destination, signal })
  );
  assert(reactions < 10, `${reactions} reactions to one promise`);
});
