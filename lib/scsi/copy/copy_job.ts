/**
 * The copy itself (SPC-4, 5.17), segment by segment, each in small pieces between which other commands run.
 *
 * Where the source takes no space or holds zeros, the copy takes no space either: the destination is unmapped, or
 * written only where it does not hold zeros already.
 */
import { zeroRuns } from "../../bytes/zero_runs.ts";
import { Cancellation, CancelledError } from "../outcome/cancellation.ts";
import { RESERVATION_CONFLICT } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import { refuseRange } from "../medium/medium.ts";
import { refuseMediumAccess } from "../dispatch/medium_access.ts";
import { GOOD, type Outcome } from "../outcome/outcome.ts";
import { sharing } from "../medium/range_access.ts";
import { Sense, type SenseCondition } from "../outcome/sense.ts";
import { copyAborted, type DeviceFailure } from "./copy_failure.ts";
import type { Cscd, Segment } from "./copy_parameters.ts";
import type { CopyProgress } from "./copy_records.ts";
import { outcomeOfFailure } from "../medium/store_error_outcome.ts";

/** Most bytes that are copied at a time: a multiple of every block size. */
const PIECE_BYTES = 256 * 1024;

/** Most bytes that are unmapped at a time. */
const UNMAP_BYTES = 64 * 1024 * 1024;

/** A CSCD with its I_T_L nexus; undefined if it cannot be reached. */
export interface ResolvedCscd extends Cscd {
  readonly nexus: ItlNexus | undefined;
}

/** A source and its destination, in bytes. */
interface Span {
  readonly source: ItlNexus;
  readonly sourceBytes: number;
  readonly destination: ItlNexus;
  readonly destinationBytes: number;
  readonly lengthBytes: number;
}

/** The failure of a segment. */
interface Failure {
  readonly condition: SenseCondition;
  readonly device?: DeviceFailure;
}

/** A running EXTENDED COPY. */
export class CopyJob {
  readonly #cscds: readonly ResolvedCscd[];
  readonly #segments: readonly Segment[];
  readonly #progress: CopyProgress;
  readonly #scratch = new Uint8Array(PIECE_BYTES);
  readonly #cancellation = new Cancellation();

  constructor(cscds: readonly ResolvedCscd[], segments: readonly Segment[], progress: CopyProgress) {
    this.#cscds = cscds;
    this.#segments = segments;
    this.#progress = progress;
  }

  /** Stops the copy, because its task was aborted. */
  cancel(): void {
    this.#cancellation.cancel();
  }

  /** Processes all segments, up to the first that fails. */
  async run(): Promise<Outcome> {
    for (const [index, segment] of this.#segments.entries()) {
      const failure = await this.#attempt(segment);
      if (failure !== undefined) return copyAborted(failure.condition, index, failure.device);
      this.#progress.segmentsProcessed++;
    }
    return GOOD;
  }

