import { ACCESS } from "./access.ts";
import type { Command } from "./command.ts";
import { finished } from "../outcome/finished.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import type { Finished } from "../outcome/operation.ts";

/** The operation codes of FORMAT UNIT and of all forms of SANITIZE. */
const FORMAT_UNIT = 0x04;
const SANITIZE = 0x48;

/** Reports whether a command is allowed after a failed sanitize (SBC-3, 4.11) or format operation. */
function isAllowedAfterFailure({ opcode, access }: Command, isFormat: boolean): boolean {
  if (opcode === SANITIZE) return true;
  return isFormat && (opcode === FORMAT_UNIT || !ACCESS[access].needsMedium);
}

/**
 * Refuses a command while the unit is sanitized or formatted, or after that has failed; undefined when it is allowed.
 * INQUIRY, REPORT LUNS and REQUEST SENSE, which need no logical unit, are always allowed. After a failure, a SANITIZE
 * makes the medium usable again, or a FORMAT UNIT if that has failed. A medium that is not formatted prevents only
 * commands that need it.
 */
export function refuseErasing(command: Command, { eraser }: LogicalUnit): Finished | undefined {
  const { outcome } = eraser;
  if (outcome === undefined || command.executeWithoutLogicalUnit !== undefined) return undefined;
  const isAllowed = !eraser.isUnderWay && isAllowedAfterFailure(command, eraser.failure === "format");
  return isAllowed ? undefined : finished(outcome);
}
