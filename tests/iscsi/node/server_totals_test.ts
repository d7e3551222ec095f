import { assertEquals, assertThrows } from "@std/assert";
import { freeSlot, WORKERS_MAX } from "../../../lib/iscsi/node/server_totals.ts";

Deno.test("freeSlot() returns the first free number, and refuses more workers than there is memory for", () => {
  assertEquals([freeSlot([]), freeSlot([0, 2]), freeSlot([1, 0])], [0, 1, 2]);
  const all = Array.from({ length: WORKERS_MAX }, (_, slot) => slot);
  assertThrows(() => freeSlot(all), Error, "64 ports are served");
});
