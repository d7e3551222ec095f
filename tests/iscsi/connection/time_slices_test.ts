import { assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { TimeSlices } from "../../../lib/iscsi/connection/time_slices.ts";

const MANY = Limits.shortSlicePdus + 1;

Deno.test("TimeSlices are long for a connection that is alone, however little it has to do", () => {
  const turns = new TimeSlices();
  turns.received("a", 1);
  assertEquals(turns.lengthFor("a"), Limits.slicePdus);
});

Deno.test("TimeSlices are long while everybody has much to do", () => {
  const turns = new TimeSlices();
  for (const who of ["a", "b", "a", "c"]) turns.received(who, MANY);
  for (const who of ["a", "b", "c"]) assertEquals(turns.lengthFor(who), Limits.slicePdus);
});

Deno.test("TimeSlices of the others are short beside one that has little to do, and not its own", () => {
  const turns = new TimeSlices();
  turns.received("modest", 1);
  turns.received("busy", MANY);
  assertEquals(turns.lengthFor("busy"), Limits.shortSlicePdus);
  assertEquals(turns.lengthFor("modest"), Limits.slicePdus);
});

Deno.test("TimeSlices stay short for one that has little to do itself now and then", () => {
  const turns = new TimeSlices();
  turns.received("modest", 1);
  turns.received("busy", 1);
  turns.received("busy", 1);
  assertEquals(turns.lengthFor("busy"), Limits.shortSlicePdus);
});

Deno.test("TimeSlices are long again when nobody has had little to do for a while", () => {
  const turns = new TimeSlices();
  turns.received("modest", 1);
  for (let reception = 1; reception < Limits.shallowQueueReceptions; reception++) {
    assertEquals(turns.lengthFor("busy"), Limits.shortSlicePdus);
    turns.received("busy", MANY);
  }
  assertEquals(turns.lengthFor("busy"), Limits.shortSlicePdus);
  turns.received("busy", MANY);
  assertEquals(turns.lengthFor("busy"), Limits.slicePdus);
});
