import { assertEquals, assertRejects } from "@std/assert";
import { joinStreams } from "../../../lib/server/relay/join_streams.ts";
import { createPipe } from "../../support/pipe.ts";
import { Linked } from "./_linked.ts";

const PATIENCE_MS = 50;
const HELLO = new TextEncoder().encode("hello");
const WORLD = new TextEncoder().encode("world");

async function readText(stream: { read(into: Uint8Array): Promise<number | null> }): Promise<string | null> {
  const bytes = new Uint8Array(100);
  const count = await stream.read(bytes);
  return count === null ? null : new TextDecoder().decode(bytes.subarray(0, count));
}

Deno.test("joinStreams() carries bytes both ways, and the last ones of a target that has closed", async () => {
  using linked = new Linked();
  const [peer, socket] = createPipe();
  const [near, target] = await linked.open();
  const joined = joinStreams(socket, near, PATIENCE_MS);
  await peer.write(HELLO);
  assertEquals(await readText(target), "hello");
  await target.write(WORLD);
  target.close();
  assertEquals(await readText(peer), "world");
  assertEquals(await readText(peer), null);
  await joined;
});

Deno.test("joinStreams() tells the target that a peer has gone, and lets go of both", async () => {
  using linked = new Linked();
  const [peer, socket] = createPipe();
  const [near, target] = await linked.open();
  const joined = joinStreams(socket, near, PATIENCE_MS);
  peer.close();
  assertEquals(await readText(target), null);
  target.close();
  await joined;
  await assertRejects(() => socket.read(new Uint8Array(1)), Deno.errors.BadResource);
});

Deno.test("joinStreams() does not wait for ever for a peer that never reads what the target said last", async () => {
  using linked = new Linked();
  const [, socket] = createPipe({ capacityBytes: 1 });
  const [near, target] = await linked.open();
  const joined = joinStreams(socket, near, PATIENCE_MS);
  await target.write(WORLD);
  target.close();
  await joined;
});
