/**
 * START STOP UNIT (SBC-3, 5.25) and TEST UNIT READY (SPC-4, 6.47).
 *
 * A file has nothing that idles: from whatever power condition it is sent to it serves the next command, which is what
 * leaving an idle or standby condition comes to. Only a disk whose medium cannot be removed can be stopped; the medium
 * of one that can is loaded or is not there.
 */
import { FINISHED_GOOD, refused, refusedForField } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, flush, flushInBackground } from "../medium/medium.ts";
import type { Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { Sense } from "../outcome/sense.ts";

/** Byte 1. */
const IMMED = 0x01;
/** Byte 3. */
const POWER_CONDITION_MODIFIER = 0x0f;
/** Byte 4, below the power condition. */
const NO_FLUSH = 0x04;
const LOEJ = 0x02;
const START = 0x01;

/** POWER CONDITION START_VALID. With any other value the START and LOEJ bits are ignored. */
const START_VALID = 0x0;

/** ACTIVE, IDLE, STANDBY, LU_CONTROL, FORCE_IDLE_0 and FORCE_STANDBY_0. */
const POWER_CONDITIONS: readonly number[] = [0x1, 0x2, 0x3, 0x7, 0xa, 0xb];

/** Stops after a flush; a unit whose flush failed goes on, so that something can still be done about it. */
async function flushAndStop(unit: LogicalUnit): Promise<Outcome> {
  unit.stop();
  const outcome = await flush(unit);
  if (outcome !== GOOD) unit.start();
  return outcome;
}

/** Ejects after a flush; a medium whose flush failed stays in. */
async function flushAndEject(unit: LogicalUnit): Promise<Outcome> {
  const outcome = await flush(unit);
  if (outcome === GOOD) unit.eject();
  return outcome;
}

function start(unit: LogicalUnit): Operation {
  unit.start();
  return FINISHED_GOOD;
}

/** Stops a disk; one with a medium that stays loaded only makes it safe to take it out. */
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

/** LOEJ: takes the medium out, or puts it in. While its removal is prevented, it does not move either way. */
function moveMedium(nexus: ItlNexus, isLoad: boolean, noFlush: boolean, immediately: boolean): Operation {
  const { logicalUnit: unit } = nexus;
  const isThere = unit.isEjected !== isLoad;
  if (isThere) return FINISHED_GOOD;
  if (unit.removalPrevented) return refused(Sense.mediumRemovalPrevented);
  if (!isLoad) return eject(nexus, noFlush, immediately);
  unit.load(nexus);
  return FINISHED_GOOD;
}

/** Whether a START STOP UNIT only starts: with the START bit, and no power condition to go to. */
export function startsUnit(cdb: Uint8Array): boolean {
  return cdb[4]! >>> 4 === START_VALID && (cdb[4]! & START) !== 0;
}

/** START STOP UNIT. */
export function startStopUnit(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const { logicalUnit: unit } = nexus;
  const flags = cdb[4]!;
  const powerCondition = flags >>> 4;
  const [noFlush, immediately] = [(flags & NO_FLUSH) !== 0, (cdb[1]! & IMMED) !== 0];
  if ((cdb[3]! & POWER_CONDITION_MODIFIER) !== 0) return refusedForField(3, 3);
  if (powerCondition !== START_VALID) {
    // Initiators of removable media try all values to see that none ejects, and take a refusal for a fault.
    const isTaken = unit.removable || POWER_CONDITIONS.includes(powerCondition);
    return isTaken ? start(unit) : refusedForField(4, 7);
  }
  if ((flags & LOEJ) !== 0) {
    if (!unit.removable) return refusedForField(4, 1);
    return moveMedium(nexus, (flags & START) !== 0, noFlush, immediately);
  }
  return (flags & START) !== 0 ? start(unit) : stop(nexus, noFlush, immediately);
}

/** TEST UNIT READY. */
export function testUnitReady(nexus: ItlNexus): Operation {
  const { notReady } = nexus.logicalUnit;
  return notReady === undefined ? FINISHED_GOOD : refused(notReady);
}
