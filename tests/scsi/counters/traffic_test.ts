import { assertEquals } from "@std/assert";
import { CommandKind, totalTraffic, Traffic } from "../../../lib/scsi/counters/traffic.ts";
import { makeTarget, makeUnit } from "../fixture.ts";

Deno.test("Traffic.took() times the commands since the last call, each once", () => {
  const traffic = new Traffic();
  traffic.answered(CommandKind.read, 4096);
  traffic.answered(CommandKind.read, 512);
  traffic.answered(CommandKind.other, 36);
  traffic.took(0.02);
  traffic.answered(CommandKind.write, 8192);
  traffic.took(0.3);
  traffic.took(5);
  const { reads, writes, otherCommands } = traffic.figures();
  assertEquals([reads.commands, reads.bytes, reads.latencies.counts[0]], [2, 4608, 2]);
  assertEquals([writes.commands, writes.bytes, writes.latencies.counts[3]], [1, 8192, 1]);
  assertEquals([reads.latencies.totalMs, writes.latencies.totalMs], [0.04, 0.3]);
  assertEquals(otherCommands, 1);
});

Deno.test("Traffic counts a command with its own latency separately", () => {
  const traffic = new Traffic();
  traffic.answered(CommandKind.read, 1);
  traffic.answeredAfter(1_000, CommandKind.read, 2);
  traffic.took(0.01);
  const { commands, bytes, latencies } = traffic.figures().reads;
  assertEquals([commands, bytes], [2, 3]);
  assertEquals([latencies.counts[0], latencies.counts[13], latencies.totalMs], [1, 1, 1_000.01]);
});

Deno.test("Traffic reports the failures that occurred, and no others", () => {
  const traffic = new Traffic();
  assertEquals(traffic.figures().failures, {});
  traffic.failed("busy");
  traffic.failed("mediumError");
  traffic.failed("busy");
  assertEquals(traffic.figures().failures, { mediumError: 1, busy: 2 });
});

Deno.test("totalTraffic() adds all counters", () => {
  const traffics = [new Traffic(), new Traffic()];
  for (const traffic of traffics) {
    for (const kind of Object.values(CommandKind)) traffic.answeredAfter(2, kind, 100);
    traffic.failed("aborted");
    traffic.unmapped(4096);
  }
  const { reads, writes, otherCommands, unmappedBytes, failures } = totalTraffic(traffics).figures();
  for (const { commands, bytes, latencies } of [reads, writes]) {
    assertEquals([commands, bytes, latencies.totalMs], [2, 200, 4]);
  }
  assertEquals([otherCommands, unmappedBytes, failures], [2, 8192, { aborted: 2 }]);
});

Deno.test("the traffic of a logical unit includes all its nexuses, and that of a nexus all its units", () => {
  const units = [makeUnit(), makeUnit()];
  const target = makeTarget(...units);
  const [first, second] = [target.openNexus("iqn.a:a,i,0x1"), target.openNexus("iqn.a:b,i,0x1")];
  for (const nexus of [first, second]) nexus.trafficOf(0).answered(CommandKind.read, 512);
  first.trafficOf(1).answered(CommandKind.read, 1024);
  // Without a logical unit, the command counts for the nexus alone.
  first.trafficOf(7).answered(CommandKind.other, 0);
  first.trafficOf(undefined).answered(CommandKind.other, 0);
  const readBytes = (traffic: Traffic): number => traffic.figures().reads.bytes;
  assertEquals([first, second].map((nexus) => readBytes(nexus.traffic())), [1536, 512]);
  assertEquals(first.traffic().figures().otherCommands, 2);
  assertEquals(units.map((unit) => readBytes(unit.traffic())), [1024, 1024]);
  first.close();
  assertEquals(units.map((unit) => readBytes(unit.traffic())), [1024, 1024], "who is gone still counts");
});
