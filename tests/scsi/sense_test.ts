import { assertEquals } from "@std/assert";
import {
  checkCondition,
  finished,
  FINISHED_GOOD,
  refused,
  refusedForField,
} from "../../lib/scsi/finished.ts";
import { GOOD } from "../../lib/scsi/outcome.ts";
import { encodeSense, Sense, type SenseCondition } from "../../lib/scsi/sense.ts";
import { assertHex, nameOfSense } from "./fixture.ts";

Deno.test("encodeSense() makes sense data in fixed format", () => {
  assertHex(
    encodeSense(Sense.logicalBlockAddressOutOfRange),
    "70 00 05 00 00 00 00 0a 00 00 00 00 21 00 00 00 00 00",
  );
  assertHex(
    encodeSense(Sense.deferredWriteError),
    "71 00 03 00 00 00 00 0a 00 00 00 00 0c 00 00 00 00 00",
  );
});

Deno.test("encodeSense() points at a field of the CDB, and at a bit of it if it is known", () => {
  assertHex(
    encodeSense(Sense.invalidFieldInCdb, { byte: 10 }),
    "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 0a",
  );
  assertHex(
    encodeSense(Sense.invalidFieldInCdb, { byte: 1, bit: 7 }),
    "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cf 00 01",
  );
});

Deno.test("no two conditions in Sense look alike", () => {
  for (const [name, condition] of Object.entries<SenseCondition>(Sense)) {
    assertEquals(nameOfSense(encodeSense(condition)), name);
  }
});

Deno.test("finished() ends a command with an outcome, and every good one is the same", () => {
  assertEquals(finished(GOOD) === FINISHED_GOOD && FINISHED_GOOD.outcome === GOOD, true);
  const outcome = checkCondition(Sense.writeError);
  assertEquals(finished(outcome).outcome === outcome, true);
  assertEquals(refused(Sense.writeError).outcome, outcome);
  assertEquals(refusedForField(3).outcome.sense, encodeSense(Sense.invalidFieldInCdb, { byte: 3 }));
});
