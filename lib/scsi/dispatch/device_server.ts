/**
 * The device server (SAM-5, 4.6): decides whether a command is executed, and has its row execute it.
 */
import type { Command } from "./command.ts";
import { findCommand, isKnownOpcode } from "./command_table.ts";
import { refused, refusedForField, RESERVATION_CONFLICT } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import { refuseMediumAccess } from "./medium_access.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { refuseSanitizing } from "./refuse_sanitizing.ts";
import { Sense } from "../outcome/sense.ts";
import { findSetBit } from "./set_bits.ts";
import type { TargetDescription } from "../target_description.ts";

/** The longest CDB of a command that is here: an extended CDB (RFC 7143, 11.2.2.3) belongs to none. */
const CDB_LENGTH_MAX = 16;

/** An operation code that is unknown, or known but not with this service action (SPC-4, 4.2.5). */
function refuseUnknown(cdb: Uint8Array): Finished {
  return isKnownOpcode(cdb[0]!) ? refusedForField(1, 4) : refused(Sense.invalidCommandOperationCode);
}

/** Why a command is refused for bits that it does not look at, NACA among them; undefined when none of them is set. */
function refuseBits({ refusedBits }: Command, cdb: Uint8Array): Finished | undefined {
  const found = findSetBit(cdb, refusedBits);
  if (found !== undefined) return refusedForField(found.byte, found.bit);
  return cdb.length > CDB_LENGTH_MAX ? refusedForField(CDB_LENGTH_MAX) : undefined;
}

/** Why a command must leave to others what they have reserved; undefined when it need not. */
function refuseReserved(command: Command, cdb: Uint8Array, nexus: ItlNexus): Finished | undefined {
  const { reservations } = nexus.logicalUnit;
  if (!reservations.isRestricting || !reservations.conflictsWith(command.access, nexus)) return undefined;
  return command.passesReservations?.(cdb) === true ? undefined : RESERVATION_CONFLICT;
}

/** What a command ends with that comes while the initiator must be told of something. */
function tellOfAttention(command: Command | undefined, cdb: Uint8Array, nexus: ItlNexus): Finished {
  const { attentions } = nexus;
  // SAM-5, 5.3.3: a conflict comes after resets, and before every other unit attention condition, which stays pending.
  const conflict = command === undefined || attentions.tellOfReset
    ? undefined
    : refuseReserved(command, cdb, nexus);
  return conflict ?? refused(attentions.take()!);
}

/** Executes a command that is addressed to a logical unit. `cdb` is only valid during the call. */
export function executeCommand(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const command = findCommand(cdb);
  if (!nexus.attentions.isEmpty && command?.executeWithoutLogicalUnit === undefined) {
    return tellOfAttention(command, cdb, nexus);
  }
  if (command === undefined) return refuseUnknown(cdb);
  return refuseReserved(command, cdb, nexus) ?? refuseBits(command, cdb) ??
    refuseSanitizing(command, nexus.logicalUnit) ??
    refuseMediumAccess(command.access, nexus.logicalUnit) ??
    command.execute(nexus, cdb);
}

/** Executes a command that is addressed to an incorrect logical unit number (SAM-5): to one where no unit is. */
export function executeWithoutLogicalUnit(target: TargetDescription, cdb: Uint8Array): Operation {
  const command = findCommand(cdb);
  if (command?.executeWithoutLogicalUnit === undefined) return refused(Sense.logicalUnitNotSupported);
  return refuseBits(command, cdb) ?? command.executeWithoutLogicalUnit(target, cdb);
}
