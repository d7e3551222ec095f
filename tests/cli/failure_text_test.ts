import { assertEquals } from "@std/assert";
import { describeFailedCommands } from "../../lib/cli/failure_text.ts";
import type { TrafficReport } from "../../lib/cli/status_report.ts";
import { COMMAND_FAILURES } from "../../lib/scsi/outcome/command_failure.ts";

function trafficWith(failures: TrafficReport["failures"]): TrafficReport {
  return {
    readCommands: 0,
    readBytes: 0,
    writeCommands: 0,
    writeBytes: 0,
    otherCommands: 0,
    unmappedBytes: 0,
    failures,
    rates: null,
  };
}

Deno.test("describeFailedCommands() names every kind but notices and commands that are not implemented", () => {
  assertEquals(describeFailedCommands(null), undefined);
  assertEquals(describeFailedCommands(trafficWith({})), undefined);
  assertEquals(describeFailedCommands(trafficWith({ illegalRequest: 3, unitAttention: 2 })), undefined);
  assertEquals(
    describeFailedCommands(trafficWith({ reservationConflict: 3, mediumError: 12, unitAttention: 2 })),
    "failed commands: medium error 12, reservation conflict 3",
  );
  const all = describeFailedCommands(
    trafficWith(Object.fromEntries(COMMAND_FAILURES.map((kind) => [kind, 1]))),
  );
  assertEquals(all?.split(", ").length, COMMAND_FAILURES.length - 2);
});
