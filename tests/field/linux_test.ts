import { assertEquals, assertThrows } from "@std/assert";
import { Appliance } from "../end_to_end/appliance.ts";
import { checkRecords, firstDifference, pattern } from "./linux.ts";

const RECORD_BYTES = 65536;

Deno.test("pattern() repeats a line up to a length", () => {
  assertEquals(new TextDecoder().decode(pattern("abc", 6)), "abc\nab");
  assertEquals(pattern("abc", 0).length, 0);
});

Deno.test("firstDifference() finds a byte that differs or is missing", () => {
  assertEquals(firstDifference(Uint8Array.of(1, 2), Uint8Array.of(1, 2)), undefined);
  assertEquals(firstDifference(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), 1);
  assertEquals(firstDifference(Uint8Array.of(1), Uint8Array.of(1, 0)), 1);
});

Deno.test("checkRecords() finds a record of another round, one that is damaged, and a report of nothing", () => {
  using appliance = Appliance.create("");
  Deno.mkdirSync(appliance.storage);
  const content = new Uint8Array(2 * RECORD_BYTES);
  content.set(pattern("writer slot 0 round 3", RECORD_BYTES));
  content.set(pattern("writer slot 1 round 2", RECORD_BYTES), RECORD_BYTES);
  Deno.writeFileSync(`${appliance.storage}/disk`, content);
  checkRecords(appliance, "disk", "0 3\n1 2");
  assertThrows(() => checkRecords(appliance, "disk", "0 3\n1 1"), Error, "slot 1, which has round 1");
  assertThrows(() => checkRecords(appliance, "disk", ""), Error, "written nothing");
  assertThrows(() => checkRecords(appliance, "disk", "2 0"), Error, "ends before");
  content[RECORD_BYTES - 1] = 0;
  Deno.writeFileSync(`${appliance.storage}/disk`, content);
  assertThrows(() => checkRecords(appliance, "disk", "0 3"), Error, "slot 0, which has round 3");
});
