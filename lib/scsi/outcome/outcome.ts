import { Status } from "./status.ts";

/** The end of a command: a value, never an exception. */
export interface Outcome {
  readonly status: Status;
  /** Sense data as it is sent to the initiator (SPC-4, 4.5); only with CHECK CONDITION. */
  readonly sense: Uint8Array<ArrayBuffer> | undefined;
}

/** The only outcome of successful commands, so it is recognized by identity. */
export const GOOD: Outcome = Object.freeze({ status: Status.good, sense: undefined });
