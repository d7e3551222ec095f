import { assertEquals } from "@std/assert";
import { selectTarget } from "../../lib/cli/select_target.ts";
import type { StatusReport } from "../../lib/cli/status_report.ts";

const NODE = "iqn.2002-08.info.netmanager";
const REPORT = {
  server: { limits: {}, workers: [{ port: 3260, state: "running" }] },
  targets: ["xenserver", "backup"].map((name) => ({ name, iscsiName: `${NODE}:${name}`, logicalUnits: [] })),
  fileSystems: [{ path: "/data" }],
  sessions: [{ session: 1, targetName: `${NODE}:xenserver` }, { session: 2, targetName: null }],
  refusals: {
    totals: { initiators: 9, limit: 4 },
    recent: [
      { targetName: `${NODE}:xenserver`, reason: "initiators", count: 3 },
      { targetName: `${NODE}:backup`, reason: "initiators", count: 2 },
      { targetName: null, reason: "limit", count: 4 },
    ],
  },
} as unknown as StatusReport;

Deno.test("selectTarget() keeps the sessions and refusals of one target, by any of its names", () => {
  for (const name of ["xenserver", "XenServer", `${NODE}:xenserver`, `${NODE}:XENSERVER`]) {
    const selected = selectTarget(REPORT, name);
    if ("problem" in selected) throw new Error(selected.problem);
    const { targets, sessions, refusals, fileSystems } = selected.report;
    assertEquals(targets.map(({ name }) => name), ["xenserver"], name);
    assertEquals(sessions.map(({ session }) => session), [1]);
    assertEquals<unknown>(refusals?.totals, { initiators: 3, limit: 0 });
    assertEquals(refusals?.recent.length, 1);
    assertEquals(fileSystems, REPORT.fileSystems);
  }
});

Deno.test("selectTarget() names the nearest target, or all of them", () => {
  const problemOf = (name: string): unknown => selectTarget(REPORT, name);
  assertEquals(problemOf("xensever"), {
    problem: 'No target "xensever" in the running server: did you mean "xenserver"?',
  });
  const workers = [{ port: 3261, state: "restarting" }];
  const partial = { ...REPORT, server: { ...REPORT.server, workers } } as unknown as StatusReport;
  assertEquals(selectTarget(partial, "abcdef"), {
    problem: 'No target "abcdef" in the running server; it is one of: xenserver, backup; ' +
      "the worker of port 3261 is restarting",
  });
  assertEquals(problemOf("disk\x1b"), {
    problem: 'No target "disk?" in the running server; it is one of: xenserver, backup',
  });
});
