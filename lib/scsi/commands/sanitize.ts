/**
 * SANITIZE (SBC-3, 5.24): erases all blocks irrecoverably. BLOCK ERASE unmaps them; OVERWRITE writes a pattern to all
 * of them. CRYPTOGRAPHIC ERASE is not supported, because there is no key to delete.
 *
 * ```text
 *  parameter list of OVERWRITE
 *  0   | INVERT (7), TEST (6-5), OVERWRITE COUNT (4-0)
 *  2-3 | INITIALIZATION PATTERN LENGTH
 *  4-  | INITIALIZATION PATTERN
 * ```
 */
import { readUint16 } from "../../bytes/big_endian.ts";
import { bitsOf, bytesOf, isSet, readField, refuseField } from "../dispatch/cdb_field.ts";
import { finished, FINISHED_GOOD, refusedForField, refusedForParameter } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater } from "../medium/medium.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { refuseReserved, takeParameterList } from "../pages/parameter_list.ts";
import { eraseMethod, eraseThen, fillBlock, overwriteMethod } from "../medium/erase_methods.ts";
import type { EraseMethod } from "../medium/eraser.ts";
import { wholeBytes } from "../dispatch/set_bits.ts";
import { outcomeOfFailure } from "../medium/store_error_outcome.ts";

/** The fields of the CDB. `isUnrestricted` is AUSE: EXIT FAILURE MODE is allowed after a failure. */
export const SANITIZE_FIELDS = {
  immediate: bitsOf(1, 0x80),
  isUnrestricted: bitsOf(1, 0x20),
  listLength: bytesOf(7, 2),
} as const;

type SanitizeFields = typeof SANITIZE_FIELDS;

/** The flags of a SANITIZE command. */
interface Flags {
  readonly immediate: boolean;
  readonly isUnrestricted: boolean;
}

/** Byte 0 of the parameter list of OVERWRITE. */
const INVERT = 0x80;
const TEST = 0x60;
const OVERWRITE_COUNT = 0x1f;

const OVERWRITE_HEADER_BYTES = 4;
const RESERVED_OF_OVERWRITE = wholeBytes(1, 1);

function readFlags(cdb: Uint8Array, fields: SanitizeFields): Flags {
  return {
    immediate: isSet(cdb, fields.immediate),
    isUnrestricted: isSet(cdb, fields.isUnrestricted),
  };
}

/** Refuses AUSE after a failure in the restricted completion mode (SBC-4, 5.30.1); undefined when it is allowed. */
function refuseExit({ eraser }: LogicalUnit, { isUnrestricted }: Flags): Finished | undefined {
  return isUnrestricted && eraser.failure === "restricted"
    ? refuseField(SANITIZE_FIELDS.isUnrestricted)
    : undefined;
}

/** Refuses a parameter list, which only OVERWRITE has, or AUSE; undefined when neither is an error. */
function refuseList(unit: LogicalUnit, cdb: Uint8Array, fields: SanitizeFields): Finished | undefined {
  return refuseExit(unit, readFlags(cdb, fields)) ??
    (readField(cdb, fields.listLength) === 0 ? undefined : refuseField(fields.listLength));
}

/** Returns the outcome of a sanitize operation. A failure ends it with the status that all later commands get. */
function outcomeOf({ eraser }: LogicalUnit, work: Promise<void>): Promise<Outcome> {
  return work.then(() => GOOD, (error) => {
    const outcome = outcomeOfFailure(error);
    return eraser.outcome ?? outcome;
  });
}

/** Starts a sanitize operation. */
function begin({ logicalUnit }: ItlNexus, flags: Flags, method: EraseMethod): Operation {
  const { eraser } = logicalUnit;
  // Another operation may have started, or failed, while the parameter list was transferred.
  if (eraser.isUnderWay) return finished(eraser.outcome!);
  const refusal = refuseExit(logicalUnit, flags);
  if (refusal !== undefined) return refusal;
  const mode = flags.isUnrestricted ? "unrestricted" : "restricted";
  return eraseThen(logicalUnit, outcomeOf(logicalUnit, eraser.sanitize(method, mode)), flags.immediate);
}

/** Returns the method of a parameter list of OVERWRITE, or a refusal. */
function readOverwrite(unit: LogicalUnit, list: Uint8Array): EraseMethod | Finished {
  const flags = list[0]!;
  const patternLength = readUint16(list, 2);
  const count = flags & OVERWRITE_COUNT;
  if ((flags & TEST) !== 0) return refusedForParameter(0, 6);
  if (count === 0) return refusedForParameter(0, 4);
  const refusal = refuseReserved(list, RESERVED_OF_OVERWRITE);
  if (refusal !== undefined) return refusal;
  // The pattern is the rest of the list, whose length was checked with the CDB.
  if (patternLength !== list.length - OVERWRITE_HEADER_BYTES) return refusedForParameter(2);
  const pattern = list.subarray(OVERWRITE_HEADER_BYTES);
  const block = fillBlock(unit.blockSizeBytes, pattern);
  const inverted = (flags & INVERT) === 0 ? block : block.map((byte) => ~byte);
  // Inverted between passes: the last one writes the pattern itself (SBC-4, 5.30.2.2).
  return overwriteMethod(
    unit,
    Array.from({ length: count }, (_, pass) => (count - pass) % 2 === 1 ? block : inverted),
  );
}

/** OVERWRITE. */
export function sanitizeOverwrite(nexus: ItlNexus, cdb: Uint8Array, fields: SanitizeFields): Operation {
  const { logicalUnit } = nexus;
  const flags = readFlags(cdb, fields);
  const refusal = refuseExit(logicalUnit, flags);
  if (refusal !== undefined) return refusal;
  const lengthBytes = readField(cdb, fields.listLength);
  // The pattern has between one byte and one block.
  const patternRoom = lengthBytes - OVERWRITE_HEADER_BYTES;
  if (patternRoom < 1 || patternRoom > logicalUnit.blockSizeBytes) return refuseField(fields.listLength);
  return takeParameterList(lengthBytes, (list) => {
    const method = readOverwrite(logicalUnit, list);
    if ("kind" in method) return method;
    return begin(nexus, flags, method);
  });
}

/** BLOCK ERASE. */
export function sanitizeBlockErase(nexus: ItlNexus, cdb: Uint8Array, fields: SanitizeFields): Operation {
  const { logicalUnit } = nexus;
  return refuseList(logicalUnit, cdb, fields) ??
    begin(nexus, readFlags(cdb, fields), eraseMethod(logicalUnit));
}

/** EXIT FAILURE MODE, which has no effect unless an operation has failed. */
export function sanitizeExitFailureMode(
  { logicalUnit }: ItlNexus,
  cdb: Uint8Array,
  fields: SanitizeFields,
): Operation {
  const refusal = refuseList(logicalUnit, cdb, fields);
  if (refusal !== undefined) return refusal;
  const { eraser } = logicalUnit;
  switch (eraser.failure) {
    case undefined:
    case "format":
      return FINISHED_GOOD;
    case "restricted":
      // The field is the service action.
      return refusedForField(1, 4);
    case "unrestricted": {
      const outcome = outcomeOf(logicalUnit, eraser.exitFailureMode());
      // GOOD with IMMED means only that the command is valid. Until the failure is over, commands are refused.
      return isSet(cdb, fields.immediate) ? FINISHED_GOOD : finishLater(outcome, { changesNothing: true });
    }
  }
}
