/**
 * The device server (SAM-5, 4.6): decides whether a command is executed, and has its row execute it.
 */
import type { Command } from "./command.ts";
import { findCommand, isKnownOpcode } from "./command_table.ts";
import { refused, refusedForField } from "./finished.ts";
import type { ItlNexus } from "./itl_nexus.ts";
import type { LogicalUnit } from "./logical_unit.ts";
import type { Finished, Operation } from "./operation.ts";
import { Sense } from "./sense.ts";
import type { TargetDescription } from "./target_description.ts";

/** NACA in the CONTROL byte, which asks for what NORMACA in the standard INQUIRY data denies (SAM-5, 5.2). */
const NACA = 0x04;
const NACA_BIT = 2;

/** Why a command cannot be executed on the medium as it is; undefined when it can. */
function refuseAccess(command: Command, unit: LogicalUnit): Finished | undefined {
  if (command.access === "none") return undefined;
  const { notReady } = unit;
  if (notReady !== undefined) return refused(notReady);
  if (command.access === "writes" && unit.writeProtected) return refused(Sense.writeProtected);
  return undefined;
}

/** An operation code that is unknown, or known but not with this service action (SPC-4, 4.2.5). */
function refuseUnknown(cdb: Uint8Array): Finished {
  return isKnownOpcode(cdb[0]!) ? refusedForField(1, 4) : refused(Sense.invalidCommandOperationCode);
}

function refuseControl(command: Command, cdb: Uint8Array): Finished | undefined {
  const controlByte = command.usage.length - 1;
  return (cdb[controlByte]! & NACA) === 0 ? undefined : refusedForField(controlByte, NACA_BIT);
}

/** Executes a command that is addressed to a logical unit. `cdb` is only valid during the call. */
export function executeCommand(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const command = findCommand(cdb);
  if (!nexus.attentions.isEmpty && command?.executeWithoutLogicalUnit === undefined) {
    return refused(nexus.attentions.take()!);
  }
  if (command === undefined) return refuseUnknown(cdb);
  return refuseControl(command, cdb) ?? refuseAccess(command, nexus.logicalUnit) ??
    command.execute(nexus, cdb);
}

/** Executes a command that is addressed to an incorrect logical unit number (SAM-5): to one where no unit is. */
export function executeWithoutLogicalUnit(target: TargetDescription, cdb: Uint8Array): Operation {
  const command = findCommand(cdb);
  if (command?.executeWithoutLogicalUnit === undefined) return refused(Sense.logicalUnitNotSupported);
  return refuseControl(command, cdb) ?? command.executeWithoutLogicalUnit(target, cdb);
}
