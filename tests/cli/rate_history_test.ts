import { assertEquals } from "@std/assert";
import { RateHistory } from "../../lib/cli/rate_history.ts";
import type { StatusReport } from "../../lib/cli/status_report.ts";

/** A report of one LUN with a rate. */
function reportOf(commandsPerSecond: number, intervalSeconds: number | null = 2): StatusReport {
  const logicalUnits = [{ lun: 0, traffic: { rates: { total: { commandsPerSecond } } } }];
  return { intervalSeconds, targets: [{ name: "a", logicalUnits }] } as unknown as StatusReport;
}

const NOW = 1_000_000;
const OPTIONS = { nowMs: NOW, parts: 6 };

Deno.test("RateHistory has the rate in the middle of each part of the last minute", () => {
  const history = new RateHistory();
  assertEquals(history.lastMinute("a", 0, OPTIONS), Array(6).fill(undefined));
  history.add(reportOf(1, 20), NOW - 10_000);
  history.add(reportOf(9, 10), NOW);
  assertEquals(history.lastMinute("a", 0, OPTIONS), [undefined, undefined, undefined, 1, 1, 9]);
  assertEquals(history.lastMinute("a", 1, OPTIONS), Array(6).fill(undefined));
  // Time passes.
  assertEquals(history.lastMinute("a", 0, { nowMs: NOW + 20_000, parts: 6 }), [
    undefined,
    1,
    1,
    9,
    undefined,
    undefined,
  ]);
});

Deno.test("RateHistory takes no rates from a first report, and forgets what is older than a minute", () => {
  const history = new RateHistory();
  history.add(reportOf(5, null), NOW);
  assertEquals(history.lastMinute("a", 0, OPTIONS), Array(6).fill(undefined));
  for (let second = 0; second <= 200; second += 10) history.add(reportOf(second, 10), NOW + second * 1000);
  assertEquals(history.lastMinute("a", 0, { nowMs: NOW + 200_000, parts: 6 }), [
    150,
    160,
    170,
    180,
    190,
    200,
  ]);
});
