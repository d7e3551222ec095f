/**
 * START STOP UNIT (SBC-3, 5.25) and TEST UNIT READY (SPC-4, 6.47).
 *
 * A file has no power conditions: in any of them the unit serves the next command, as a disk that leaves an idle or
 * standby condition does. Only a unit whose medium is not removable can be stopped; a removable medium is loaded or
 * ejected.
 */
import { bitsOf, isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import { finished, FINISHED_GOOD, refused } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, flush, flushInBackground } from "../medium/medium.ts";
import type { Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { Sense } from "../outcome/sense.ts";

/** The fields of START STOP UNIT. `movesMedium` is LOEJ. */
export const START_STOP_FIELDS = {
  immediate: bitsOf(1, 0x01),
  powerConditionModifier: bitsOf(3, 0x0f),
  powerCondition: bitsOf(4, 0xf0),
  noFlush: bitsOf(4, 0x04),
  movesMedium: bitsOf(4, 0x02),
  start: bitsOf(4, 0x01),
} as const;

/** POWER CONDITION START_VALID. With any other value the START and LOEJ bits are ignored. */
const START_VALID = 0x0;

/** ACTIVE, IDLE, STANDBY, LU_CONTROL, FORCE_IDLE_0 and FORCE_STANDBY_0. */
const POWER_CONDITIONS: readonly number[] = [0x1, 0x2, 0x3, 0x7, 0xa, 0xb];

/** Stops a unit after a flush. If the flush fails the unit keeps running, so the initiator can react. */
async function flushAndStop(unit: LogicalUnit): Promise<Outcome> {
  unit.stop();
  const outcome = await flush(unit);
  if (outcome !== GOOD) unit.start();
  return outcome;
}

/** Ejects the medium after a flush. If the flush fails the medium stays loaded. */
async function flushAndEject(unit: LogicalUnit): Promise<Outcome> {
  const outcome = await flush(unit);
  if (outcome === GOOD) unit.eject();
  return outcome;
}

function start(unit: LogicalUnit): Operation {
  unit.start();
  return FINISHED_GOOD;
}

/** Stops a disk. A disk with a removable medium is only flushed. */
function stop(nexus: ItlNexus, noFlush: boolean, immediately: boolean): Operation {
  const { logicalUnit: unit } = nexus;
  if (!noFlush && !immediately) {
    const outcome = unit.removable ? flush(unit) : flushAndStop(unit);
    return finishLater(outcome, { changesNothing: true });
  }
  if (!unit.removable) unit.stop();
  if (!noFlush) flushInBackground(nexus);
  return FINISHED_GOOD;
}

function eject(nexus: ItlNexus, noFlush: boolean, immediately: boolean): Operation {
  const { logicalUnit: unit } = nexus;
  if (!noFlush && !immediately) return finishLater(flushAndEject(unit), { changesNothing: true });
  unit.eject();
  if (!noFlush) flushInBackground(nexus);
  return FINISHED_GOOD;
}

/** Loads or ejects the medium (LOEJ). While its removal is prevented, neither is possible. */
function moveMedium(nexus: ItlNexus, isLoad: boolean, noFlush: boolean, immediately: boolean): Operation {
  const { logicalUnit: unit } = nexus;
  const isThere = unit.isEjected !== isLoad;
  if (isThere) return FINISHED_GOOD;
  if (unit.removalPrevented) return refused(Sense.mediumRemovalPrevented);
  if (!isLoad) return eject(nexus, noFlush, immediately);
  unit.load(nexus);
  return FINISHED_GOOD;
}

/** Reports whether a START STOP UNIT only starts: it has the START bit, and no power condition. */
export function startsUnit(cdb: Uint8Array): boolean {
  const { powerCondition, start } = START_STOP_FIELDS;
  return readField(cdb, powerCondition) === START_VALID && isSet(cdb, start);
}

/** START STOP UNIT. */
export function startStopUnit(nexus: ItlNexus, cdb: Uint8Array, fields: typeof START_STOP_FIELDS): Operation {
  const { logicalUnit: unit } = nexus;
  const powerCondition = readField(cdb, fields.powerCondition);
  const [noFlush, immediately] = [isSet(cdb, fields.noFlush), isSet(cdb, fields.immediate)];
  if (isSet(cdb, fields.powerConditionModifier)) return refuseField(fields.powerConditionModifier);
  if (powerCondition !== START_VALID) {
    // Initiators of removable media try all values to check that none ejects, and take a refusal for a fault.
    const isAccepted = unit.removable || POWER_CONDITIONS.includes(powerCondition);
    return isAccepted ? start(unit) : refuseField(fields.powerCondition);
  }
  const isStart = isSet(cdb, fields.start);
  if (isSet(cdb, fields.movesMedium)) {
    if (!unit.removable) return refuseField(fields.movesMedium);
    return moveMedium(nexus, isStart, noFlush, immediately);
  }
  return isStart ? start(unit) : stop(nexus, noFlush, immediately);
}

/** TEST UNIT READY: reports whether commands that need the medium would be executed. */
export function testUnitReady(nexus: ItlNexus): Operation {
  const { notReady, eraser } = nexus.logicalUnit;
  if (notReady !== undefined) return refused(notReady);
  return eraser.outcome === undefined ? FINISHED_GOOD : finished(eraser.outcome);
}
