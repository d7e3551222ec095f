import { assertEquals } from "@std/assert";
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

Deno.test("ConsoleWriter drops text after its reader has left", () => {
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

/** A stream that fails with these, in turn, and takes the rest at most eight bytes at a time. */
function failingStream(
  ...faults: readonly (Error | undefined)[]
): { text: string; writeSync(bytes: Uint8Array): number } {
  const left = [...faults];
  return {
    text: "",
    writeSync(bytes): number {
      const fault = left.shift();
      if (fault !== undefined) throw fault;
      this.text += new TextDecoder().decode(bytes.subarray(0, 8));
      return Math.min(bytes.length, 8);
    },
  };
}

const DISK_FULL = new Error("No space left on device (os error 28)");
const WOULD_BLOCK = new Deno.errors.WouldBlock("Resource temporarily unavailable (os error 11)");

Deno.test("ConsoleWriter writes nothing of a document after a gap, and keeps the reason", () => {
  const stream = failingStream(undefined, DISK_FULL);
  const writer = new ConsoleWriter(stream);
  writer.write("one two three\n");
  writer.write("four\n");
  assertEquals([stream.text, writer.failure], ["one two ", DISK_FULL]);
});

Deno.test("ConsoleWriter tries every text of a log, and begins a new line after a partial one", () => {
  const stream = failingStream(undefined, DISK_FULL, DISK_FULL);
  const writer = new ConsoleWriter(stream, { isLog: true });
  writer.write("one two three\n");
  writer.write("four\n");
  assertEquals(writer.failure, DISK_FULL);
  writer.write("five\n");
  assertEquals([stream.text, writer.failure], ["one two \nfive\n", undefined]);
});

Deno.test("ConsoleWriter waits a limited time for the slow reader of a pipe that does not block", () => {
  const slow = failingStream(WOULD_BLOCK, undefined, WOULD_BLOCK, WOULD_BLOCK);
  const writer = new ConsoleWriter(slow);
  writer.write("one two three\n");
  assertEquals([slow.text, writer.failure], ["one two three\n", undefined]);
  const stuck = new ConsoleWriter(failingStream(WOULD_BLOCK, WOULD_BLOCK), { patienceMs: 5 });
  stuck.write("one");
  assertEquals(stuck.failure, WOULD_BLOCK);
});
