/**
 * SANITIZE (SBC-3, 5.24): all blocks at once, for good. BLOCK ERASE unmaps them; OVERWRITE writes a pattern everywhere;
 * there is no CRYPTOGRAPHIC ERASE, as there is no key that could be forgotten.
 *
 * ```text
 *  CDB                              parameter list of OVERWRITE
 *  1   | IMMED (7), AUSE (5),       0   | INVERT (7), TEST (6-5), OVERWRITE COUNT (4-0)
 *        service action             2-3 | INITIALIZATION PATTERN LENGTH
 *  7-8 | length                     4-  | INITIALIZATION PATTERN
 * ```
 */
import { readUint16 } from "../../bytes/big_endian.ts";
import { finished, FINISHED_GOOD, refusedForField, refusedForParameter } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater, outcomeOfFailure } from "../medium/medium.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { refuseReserved, takeParameterList } from "../pages/parameter_list.ts";
import { writeRepeated } from "../medium/repeat_block.ts";
import type { SanitizeMethod } from "../medium/sanitizer.ts";
import { wholeBytes } from "../dispatch/set_bits.ts";

/** Byte 1. */
const IMMED = 0x80;
const AUSE = 0x20;

/** Byte 0 of the parameter list of OVERWRITE. */
const INVERT = 0x80;
const TEST = 0x60;
const OVERWRITE_COUNT = 0x1f;

const OVERWRITE_HEADER_BYTES = 4;
const RESERVED_OF_OVERWRITE = wholeBytes(1, 1);

/** What is unmapped, or written before it is flushed, at a time: so often there is progress to report. */
const UNMAP_BYTES = 1024 * 1024 * 1024;
const WRITE_BYTES = 64 * 1024 * 1024;

/** Why AUSE is refused: after a failure in the restricted completion mode it is an error (SBC-4, 5.30.1). */
function refuseExit({ sanitizer }: LogicalUnit, flags: number): Finished | undefined {
  return (flags & AUSE) !== 0 && sanitizer.failure === "restricted" ? refusedForField(1, 5) : undefined;
}

/** Of the forms that have no parameter list. */
function refuseList(unit: LogicalUnit, cdb: Uint8Array): Finished | undefined {
  return refuseExit(unit, cdb[1]!) ?? (readUint16(cdb, 7) === 0 ? undefined : refusedForField(7));
}

/** The outcome of a sanitize operation: once its failure holds, the status says so as every later one does. */
function outcomeOf({ sanitizer }: LogicalUnit, work: Promise<void>): Promise<Outcome> {
  return work.then(() => GOOD, (error) => {
    const outcome = outcomeOfFailure(error);
    return sanitizer.outcome ?? outcome;
  });
}

/** Sets a sanitize operation going. Whatever becomes of the task, it goes on: only who waits for it is another. */
function begin({ logicalUnit }: ItlNexus, flags: number, method: SanitizeMethod): Operation {
  const { sanitizer } = logicalUnit;
  // Another one may have begun, or failed, while the parameter list was on its way.
  if (sanitizer.isUnderWay) return finished(sanitizer.outcome!);
  const refusal = refuseExit(logicalUnit, flags);
  if (refusal !== undefined) return refusal;
  const mode = (flags & AUSE) === 0 ? "restricted" : "unrestricted";
  const outcome = outcomeOf(logicalUnit, sanitizer.sanitize(withSideFiles(logicalUnit, method), mode));
  // What waits for its turn is refused, as every command is from now on.
  logicalUnit.tasks.serve();
  // A failure that nobody waits for is what every later command is told. The work is not that of the task: whoever
  // aborts the task need not wait for it.
  return (flags & IMMED) !== 0
    ? FINISHED_GOOD
    : { kind: "later", operation: outcome.then(finished), changesNothing: true };
}

/** Everything that blocks are in, in stretches. */
function* stretches(
  unit: LogicalUnit,
  stretchBytes: number,
): Generator<{ offset: number; lengthBytes: number }> {
  const end = unit.capacityBlocks * unit.blockSizeBytes;
  for (let offset = 0; offset < end; offset += stretchBytes) {
    yield { offset, lengthBytes: Math.min(stretchBytes, end - offset) };
  }
}

