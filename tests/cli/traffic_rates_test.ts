import { assertEquals } from "@std/assert";
import { ratesBetween } from "../../lib/cli/traffic_rates.ts";
import { CommandKind } from "../../lib/scsi/command_kind.ts";
import { Traffic } from "../../lib/scsi/traffic.ts";

Deno.test("ratesBetween() says what happened in between", () => {
  const traffic = new Traffic();
  traffic.answeredAfter(1000, CommandKind.read, 4096);
  const before = traffic.figures();
  for (let i = 0; i < 4; i++) traffic.answeredAfter(1, CommandKind.read, 512);
  for (let i = 0; i < 2; i++) traffic.answeredAfter(4, CommandKind.write, 1024);
  traffic.answered(CommandKind.other, 0);
  assertEquals(ratesBetween(before, traffic.figures(), 2), {
    reads: { commandsPerSecond: 2, bytesPerSecond: 1024, meanLatencyMs: 1 },
    writes: { commandsPerSecond: 1, bytesPerSecond: 1024, meanLatencyMs: 4 },
    total: { commandsPerSecond: 3.5, bytesPerSecond: 2048, meanLatencyMs: 2 },
  });
  const idle = { commandsPerSecond: 0, bytesPerSecond: 0, meanLatencyMs: null };
  const after = traffic.figures();
  assertEquals(ratesBetween(after, after, 1), { reads: idle, writes: idle, total: idle });
});

Deno.test("ratesBetween() begins at zero with who is new, and with a new worker", () => {
  const traffic = new Traffic();
  for (let i = 0; i < 9; i++) traffic.answeredAfter(1, CommandKind.write, 512);
  const many = traffic.figures();
  const anew = new Traffic();
  anew.answeredAfter(2, CommandKind.write, 1024);
  for (const before of [undefined, many]) {
    assertEquals(
      ratesBetween(before, anew.figures(), 1).writes,
      { commandsPerSecond: 1, bytesPerSecond: 1024, meanLatencyMs: 2 },
    );
  }
});
