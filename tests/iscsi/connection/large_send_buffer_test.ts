import { assertEquals } from "@std/assert";
import { LargeSendBuffer } from "../../../lib/iscsi/connection/large_send_buffer.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { SendBuffer } from "../../../lib/iscsi/wire/send_buffer.ts";

/** Returns whether a buffer has room for more than usual. */
function isLarge(buffer: SendBuffer): boolean {
  fill(buffer);
  const isLarge = !buffer.isFull;
  send(buffer);
  return isLarge;
}

function fill(buffer: SendBuffer, lengthBytes: number = Limits.sendBufferBytes + 1): void {
  buffer.reserve(lengthBytes);
  buffer.commit(lengthBytes);
}

/** Takes what is committed, and gives it back as a socket that has sent it does. */
function send(buffer: SendBuffer): Uint8Array {
  const taken = buffer.take();
  buffer.giveBack();
  return taken;
}

/** Records so many receptions in a row that the connection counts as alone. */
function receiveAlone(right: LargeSendBuffer, buffer: SendBuffer): void {
  for (let count = 0; count <= Limits.loneReceptions; count++) right.received(buffer);
}

Deno.test("a connection has the LargeSendBuffer when it has been alone for a while", () => {
  const [right, buffer] = [new LargeSendBuffer(), new SendBuffer()];
  for (let count = 0; count < Limits.loneReceptions; count++) right.received(buffer);
  assertEquals(isLarge(buffer), false);
  right.received(buffer);
  assertEquals(isLarge(buffer), true);
});

Deno.test("a connection loses the LargeSendBuffer, and its memory, when another one is received from", () => {
  const [right, buffer] = [new LargeSendBuffer(), new SendBuffer()];
  receiveAlone(right, buffer);
  for (let half = 0; half < 2; half++) {
    fill(buffer, Limits.loneSendBufferBytes);
    send(buffer);
  }
  right.received(new SendBuffer());
  assertEquals(isLarge(buffer), false);
  assertEquals([send(buffer), send(buffer)].every(({ buffer }) => buffer.byteLength < 2 ** 21), true);
});

Deno.test("connections that take turns get no LargeSendBuffer", () => {
  const right = new LargeSendBuffer();
  const buffers = [new SendBuffer(), new SendBuffer()];
  for (let turn = 0; turn < 4 * Limits.loneReceptions; turn++) right.received(buffers[turn % 2]!);
  assertEquals(buffers.map(isLarge), [false, false]);
});

Deno.test("one connection at a time has the LargeSendBuffer: its replies have to be taken first", () => {
  const [right, first, second] = [new LargeSendBuffer(), new SendBuffer(), new SendBuffer()];
  receiveAlone(right, first);
  fill(first);
  receiveAlone(right, second);
  assertEquals([isLarge(second), first.isFull], [false, false]);
  send(first);
  receiveAlone(right, second);
  assertEquals([isLarge(first), isLarge(second)], [false, true]);
});

Deno.test("the LargeSendBuffer is withdrawn at once, and given to another connection when all of it was sent", () => {
  const [right, first, second] = [new LargeSendBuffer(), new SendBuffer(), new SendBuffer()];
  receiveAlone(right, first);
  fill(first, Limits.loneSendBufferBytes);
  first.take();
  receiveAlone(right, second);
  assertEquals(isLarge(second), false);
  fill(first);
  assertEquals(first.isFull, true);
  first.giveBack();
  send(first);
  receiveAlone(right, second);
  assertEquals(isLarge(second), true);
});

Deno.test("a connection has the LargeSendBuffer again when it is alone again, also before all was sent", () => {
  const [right, buffer] = [new LargeSendBuffer(), new SendBuffer()];
  receiveAlone(right, buffer);
  fill(buffer, Limits.loneSendBufferBytes);
  buffer.take();
  right.received(new SendBuffer());
  receiveAlone(right, buffer);
  buffer.giveBack();
  assertEquals(isLarge(buffer), true);
});
