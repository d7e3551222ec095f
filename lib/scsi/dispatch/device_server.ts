/** The device server (SAM-5, 4.6): decides whether a command is executed, and calls the function of its row. */
import { ACCESS } from "./access.ts";
import type { Command } from "./command.ts";
import { isKnownOpcode } from "./command_table.ts";
import { refused, refusedForField, RESERVATION_CONFLICT } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { refuseMediumAccess } from "./medium_access.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { refuseErasing } from "./refuse_erasing.ts";
import { Sense } from "../outcome/sense.ts";
import { findSetBit } from "./set_bits.ts";
import type { TargetDescription } from "../target_description.ts";
import { writeThrough } from "../medium/write_through.ts";

/** The longest CDB in the command table: no command has an extended CDB (RFC 7143, 11.2.2.3). */
const CDB_LENGTH_MAX = 16;

/** Refuses an operation code that is unknown, or known but not with this service action (SPC-4, 4.2.5). */
function refuseUnknown(cdb: Uint8Array): Finished {
  return isKnownOpcode(cdb[0]!) ? refusedForField(1, 4) : refused(Sense.invalidCommandOperationCode);
}

/** Refuses a command for a bit that it does not honour, NACA among them; undefined when none is set. */
function refuseBits({ refusedBits }: Command, cdb: Uint8Array): Finished | undefined {
  const found = findSetBit(cdb, refusedBits);
  if (found !== undefined) return refusedForField(found.byte, found.bit);
  return cdb.length > CDB_LENGTH_MAX ? refusedForField(CDB_LENGTH_MAX) : undefined;
}

/** Refuses a command that conflicts with the reservation of another nexus; undefined when there is no conflict. */
function refuseReserved(command: Command, cdb: Uint8Array, nexus: ItlNexus): Finished | undefined {
  const { reservations } = nexus.logicalUnit;
  if (!reservations.isRestricting || !reservations.conflictsWith(command.access, nexus)) return undefined;
  return command.passesReservations?.(cdb) === true ? undefined : RESERVATION_CONFLICT;
}

/** Ends a command that arrives while a unit attention condition is pending. */
function reportAttention(command: Command | undefined, cdb: Uint8Array, nexus: ItlNexus): Finished {
  const { attentions } = nexus;
  // SAM-5, 5.3.3: a conflict ranks below resets and above all other conditions, which then stay pending.
  const conflict = command === undefined || attentions.hasReset
    ? undefined
    : refuseReserved(command, cdb, nexus);
  return conflict ?? refused(attentions.take()!);
}

/**
 * Executes a command that is addressed to a logical unit.
 *
 * @param command the row of the CDB; undefined when there is none
 * @param cdb valid only during the call
 */
export function executeCommand(nexus: ItlNexus, command: Command | undefined, cdb: Uint8Array): Operation {
  if (!nexus.attentions.isEmpty && command?.executeWithoutLogicalUnit === undefined) {
    return reportAttention(command, cdb, nexus);
  }
  if (command === undefined) return refuseUnknown(cdb);
  return refuseReserved(command, cdb, nexus) ?? refuseBits(command, cdb) ??
    refuseErasing(command, nexus.logicalUnit) ??
    refuseMediumAccess(command.access, nexus.logicalUnit) ??
    execute(nexus, command, cdb);
}

/** Executes a command that nothing refuses. A unit without a volatile cache makes its changes durable before GOOD. */
function execute(nexus: ItlNexus, command: Command, cdb: Uint8Array): Operation {
  const operation = command.execute(nexus, cdb, command.fields);
  const { logicalUnit } = nexus;
  return logicalUnit.writesThrough && ACCESS[command.access].changesMedium
    ? writeThrough(operation, logicalUnit)
    : operation;
}

/** Executes a command that is addressed to an incorrect logical unit number (SAM-5), where there is no logical unit. */
export function executeWithoutLogicalUnit(
  target: TargetDescription,
  command: Command | undefined,
  cdb: Uint8Array,
): Operation {
  if (command?.executeWithoutLogicalUnit === undefined) return refused(Sense.logicalUnitNotSupported);
  return refuseBits(command, cdb) ?? command.executeWithoutLogicalUnit(target, cdb, command.fields);
}
