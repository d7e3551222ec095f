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
import { writeRepeated } from "../medium/repeat_block.ts";
import type { SanitizeMethod } from "../medium/sanitizer.ts";
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

/** Most bytes that are unmapped, or written before a flush, at a time: progress is reported after each. */
const UNMAP_BYTES = 1024 * 1024 * 1024;
const WRITE_BYTES = 64 * 1024 * 1024;

function readFlags(cdb: Uint8Array, fields: SanitizeFields): Flags {
  return {
    immediate: isSet(cdb, fields.immediate),
    isUnrestricted: isSet(cdb, fields.isUnrestricted),
  };
}

/** Refuses AUSE after a failure in the restricted completion mode (SBC-4, 5.30.1); undefined when it is allowed. */
function refuseExit({ sanitizer }: LogicalUnit, { isUnrestricted }: Flags): Finished | undefined {
  return isUnrestricted && sanitizer.failure === "restricted"
    ? refuseField(SANITIZE_FIELDS.isUnrestricted)
    : undefined;
}

/** Refuses a parameter list, which only OVERWRITE has, or AUSE; undefined when neither is an error. */
function refuseList(unit: LogicalUnit, cdb: Uint8Array, fields: SanitizeFields): Finished | undefined {
  return refuseExit(unit, readFlags(cdb, fields)) ??
    (readField(cdb, fields.listLength) === 0 ? undefined : refuseField(fields.listLength));
}

/** Returns the outcome of a sanitize operation. A failure ends it with the status that all later commands get. */
function outcomeOf({ sanitizer }: LogicalUnit, work: Promise<void>): Promise<Outcome> {
  return work.then(() => GOOD, (error) => {
    const outcome = outcomeOfFailure(error);
    return sanitizer.outcome ?? outcome;
  });
}

/** Starts a sanitize operation, which continues even if the task is aborted. */
function begin({ logicalUnit }: ItlNexus, flags: Flags, method: SanitizeMethod): Operation {
  const { sanitizer } = logicalUnit;
  // Another operation may have started, or failed, while the parameter list was transferred.
  if (sanitizer.isUnderWay) return finished(sanitizer.outcome!);
  const refusal = refuseExit(logicalUnit, flags);
  if (refusal !== undefined) return refusal;
  const mode = flags.isUnrestricted ? "unrestricted" : "restricted";
  const outcome = outcomeOf(logicalUnit, sanitizer.sanitize(withSideFiles(logicalUnit, method), mode));
  // Dormant commands begin and are refused, like all commands from now on.
  logicalUnit.tasks.serve();
  // With IMMED, later commands report a failure. An abort of the task need not wait for the operation.
  return flags.immediate
    ? FINISHED_GOOD
    : { kind: "later", operation: outcome.then(finished), changesNothing: true };
}

/** Divides the medium into stretches. */
function* stretches(
  unit: LogicalUnit,
  stretchBytes: number,
): Generator<{ offset: number; lengthBytes: number }> {
  const end = unit.capacityBlocks * unit.blockSizeBytes;
  for (let offset = 0; offset < end; offset += stretchBytes) {
    yield { offset, lengthBytes: Math.min(stretchBytes, end - offset) };
  }
}

/** Divides the medium into stretches; an extent that takes no space is one stretch, whatever its length. */
function* extents(
  unit: LogicalUnit,
  stretchBytes: number,
): Generator<{ offset: number; lengthBytes: number; isMapped: boolean }> {
  const end = unit.capacityBlocks * unit.blockSizeBytes;
  for (let offset = 0; offset < end;) {
    const { isMapped, endBytes } = unit.store.extentAt(offset);
    const lengthBytes = Math.min(isMapped ? stretchBytes : endBytes - offset, end - offset);
    yield { offset, lengthBytes, isMapped };
    offset += lengthBytes;
  }
}

/** Makes the erasure durable, in the journal, too: the old content must not return after a crash. */
async function makeDurable({ store, journal }: LogicalUnit): Promise<void> {
  await store.flush();
  await journal?.flush();
}

/**
 * Erases the old bytes in the side files of the medium first. Nothing can restore them from there, even if the rest
 * fails and EXIT FAILURE MODE follows.
 */
function withSideFiles({ journal }: LogicalUnit, method: SanitizeMethod): SanitizeMethod {
  return {
    ...method,
    perform: async (supervision) => {
      await journal?.erase();
      await method.perform(supervision);
    },
  };
}

function eraseMethod(unit: LogicalUnit): SanitizeMethod {
  return {
    workBytes: unit.capacityBlocks * unit.blockSizeBytes,
    perform: async ({ cancellation, onProgress }) => {
      for (const { isMapped, ...stretch } of extents(unit, unit.store.canUnmap ? UNMAP_BYTES : WRITE_BYTES)) {
        cancellation.throwIfCancelled();
        if (isMapped) await unit.store.unmap([stretch]);
        onProgress(stretch.lengthBytes);
      }
      await makeDurable(unit);
    },
  };
}

/** @param passes the block to write in each pass */
function overwriteMethod(unit: LogicalUnit, passes: readonly Uint8Array[]): SanitizeMethod {
  return {
    workBytes: unit.capacityBlocks * unit.blockSizeBytes * passes.length,
    perform: async (supervision) => {
      for (const block of passes) {
        for (const stretch of stretches(unit, WRITE_BYTES)) {
          await writeRepeated(unit.store, stretch, block, supervision);
          // Each stretch reaches the disk before the next, and does not fill the page cache.
          await makeDurable(unit);
        }
      }
    },
  };
}

/** Returns a block filled with repetitions of a pattern, of which the last may be cut off. */
function fillBlock(blockSizeBytes: number, pattern: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: blockSizeBytes }, (_, index) => pattern[index % pattern.length]!);
}

/** Returns the method of a parameter list of OVERWRITE, or a refusal. */
function readOverwrite(unit: LogicalUnit, list: Uint8Array): SanitizeMethod | Finished {
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
  const { sanitizer } = logicalUnit;
  switch (sanitizer.failure) {
    case undefined:
      return FINISHED_GOOD;
    case "restricted":
      // The field is the service action.
      return refusedForField(1, 4);
    case "unrestricted": {
      const outcome = outcomeOf(logicalUnit, sanitizer.exitFailureMode());
      // GOOD with IMMED means only that the command is valid. Until the failure is over, commands are refused.
      return isSet(cdb, fields.immediate) ? FINISHED_GOOD : finishLater(outcome, { changesNothing: true });
    }
  }
}
