import { assert, assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { Staging } from "../../../lib/iscsi/task/staging.ts";

Deno.test("Staging gives a small buffer out again, and to one at a time", () => {
  const staging = new Staging();
  const [first, second] = [staging.take(4096), staging.take(4096)];
  assert(first.buffer !== second.buffer);
  staging.release(first);
  const [third, fourth] = [staging.take(512), staging.take(4096)];
  assertEquals([third.length, third.buffer === first.buffer, fourth.buffer === first.buffer], [
    512,
    true,
    false,
  ]);
  staging.release(third);
  assertEquals(staging.take(8192).length, 8192, "what is too small for a piece is not given out for it");
});

Deno.test("Staging counts what is taken, and not what it keeps to give out again", () => {
  const staging = new Staging();
  const taken: Uint8Array[] = [];
  while (staging.hasRoom) taken.push(staging.take(65_536));
  assertEquals(taken.length * 65_536, Limits.stagedBytes);
  assertEquals(staging.isFull, false);
  while (!staging.isFull) taken.push(staging.take(1_000_000));
  for (const piece of taken) staging.release(piece);
  const again = new Staging();
  let count = 0;
  for (; staging.hasRoom; count++) staging.take(65_536);
  let fresh = 0;
  for (; again.hasRoom; fresh++) again.take(65_536);
  assertEquals(count, fresh);
});

Deno.test("Staging keeps no more than its limit", () => {
  const staging = new Staging();
  const pieces = Array.from({ length: 100 }, () => staging.take(65_536));
  for (const piece of pieces) staging.release(piece);
  const known = new Set(pieces.map(({ buffer }) => buffer));
  const again = Array.from({ length: 100 }, () => staging.take(65_536));
  const kept = again.filter(({ buffer }) => known.has(buffer)).length;
  assertEquals(kept * 65_536, Limits.idleStagedBytes);
});

Deno.test("Staging keeps nothing after its end, whatever comes back later", () => {
  const staging = new Staging();
  const [before, after] = [staging.take(65_536), staging.take(65_536)];
  staging.release(before);
  staging.end();
  staging.release(after);
  const known = [before.buffer, after.buffer];
  assertEquals([0, 1].filter(() => known.includes(staging.take(65_536).buffer)).length, 0);
});
