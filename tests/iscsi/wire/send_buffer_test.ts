import { assert, assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { SendBuffer } from "../../../lib/iscsi/wire/send_buffer.ts";

function put(buffer: SendBuffer, length: number, byte: number): void {
  buffer.reserve(length).fill(byte);
  buffer.commit(length);
}

Deno.test("take() gives what was committed, in its order, once", () => {
  const buffer = new SendBuffer();
  put(buffer, 3, 1);
  put(buffer, 2, 2);
  assertEquals(buffer.length, 5);
  assertEquals([...buffer.take()], [1, 1, 1, 2, 2]);
  assertEquals(buffer.length, 0);
  assertEquals(buffer.take().length, 0);
});

Deno.test("what was reserved and not committed is not sent", () => {
  const buffer = new SendBuffer();
  put(buffer, 1, 1);
  buffer.reserve(100).fill(9);
  put(buffer, 1, 2);
  assertEquals([...buffer.take()], [1, 2]);
});

Deno.test("reserve() grows the buffer and keeps what it holds", () => {
  const buffer = new SendBuffer();
  for (let round = 0; round < 100; round++) put(buffer, 10_007, round);
  const bytes = buffer.take();
  assertEquals(bytes.length, 1_000_700);
  for (let round = 0; round < 100; round++) {
    assert(bytes.subarray(round * 10_007, (round + 1) * 10_007).every((byte) => byte === round));
  }
});

Deno.test("take() leaves what it gave untouched until the next take", () => {
  const buffer = new SendBuffer();
  put(buffer, 100, 1);
  const taken = buffer.take();
  put(buffer, 200_000, 2);
  assert(taken.every((byte) => byte === 1));
  assertEquals(taken.length, 100);
  assertEquals(buffer.take().length, 200_000);
});

Deno.test("release() drops what waits, and its memory; what is put in afterwards is there", () => {
  const buffer = new SendBuffer();
  put(buffer, 200_000, 1);
  buffer.release();
  assertEquals([buffer.length, buffer.take().buffer.byteLength, buffer.take().buffer.byteLength], [0, 0, 0]);
  put(buffer, 48, 2);
  assertEquals([...new Set(buffer.take())], [2]);
});

Deno.test("reduce() keeps what is committed and what is being sent, and tells when the memory is free", () => {
  const buffer = new SendBuffer();
  buffer.enlarge();
  put(buffer, 3 * Limits.sendBufferBytes, 1);
  assertEquals([buffer.isFull, buffer.reduce(), buffer.isFull, buffer.isExceeded], [
    false,
    false,
    false,
    false,
  ]);
  const taken = buffer.take();
  put(buffer, 200_000, 2);
  assertEquals(buffer.reduce(), false);
  put(buffer, Limits.sendBufferBytes - 200_000, 3);
  assert(taken.every((byte) => byte === 1));
  assertEquals([buffer.isFull, buffer.length], [true, Limits.sendBufferBytes]);
  buffer.giveBack();
  assertEquals(buffer.reduce(), true);
  const bytes = buffer.take();
  assert(bytes.subarray(0, 200_000).every((byte) => byte === 2));
  assert(bytes.subarray(200_000).every((byte) => byte === 3));
});
