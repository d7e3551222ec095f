import type { Finished } from "./operation.ts";
import { GOOD, type Outcome } from "./outcome.ts";
import { encodeSense, Sense, type SenseCondition } from "./sense.ts";
import { Status } from "./status.ts";

/** A command that completed with GOOD and has no data left to send. */
export const FINISHED_GOOD: Finished = Object.freeze({ kind: "finished", outcome: GOOD });

/** Returns CHECK CONDITION status with the sense data of a condition. */
export function checkCondition(condition: SenseCondition): Outcome {
  return { status: Status.checkCondition, sense: encodeSense(condition) };
}

/** Returns a command that completed with an outcome. */
export function finished(outcome: Outcome): Finished {
  return outcome === GOOD ? FINISHED_GOOD : { kind: "finished", outcome };
}

/** Returns a command that is refused, or has failed, with a condition. */
export function refused(condition: SenseCondition): Finished {
  return { kind: "finished", outcome: checkCondition(condition) };
}

/** A cancelled command. Its status is normally not sent; if it is, it must not be GOOD. */
export const CANCELLED: Finished = Object.freeze({
  kind: "finished",
  outcome: Object.freeze(checkCondition(Sense.commandsClearedByDeviceServer)),
});

/** A command that the full task set cannot take; the initiator should retry it (SAM-5, 5.3.1). */
export const TASK_SET_FULL: Finished = Object.freeze({
  kind: "finished",
  outcome: Object.freeze({ status: Status.taskSetFull, sense: undefined }),
});

/** A command that conflicts with a reservation of another I_T nexus. */
export const RESERVATION_CONFLICT: Finished = Object.freeze({
  kind: "finished",
  outcome: { status: Status.reservationConflict, sense: undefined },
});

/** Refuses a command for a field of its CDB; `bit` is the highest bit of a field that is smaller than its bytes. */
export function refusedForField(byte: number, bit?: number): Finished {
  const sense = encodeSense(Sense.invalidFieldInCdb, { byte, bit });
  return { kind: "finished", outcome: { status: Status.checkCondition, sense } };
}

/** Refuses a command for a field of its parameter list; `bit` as in `refusedForField`. */
export function refusedForParameter(byte: number, bit?: number): Finished {
  const sense = encodeSense(Sense.invalidFieldInParameterList, { byte, bit, inParameterList: true });
  return { kind: "finished", outcome: { status: Status.checkCondition, sense } };
}
