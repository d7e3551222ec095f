/**
 * Sense data of a copy that was aborted while a segment was processed (SPC-4, 5.17.7.3), in fixed format.
 *
 * ```text
 *    2 | sense key: COPY ABORTED
 *    8 | offset of the status and sense data of the copy source, zero if there are none } COMMAND-SPECIFIC
 *    9 | offset of those of the copy destination, likewise                              } INFORMATION
 *   10 | number of the segment                                                          }
 *   18 | status, sense data
 * ```
 */
import { writeUint16 } from "../../bytes/big_endian.ts";
import type { Outcome } from "../outcome/outcome.ts";
import { encodeSense, type SenseCondition } from "../outcome/sense.ts";
import { Status } from "../outcome/status.ts";

/** The failure of one of the two devices of a segment. */
export interface DeviceFailure {
  readonly role: "source" | "destination";
  readonly outcome: Outcome;
}

const SOURCE_BYTE = 8;
const DESTINATION_BYTE = 9;
const SEGMENT_BYTE = 10;

/** Returns the outcome of EXTENDED COPY when the segment with this number could not be processed. */
export function copyAborted(condition: SenseCondition, segment: number, failure?: DeviceFailure): Outcome {
  const fixed = encodeSense(condition);
  writeUint16(fixed, SEGMENT_BYTE, segment);
  if (failure === undefined) return { status: Status.checkCondition, sense: fixed };
  const { role, outcome } = failure;
  const sense = Uint8Array.of(...fixed, outcome.status, ...outcome.sense ?? []);
  sense[role === "source" ? SOURCE_BYTE : DESTINATION_BYTE] = fixed.length;
  sense[7] = sense.length - 8;
  return { status: Status.checkCondition, sense };
}
