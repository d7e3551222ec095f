import { Status } from "./status.ts";

/** How a command ended: a value, never an exception. */
export interface Outcome {
  readonly status: Status;
  /** Sense data as it goes to the initiator (SPC-4, 4.5), with CHECK CONDITION only. */
  readonly sense: Uint8Array<ArrayBuffer> | undefined;
}

/** The one outcome of every command that went well, so that it can be told by identity. */
export const GOOD: Outcome = Object.freeze({ status: Status.good, sense: undefined });
