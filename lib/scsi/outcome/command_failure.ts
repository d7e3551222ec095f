import type { Outcome } from "./outcome.ts";
import { SenseKey } from "./sense.ts";
import { Status } from "./status.ts";

/** Unsuccessful ends of commands: by the sense key of CHECK CONDITION, by status, or by an abort. */
export const COMMAND_FAILURES = [
  "notReady",
  "mediumError",
  "hardwareError",
  "illegalRequest",
  "unitAttention",
  "dataProtect",
  "copyAborted",
  "abortedCommand",
  "miscompare",
  "reservationConflict",
  "busy",
  "taskSetFull",
  "aborted",
  "other",
] as const;

/** One of `COMMAND_FAILURES`. */
export type CommandFailure = typeof COMMAND_FAILURES[number];

const BY_SENSE_KEY: ReadonlyMap<number, CommandFailure> = new Map(
  Object.entries(SenseKey).flatMap(([name, key]) => {
    const failure = COMMAND_FAILURES.find((failure) => failure === name);
    return failure === undefined ? [] : [[key, failure] as const];
  }),
);

const BY_STATUS: ReadonlyMap<number, CommandFailure> = new Map<number, CommandFailure>([
  [Status.reservationConflict, "reservationConflict"],
  [Status.busy, "busy"],
  [Status.taskSetFull, "taskSetFull"],
]);

/** The sense key is in byte 2, since sense data has fixed format up to here (SPC-4, 4.5.3). */
const SENSE_KEY_OFFSET = 2;
const SENSE_KEY_MASK = 0x0f;

/** Returns the failure that an outcome counts as; undefined for success. */
export function commandFailure({ status, sense }: Outcome): CommandFailure | undefined {
  if (status === Status.good || status === Status.conditionMet) return undefined;
  const failure = sense === undefined
    ? BY_STATUS.get(status)
    : BY_SENSE_KEY.get(sense[SENSE_KEY_OFFSET]! & SENSE_KEY_MASK);
  return failure ?? "other";
}
