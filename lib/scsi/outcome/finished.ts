import type { Finished } from "./operation.ts";
import { GOOD, type Outcome } from "./outcome.ts";
import { encodeSense, Sense, type SenseCondition } from "./sense.ts";
import { Status } from "./status.ts";

/** A command that went well and has nothing (more) to send. */
export const FINISHED_GOOD: Finished = Object.freeze({ kind: "finished", outcome: GOOD });

/** CHECK CONDITION status for a condition. */
export function checkCondition(condition: SenseCondition): Outcome {
  return { status: Status.checkCondition, sense: encodeSense(condition) };
}

/** A command that has ended this way. */
export function finished(outcome: Outcome): Finished {
  return outcome === GOOD ? FINISHED_GOOD : { kind: "finished", outcome };
}

/** A command that is refused, or has failed, for a condition. */
export function refused(condition: SenseCondition): Finished {
  return { kind: "finished", outcome: checkCondition(condition) };
}

/** A command that was cancelled. Nobody waits for its status; if somebody did, it must not read GOOD. */
export const CANCELLED: Finished = Object.freeze({
  kind: "finished",
  outcome: Object.freeze(checkCondition(Sense.commandsClearedByDeviceServer)),
});

/** A command for which there is no room now: whoever sent it should try again (SAM-5, 5.3.1). */
export const TASK_SET_FULL: Finished = Object.freeze({
  kind: "finished",
  outcome: Object.freeze({ status: Status.taskSetFull, sense: undefined }),
});

/** A command that conflicts with what others have reserved. */
export const RESERVATION_CONFLICT: Finished = Object.freeze({
  kind: "finished",
  outcome: { status: Status.reservationConflict, sense: undefined },
});

/** A command that is refused for a field of its CDB; `bit` is the highest bit of a field smaller than its bytes. */
export function refusedForField(byte: number, bit?: number): Finished {
  const sense = encodeSense(Sense.invalidFieldInCdb, { byte, bit });
  return { kind: "finished", outcome: { status: Status.checkCondition, sense } };
}

/** A command that is refused for a field of its parameter list, of which `bit` is the highest bit as above. */
export function refusedForParameter(byte: number, bit?: number): Finished {
  const sense = encodeSense(Sense.invalidFieldInParameterList, { byte, bit, inParameterList: true });
  return { kind: "finished", outcome: { status: Status.checkCondition, sense } };
}