/** The same, but for the extents that take no space: each of those is one stretch, however long it is. */
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

/** What was there before must not come back, not even out of the journal. */
async function makeDurable({ store, journal }: LogicalUnit): Promise<void> {
  await store.flush();
  await journal?.flush();
}

/**
 * The medium's old bytes leave its side files first: even where the rest fails, and EXIT FAILURE MODE follows, nothing
 * reads them there.
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
          // Each stretch reaches the disk before the next: the page cache is for others, too.
          await makeDurable(unit);
        }
      }
    },
  };
}

/** A block that is nothing but a pattern, again and again, the last time as much of it as fits. */
function fillBlock(blockSizeBytes: number, pattern: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: blockSizeBytes }, (_, index) => pattern[index % pattern.length]!);
}

/** What a parameter list of OVERWRITE asks for, or why it is not taken. */
function readOverwrite(unit: LogicalUnit, list: Uint8Array): SanitizeMethod | Finished {
  const flags = list[0]!;
  const patternLength = readUint16(list, 2);
  const count = flags & OVERWRITE_COUNT;
  if ((flags & TEST) !== 0) return refusedForParameter(0, 6);
  if (count === 0) return refusedForParameter(0, 4);
  const refusal = refuseReserved(list, RESERVED_OF_OVERWRITE);
  if (refusal !== undefined) return refusal;
  // The pattern is all of the rest, whose length is checked with the CDB.
  if (patternLength !== list.length - OVERWRITE_HEADER_BYTES) return refusedForParameter(2);
  const pattern = list.subarray(OVERWRITE_HEADER_BYTES);
  const block = fillBlock(unit.blockSizeBytes, pattern);
  const inverted = (flags & INVERT) === 0 ? block : block.map((byte) => ~byte);
  // Inverted between passes, so that the last one writes the pattern itself (SBC-4, 5.30.2.2).
  return overwriteMethod(
    unit,
    Array.from({ length: count }, (_, pass) => (count - pass) % 2 === 1 ? block : inverted),
  );
}

/** OVERWRITE. */
export function sanitizeOverwrite(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const { logicalUnit } = nexus;
  const flags = cdb[1]!;
  const refusal = refuseExit(logicalUnit, flags);
  if (refusal !== undefined) return refusal;
  const lengthBytes = readUint16(cdb, 7);
  // A pattern has one byte at least, and one block at most.
  const patternRoom = lengthBytes - OVERWRITE_HEADER_BYTES;
  if (patternRoom < 1 || patternRoom > logicalUnit.blockSizeBytes) return refusedForField(7);
  return takeParameterList(lengthBytes, (list) => {
    const method = readOverwrite(logicalUnit, list);
    if ("kind" in method) return method;
    return begin(nexus, flags, method);
  });
}

/** BLOCK ERASE. */
export function sanitizeBlockErase(nexus: ItlNexus, cdb: Uint8Array): Operation {
  const { logicalUnit } = nexus;
  return refuseList(logicalUnit, cdb) ?? begin(nexus, cdb[1]!, eraseMethod(logicalUnit));
}

/** EXIT FAILURE MODE. When no operation has failed, there is nothing to exit, which is no error. */
export function sanitizeExitFailureMode({ logicalUnit }: ItlNexus, cdb: Uint8Array): Operation {
  const refusal = refuseList(logicalUnit, cdb);
  if (refusal !== undefined) return refusal;
  const { sanitizer } = logicalUnit;
  switch (sanitizer.failure) {
    case undefined:
      return FINISHED_GOOD;
    case "restricted":
      return refusedForField(1, 4);
    case "unrestricted": {
      const outcome = outcomeOf(logicalUnit, sanitizer.exitFailureMode());
      // With IMMED the status says that the command is valid; until the failure is over the unit refuses the next one.
      return (cdb[1]! & IMMED) !== 0 ? FINISHED_GOOD : finishLater(outcome, { changesNothing: true });
    }
  }
}
