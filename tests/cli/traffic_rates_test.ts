import { assertEquals } from "@std/assert";
import { ratesBetween } from "../../lib/cli/traffic_rates.ts";
import { CommandKind, Traffic } from "../../lib/scsi/counters/traffic.ts";

Deno.test("ratesBetween() computes the rates of an interval", () => {
  const traffic = new Traffic();
  traffic.answeredAfter(1000, CommandKind.read, 4096);
  const before = traffic.figures();
  for (let i = 0; i < 4; i++) traffic.answeredAfter(1, CommandKind.read, 512);
  for (let i = 0; i < 2; i++) traffic.answeredAfter(4, CommandKind.write, 1024);
  traffic.answered(CommandKind.other, 0);
  const rates = ratesBetween(before, traffic.figures(), 2);
  // Reads are in the class from 0.5 to 1 ms, writes in that from 2.5 to 5 ms.
  assertEquals(rates, {
    reads: {
      commandsPerSecond: 2,
      bytesPerSecond: 1024,
      meanLatencyMs: 1,
      p50LatencyMs: 0.75,
      p99LatencyMs: 0.995,
    },
    writes: {
      commandsPerSecond: 1,
      bytesPerSecond: 1024,
      meanLatencyMs: 4,
      p50LatencyMs: 3.75,
      p99LatencyMs: 4.975,
    },
    total: {
      commandsPerSecond: 3.5,
      bytesPerSecond: 2048,
      meanLatencyMs: 2,
      p50LatencyMs: 0.875,
      p99LatencyMs: rates.total.p99LatencyMs,
    },
  });
  assertEquals(rates.total.p99LatencyMs?.toFixed(3), "4.925");
  const idle = {
    commandsPerSecond: 0,
    bytesPerSecond: 0,
    meanLatencyMs: null,
    p50LatencyMs: null,
    p99LatencyMs: null,
  };
  const after = traffic.figures();
  assertEquals(ratesBetween(after, after, 1), { reads: idle, writes: idle, total: idle });
});

Deno.test("ratesBetween() begins at zero for a new session, and after a new worker", () => {
  const traffic = new Traffic();
  for (let i = 0; i < 9; i++) traffic.answeredAfter(1, CommandKind.write, 512);
  const many = traffic.figures();
  const restarted = new Traffic();
  restarted.answeredAfter(2, CommandKind.write, 1024);
  for (const before of [undefined, many]) {
    const { commandsPerSecond, bytesPerSecond, meanLatencyMs, p50LatencyMs } =
      ratesBetween(before, restarted.figures(), 1).writes;
    assertEquals([commandsPerSecond, bytesPerSecond, meanLatencyMs, p50LatencyMs], [1, 1024, 2, 1.75]);
  }
});

Deno.test("ratesBetween() recognises a new worker by any counter that fell", () => {
  const [traffic, restarted] = [new Traffic(), new Traffic()];
  traffic.answeredAfter(1, CommandKind.read, 512);
  for (let i = 0; i < 3; i++) restarted.answeredAfter(1, CommandKind.write, 512);
  const { reads, writes } = ratesBetween(traffic.figures(), restarted.figures(), 1);
  assertEquals([reads.commandsPerSecond, writes.commandsPerSecond], [0, 3]);
});
