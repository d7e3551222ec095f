import type { Command } from "./command.ts";
import { finished } from "../outcome/finished.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import type { Finished } from "../outcome/operation.ts";

/** The operation code of all forms of SANITIZE. */
const SANITIZE = 0x48;

/**
 * Refuses a command while the unit is sanitized, or after that has failed (SBC-3, 4.11); undefined when it is allowed.
 * INQUIRY, REPORT LUNS and REQUEST SENSE, which need no logical unit, are allowed, and after a failure also SANITIZE.
 */
export function refuseSanitizing(command: Command, { sanitizer }: LogicalUnit): Finished | undefined {
  const { outcome } = sanitizer;
  if (outcome === undefined || command.executeWithoutLogicalUnit !== undefined) return undefined;
  return command.opcode === SANITIZE && !sanitizer.isUnderWay ? undefined : finished(outcome);
}
