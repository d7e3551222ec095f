/**
 * START STOP UNIT (SBC-3, 5.25) of a disk whose medium cannot be removed, and TEST UNIT READY (SPC-4, 6.47).
 *
 * A file has no idle or standby condition to go to, so that of the power conditions only ACTIVE is taken.
 */
import { FINISHED_GOOD, refused, refusedForField } from "../finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, flush, flushInBackground } from "../medium.ts";
import type { Operation } from "../operation.ts";
import { GOOD, type Outcome } from "../outcome.ts";

/** Byte 1. */
const IMMED = 0x01;
/** Byte 3. */
const POWER_CONDITION_MODIFIER = 0x0f;
/** Byte 4, below the power condition. */
const NO_FLUSH = 0x04;
const LOEJ = 0x02;
const START = 0x01;

/** Values of POWER CONDITION. With any but START_VALID, the START and LOEJ bits are ignored. */
const START_VALID = 0x0;
const ACTIVE = 0x1;

/** Stops after a flush; a unit whose flush failed goes on, so that something can still be done about it. */
async function flushAndStop(unit: LogicalUnit): Promise<Outcome> {
  unit.stop();
  const outcome = await flush(unit);
  if (outcome !== GOOD) unit.start();
  return outcome;
}

function start(unit: LogicalUnit): Operation {
  unit.start();
  return FINISHED_GOOD;
}

function stop(nexus: ItlNexus, noFlush: boolean, immediately: boolean): Operation {
  if (!noFlush && !immediately) return finishLater(flushAndStop(nexus.logicalUnit));
  nexus.logicalUnit.stop();
  if (!noFlush) flushInBackground(nexus);
  return FINISHED_GOOD;
}

/** START STOP UNIT. */
export function startStopUnit(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const flags = cdb[4]!;
  const powerCondition = flags >>> 4;
  if ((cdb[3]! & POWER_CONDITION_MODIFIER) !== 0) return refusedForField(3, 3);
  if (powerCondition === ACTIVE) return start(nexus.logicalUnit);
  if (powerCondition !== START_VALID) return refusedForField(4, 7);
  if ((flags & LOEJ) !== 0) return refusedForField(4, 1);
  if ((flags & START) !== 0) return start(nexus.logicalUnit);
  return stop(nexus, (flags & NO_FLUSH) !== 0, (cdb[1]! & IMMED) !== 0);
}

/** TEST UNIT READY. */
export function testUnitReady(nexus: ItlNexus): Operation {
  const { notReady } = nexus.logicalUnit;
  return notReady === undefined ? FINISHED_GOOD : refused(notReady);
}
