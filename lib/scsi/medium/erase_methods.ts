/** The methods of SANITIZE and FORMAT UNIT: all blocks are unmapped or overwritten, and so are their side files. */
import { FINISHED_GOOD } from "../outcome/finished.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { finishLater } from "./medium.ts";
import type { Operation } from "../outcome/operation.ts";
import type { Outcome } from "../outcome/outcome.ts";
import { writeRepeated } from "./repeat_block.ts";
import type { EraseMethod } from "./eraser.ts";

/** Most bytes that are unmapped, or written before a flush, at a time: progress is reported after each. */
const UNMAP_BYTES = 1024 * 1024 * 1024;
const WRITE_BYTES = 64 * 1024 * 1024;

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
function withSideFiles({ journal }: LogicalUnit, method: EraseMethod): EraseMethod {
  return {
    ...method,
    perform: async (supervision) => {
      await journal?.erase();
      await method.perform(supervision);
    },
  };
}

/** Returns the method that unmaps all blocks, and zeroes them if the store cannot unmap. */
export function eraseMethod(unit: LogicalUnit): EraseMethod {
  return withSideFiles(unit, {
    workBytes: unit.capacityBlocks * unit.blockSizeBytes,
    perform: async ({ cancellation, onProgress }) => {
      for (const { isMapped, ...stretch } of extents(unit, unit.store.canUnmap ? UNMAP_BYTES : WRITE_BYTES)) {
        cancellation.throwIfCancelled();
        if (isMapped) await unit.store.unmap([stretch]);
        onProgress(stretch.lengthBytes);
      }
      await makeDurable(unit);
    },
  });
}

/**
 * Returns the method that writes to all blocks.
 *
 * @param passes the block to write in each pass
 */
export function overwriteMethod(unit: LogicalUnit, passes: readonly Uint8Array[]): EraseMethod {
  return withSideFiles(unit, {
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
  });
}

/** Returns a block filled with repetitions of a pattern, of which the last may be cut off. */
export function fillBlock(blockSizeBytes: number, pattern: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: blockSizeBytes }, (_, index) => pattern[index % pattern.length]!);
}

/**
 * Returns the rest of a command whose method has begun. The method continues even if the task is aborted.
 *
 * @param outcome the outcome of the method
 * @param isImmediate the command completes now (IMMED), and later commands report a failure
 */
export function eraseThen(unit: LogicalUnit, outcome: Promise<Outcome>, isImmediate: boolean): Operation {
  // Dormant commands begin and are refused, like all commands from now on.
  unit.tasks.serve();
  // An abort of the task need not wait for the method.
  return isImmediate ? FINISHED_GOOD : finishLater(outcome, { changesNothing: true });
}
