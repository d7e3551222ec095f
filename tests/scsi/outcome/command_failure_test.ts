import { assertEquals } from "@std/assert";
import { COMMAND_FAILURES, commandFailure } from "../../../lib/scsi/outcome/command_failure.ts";
import { checkCondition } from "../../../lib/scsi/outcome/finished.ts";
import { GOOD } from "../../../lib/scsi/outcome/outcome.ts";
import { Sense, SenseKey } from "../../../lib/scsi/outcome/sense.ts";
import { Status } from "../../../lib/scsi/outcome/status.ts";

Deno.test("commandFailure() uses the sense key, for every condition", () => {
  const keys = new Map<number, string>(Object.entries(SenseKey).map(([name, key]) => [key, name]));
  for (const [name, condition] of Object.entries(Sense)) {
    const expected = condition.key === SenseKey.noSense ? "other" : keys.get(condition.key);
    assertEquals(commandFailure(checkCondition(condition)), expected, name);
  }
});

Deno.test("commandFailure() uses the status without sense data", () => {
  const failures = Object.values(Status).map((status) => commandFailure({ status, sense: undefined }));
  assertEquals(failures, [
    undefined,
    "other",
    undefined,
    "busy",
    "reservationConflict",
    "taskSetFull",
    "other",
    "other",
  ]);
  assertEquals(commandFailure(GOOD), undefined);
});

Deno.test("every sense key except NO SENSE is a separate failure", () => {
  const names = Object.keys(SenseKey).filter((name) => name !== "noSense");
  assertEquals(names.filter((name) => !COMMAND_FAILURES.some((failure) => failure === name)), []);
});