  /** Processes a segment, and turns a cancellation into a failure. */
  async #attempt(segment: Segment): Promise<Failure | undefined> {
    try {
      return await this.#process(segment);
    } catch (error) {
      if (error instanceof CancelledError) return { condition: Sense.copyAborted };
      throw error;
    }
  }

  #process(segment: Segment): Failure | undefined | Promise<Failure | undefined> {
    const source = this.#reach(segment.source);
    if ("condition" in source) return source;
    const destination = this.#reach(segment.destination);
    if ("condition" in destination) return destination;
    const sourceUnit = source.logicalUnit;
    const destinationUnit = destination.logicalUnit;
    const unit = segment.countsDestinationBlocks ? destinationUnit : sourceUnit;
    const lengthBytes = segment.blocks * unit.blockSizeBytes;
    const sourceBlocks = lengthBytes / sourceUnit.blockSizeBytes;
    const destinationBlocks = lengthBytes / destinationUnit.blockSizeBytes;
    if (!Number.isInteger(sourceBlocks) || !Number.isInteger(destinationBlocks)) {
      return { condition: Sense.unexpectedInexactSegment };
    }
    const refusal = refuseBlocks(source, "source", segment.sourceLba, sourceBlocks) ??
      refuseBlocks(destination, "destination", segment.destinationLba, destinationBlocks);
    return refusal ?? this.#copy({
      source,
      sourceBytes: segment.sourceLba * sourceUnit.blockSizeBytes,
      destination,
      destinationBytes: segment.destinationLba * destinationUnit.blockSizeBytes,
      lengthBytes,
    });
  }

  #reach(index: number): ItlNexus | Failure {
    const cscd = this.#cscds[index];
    if (cscd === undefined) return { condition: Sense.unreachableCopyTarget };
    if (!cscd.isBlockDevice) return { condition: Sense.incorrectCopyTargetDeviceType };
    return cscd.nexus ?? { condition: Sense.copyTargetDeviceNotReachable };
  }

  /** Copies piece by piece, from the end if the destination overlaps the end of the source. */
  async #copy(span: Span): Promise<Failure | undefined> {
    const { source, destination, sourceBytes, destinationBytes, lengthBytes } = span;
    const isBackwards = source.logicalUnit === destination.logicalUnit && destinationBytes > sourceBytes &&
      destinationBytes < sourceBytes + lengthBytes;
    for (let done = 0; done < lengthBytes;) {
      this.#cancellation.throwIfCancelled();
      const left = lengthBytes - done;
      const holeBytes = isBackwards
        ? 0
        : holeAt(source.logicalUnit, sourceBytes + done, Math.min(left, UNMAP_BYTES));
      const pieceBytes = holeBytes || Math.min(PIECE_BYTES, left);
      const offset = isBackwards ? left - pieceBytes : done;
      // Reservations and write protection may have changed since the last piece.
      const failure = refuseDevice(source, "source") ?? refuseDevice(destination, "destination") ??
        (holeBytes > 0
          ? await clearHole(destination.logicalUnit, destinationBytes + offset, pieceBytes)
          : await this.#copyPiece(span, offset, this.#scratch.subarray(0, pieceBytes)));
      if (failure !== undefined) return failure;
      done += pieceBytes;
      this.#progress.bytesWritten += pieceBytes;
    }
    const unit = destination.logicalUnit;
    // A segment that counts as processed is durable, like any other write to a unit that writes through.
    return unit.writesThrough ? await attempt("destination", () => unit.flush()) : undefined;
  }

  async #copyPiece(span: Span, offset: number, piece: Uint8Array): Promise<Failure | undefined> {
    const source = span.source.logicalUnit;
    const destination = span.destination.logicalUnit;
    const sourceBytes = span.sourceBytes + offset;
    const destinationBytes = span.destinationBytes + offset;
    const failure = await attempt(
      "source",
      () => sharing(source, sourceBytes, piece.length, () => source.store.read(sourceBytes, piece)),
    );
    if (failure !== undefined) return failure;
    this.#cancellation.throwIfCancelled();
    return await attempt(
      "destination",
      () =>
        sharing(destination, destinationBytes, piece.length, async () => {
          for (const { start, end, isZero } of zeroRuns(piece)) {
            if (isZero) await clear(destination, destinationBytes + start, end - start);
            else await destination.store.write(destinationBytes + start, piece.subarray(start, end));
          }
        }),
    );
  }
}

/** Refuses blocks of a device that are out of range; undefined when all of them exist. */
function refuseBlocks(
  { logicalUnit }: ItlNexus,
  role: DeviceFailure["role"],
  lba: number,
  blocks: number,
): Failure | undefined {
  const refusal = refuseRange(logicalUnit, lba, blocks);
  return refusal && { condition: Sense.copyAborted, device: { role, outcome: refusal.outcome } };
}

/** Refuses access to a device, by the rules for a command of the same initiator; undefined when it is allowed. */
function refuseDevice(nexus: ItlNexus, role: DeviceFailure["role"]): Failure | undefined {
  if (nexus.isDeparted) return { condition: Sense.copyTargetDeviceNotReachable };
  const access = role === "source" ? "reads" : "writes";
  const { reservations, eraser } = nexus.logicalUnit;
  const isReserved = reservations.isRestricting && reservations.conflictsWith(access, nexus);
  const outcome = isReserved
    ? RESERVATION_CONFLICT.outcome
    : eraser.outcome ?? refuseMediumAccess(access, nexus.logicalUnit)?.outcome;
  return outcome && { condition: Sense.thirdPartyDeviceFailure, device: { role, outcome } };
}

/** Performs work on a device, and returns its failure. */
async function attempt(role: DeviceFailure["role"], work: () => Promise<void>): Promise<Failure | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    return { condition: Sense.thirdPartyDeviceFailure, device: { role, outcome: outcomeOfFailure(error) } };
  }
}

/** Returns the number of bytes from `offset` on, up to a limit, that take no space. */
function holeAt({ store }: LogicalUnit, offset: number, limitBytes: number): number {
  const { isMapped, endBytes } = store.extentAt(offset);
  return isMapped ? 0 : Math.min(endBytes - offset, limitBytes);
}

/** Clears a range of the destination where the source takes no space. */
function clearHole(unit: LogicalUnit, offset: number, lengthBytes: number): Promise<Failure | undefined> {
  return attempt(
    "destination",
    () => sharing(unit, offset, lengthBytes, () => clear(unit, offset, lengthBytes)),
  );
}

/** Clears a range without taking space: a store that cannot unmap writes only over bytes that are not zero. */
async function clear(unit: LogicalUnit, offset: number, lengthBytes: number): Promise<void> {
  if (holeAt(unit, offset, lengthBytes) < lengthBytes) await unit.store.unmap([{ offset, lengthBytes }]);
}
