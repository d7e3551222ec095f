import { assertEquals, assertThrows } from "@std/assert";
import { ConsoleWriter } from "../../lib/cli/console_writer.ts";

Deno.test("ConsoleWriter writes all of a text to a stream that takes little at a time", () => {
  let written = "";
  const writer = new ConsoleWriter({
    writeSync: (bytes) => {
      written += new TextDecoder().decode(bytes.subarray(0, 3));
      return Math.min(bytes.length, 3);
    },
  });
  writer.write("one two three");
  writer.write(" four");
  assertEquals(written, "one two three four");
});

Deno.test("ConsoleWriter drops what nobody reads any more", () => {
  let calls = 0;
  const writer = new ConsoleWriter({
    writeSync: () => {
      calls++;
      throw new Deno.errors.BrokenPipe("Broken pipe (os error 32)");
    },
  });
  writer.write("one");
  writer.write("two");
  assertEquals(calls, 1);
});

Deno.test("ConsoleWriter passes on every other fault of the stream", () => {
  const writer = new ConsoleWriter({
    writeSync: () => {
      throw new Error("No space left on device (os error 28)");
    },
  });
  assertThrows(() => writer.write("one"), Error, "os error 28");
});
