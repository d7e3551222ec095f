import { assertEquals, assertThrows } from "@std/assert";
import { showStatus } from "../../lib/cli/status_text.ts";
import { PLAIN_STYLE } from "../../lib/cli/terminal.ts";
import { reportServer } from "../../lib/cli/status_report.ts";
import { completeStatus, type EarlierStatus } from "../../lib/control/complete_status.ts";
import { ControlError } from "../../lib/control/control_error.ts";

/** The fields of the first version. */
const FIRST: EarlierStatus = {
  version: "0.1.0",
  pid: 4711,
  uptimeSeconds: 1,
  storage: "/storage",
  portals: ["127.0.0.1:3260"],
  node: null,
};

Deno.test("completeStatus() completes the answer of a server of an earlier version, which can be shown", () => {
  const worker = { port: 3260, state: "running", seconds: null, reason: null } as const;
  const status = completeStatus({ ...FIRST, workers: [worker] });
  assertEquals([status.workers, status.ready, status.warnings], [[{ ...worker, faults: [] }], true, []]);
  const options = { columns: 100, style: PLAIN_STYLE, nowMs: 0 };
  for (const earlier of [status, completeStatus(FIRST)]) {
    assertEquals(showStatus(reportServer(undefined, earlier), options).length > 0, true);
  }
});

Deno.test("completeStatus() changes nothing in an answer of this version", () => {
  const status = completeStatus(FIRST);
  assertEquals(completeStatus({ ...status, ready: false }), { ...status, ready: false });
});

Deno.test("completeStatus() refuses a snapshot that lacks what is shown, with the remedy", () => {
  const node = { sessions: [], targets: [] } as unknown as EarlierStatus["node"];
  assertThrows(
    () => completeStatus({ ...FIRST, node }),
    ControlError,
    "The server runs an earlier version (0.1.0) and does not report what this program shows; restart the server " +
      "after an upgrade",
  );
});
