import { assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { Turns } from "../../../lib/iscsi/connection/time_slices.ts";

const MANY = Limits.shortTurnPdus + 1;

Deno.test("Turns are long for a connection that is alone, however little it has to do", () => {
  const turns = new Turns();
  turns.received("a", 1);
  assertEquals(turns.lengthFor("a"), Limits.turnPdus);
});

Deno.test("Turns are long while everybody has much to do", () => {
  const turns = new Turns();
  for (const who of ["a", "b", "a", "c"]) turns.received(who, MANY);
  for (const who of ["a", "b", "c"]) assertEquals(turns.lengthFor(who), Limits.turnPdus);
});

Deno.test("Turns of the others are short beside one that has little to do, and not its own", () => {
  const turns = new Turns();
  turns.received("modest", 1);
  turns.received("busy", MANY);
  assertEquals(turns.lengthFor("busy"), Limits.shortTurnPdus);
  assertEquals(turns.lengthFor("modest"), Limits.turnPdus);
});

Deno.test("Turns stay short for one that has little to do itself now and then", () => {
  const turns = new Turns();
  turns.received("modest", 1);
  turns.received("busy", 1);
  turns.received("busy", 1);
  assertEquals(turns.lengthFor("busy"), Limits.shortTurnPdus);
});

Deno.test("Turns are long again when nobody has had little to do for a while", () => {
  const turns = new Turns();
  turns.received("modest", 1);
  for (let reception = 1; reception < Limits.modestReceptions; reception++) {
    assertEquals(turns.lengthFor("busy"), Limits.shortTurnPdus);
    turns.received("busy", MANY);
  }
  assertEquals(turns.lengthFor("busy"), Limits.shortTurnPdus);
  turns.received("busy", MANY);
  assertEquals(turns.lengthFor("busy"), Limits.turnPdus);
});
