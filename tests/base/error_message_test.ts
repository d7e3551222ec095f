import { assertEquals } from "@std/assert";
import { errnoOf, errorMessage } from "../../lib/base/error_message.ts";

Deno.test("errorMessage() returns a message for any thrown value", () => {
  assertEquals([errorMessage(new RangeError("too long")), errorMessage("text"), errorMessage(undefined)], [
    "too long",
    "text",
    "undefined",
  ]);
});

Deno.test("errnoOf() returns the number of the operating system", () => {
  assertEquals(errnoOf(new Error("No space left on device (os error 28): write")), 28);
  assertEquals([errnoOf(new Error("os error 28")), errnoOf(undefined)], [undefined, undefined]);
});

Deno.test("errnoOf() understands this version of Deno", () => {
  try {
    Deno.openSync("/none/at/all");
  } catch (error) {
    assertEquals(errnoOf(error), 2);
  }
});
