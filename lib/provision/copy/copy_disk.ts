/**
 * Copies a disk in pieces. Beside a running server it shares a map with it: a byte for each chunk, which says whether
 * the server has kept the old bytes of the chunk because they were changed (see `CopyBeforeWrite`).
 */
import { zeroRuns } from "../../bytes/zero_runs.ts";
import type { ByteRange } from "../../store/byte_range.ts";
import { chunkBytesOf, ChunkState } from "../../store/copy_before_write.ts";
import { delay } from "../../base/delay.ts";
import { DestinationSync } from "./destination_sync.ts";

/** Bytes that are read at a time, unless a chunk is larger. */
export const PIECE_BYTES = 1024 * 1024;

/** Pieces of a hole that are passed at a time. */
const HOLE_PIECES = 1024;

/** Milliseconds between two looks at a chunk whose old bytes are about to be kept. */
const LOOK_MS = 5;

/** A file that is read at any offset. */
export interface ReadableFile {
  /** @throws {Error} when not all of `into` can be filled */
  read(offset: number, into: Uint8Array): void;
}

/** The map and the old bytes that a running server shares. */
export interface Preserved {
  readonly keep: ReadableFile;
  /** The kept bytes are in the destination already. */
  readonly isDestination: boolean;
  /** Returns the states of chunks. */
  states(firstChunk: number, count: number): Uint8Array;
  /** Marks chunks that are copied. */
  markCopied(firstChunk: number, count: number): void;
}

/** A destination, which receives all bytes in ascending order. */
export interface CopyDestination {
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Makes bytes zero. */
  writeZeros(offset: number, lengthBytes: number): Promise<void>;
  /** Puts what was written on stable storage. */
  sync(): Promise<void>;
}

/** A copy to make. */
export interface DiskCopy {
  readonly source: ReadableFile;
  readonly sizeBytes: number;
  /** The ranges of the source that take space; undefined when that is unknown. */
  readonly extents: readonly ByteRange[] | undefined;
  /** Undefined when nothing changes the source. */
  readonly preserved: Preserved | undefined;
  readonly destination: CopyDestination;
  /** Leave the disk to others most of the time. */
  readonly isGentle: boolean;
  /** Waits as long as the rate requires after this many bytes were read or written. */
  readonly pace: (bytes: number) => Promise<void>;
  readonly onProgress: (copiedBytes: number) => void;
  /** Aborted to end the copy, with the reason. */
  readonly signal: AbortSignal;
}

/**
 * Copies all of a disk.
 *
 * @throws {Error} (rejects) when reading or writing fails, or with the reason of the signal
 */
export async function copyDisk(copy: DiskCopy): Promise<void> {
  const chunkBytes = chunkBytesOf(copy.sizeBytes);
  const buffer = new Uint8Array(Math.max(PIECE_BYTES, chunkBytes));
  const sync = new DestinationSync(copy.destination, copy.isGentle);
  for (const piece of piecesOf(copy, buffer.length)) {
    copy.signal.throwIfAborted();
    const movedBytes = await copyPiece(copy, piece, buffer);
    copy.preserved?.markCopied(piece.offset / chunkBytes, Math.ceil(piece.lengthBytes / chunkBytes));
    copy.onProgress(piece.offset + piece.lengthBytes);
    await sync.moved(movedBytes);
    await copy.pace(movedBytes);
  }
  await sync.settled();
}

interface Piece extends ByteRange {
  readonly isHole: boolean;
}

/** Divides a disk into pieces that begin at chunks: small ones of data, large ones of holes. */
function* piecesOf({ sizeBytes, extents }: DiskCopy, pieceBytes: number): Generator<Piece> {
  for (const { offset, lengthBytes, isHole } of stretchesOf(sizeBytes, extents)) {
    const most = isHole ? HOLE_PIECES * pieceBytes : pieceBytes;
    const end = offset + lengthBytes;
    for (let at = offset; at < end; at += most) {
      yield { offset: at, lengthBytes: Math.min(most, end - at), isHole };
    }
  }
}

/** Returns the data and the holes of a disk in turn, rounded to chunks: a chunk with data in it is data. */
function* stretchesOf(sizeBytes: number, extents: DiskCopy["extents"]): Generator<Piece> {
  const chunkBytes = chunkBytesOf(sizeBytes);
  let done = 0;
  for (const { offset, lengthBytes } of extents ?? [{ offset: 0, lengthBytes: sizeBytes }]) {
    const start = Math.max(done, offset - offset % chunkBytes);
    const end = Math.min(Math.ceil((offset + lengthBytes) / chunkBytes) * chunkBytes, sizeBytes);
    if (end <= start) continue;
    if (start > done) yield { offset: done, lengthBytes: start - done, isHole: true };
    yield { offset: start, lengthBytes: end - start, isHole: false };
    done = end;
  }
  if (done < sizeBytes) yield { offset: done, lengthBytes: sizeBytes - done, isHole: true };
}

/** Copies a piece; returns the number of bytes that were read or written. */
async function copyPiece(
  copy: DiskCopy,
  { offset, lengthBytes, isHole }: Piece,
  buffer: Uint8Array,
): Promise<number> {
  const { source, preserved } = copy;
  const bytes = buffer.subarray(0, isHole ? 0 : lengthBytes);
  if (!isHole) source.read(offset, bytes);
  // Only after reading: a chunk that is unchanged now was unchanged when it was read.
  const chunkBytes = chunkBytesOf(copy.sizeBytes);
  const states = preserved?.states(offset / chunkBytes, Math.ceil(lengthBytes / chunkBytes));
  let movedBytes = bytes.length;
  for (const { start, end, isKept } of stateRuns(states, lengthBytes, chunkBytes)) {
    if (isKept) movedBytes += await copyKept(copy, offset + start, end - start);
    else if (isHole) await copy.destination.writeZeros(offset + start, end - start);
    else await writeRuns(copy.destination, offset + start, bytes.subarray(start, end));
  }
  return movedBytes;
}

/** Divides a piece by the states of its chunks. */
function stateRuns(
  states: Uint8Array | undefined,
  lengthBytes: number,
  chunkBytes: number,
): { start: number; end: number; isKept: boolean }[] {
  const runs: { start: number; end: number; isKept: boolean }[] = [];
  if (states === undefined) return [{ start: 0, end: lengthBytes, isKept: false }];
  for (const [chunk, state] of states.entries()) {
    const end = Math.min((chunk + 1) * chunkBytes, lengthBytes);
    const isKept = state !== ChunkState.unchanged;
    const last = runs.at(-1);
    if (last?.isKept === isKept) last.end = end;
    else runs.push({ start: chunk * chunkBytes, end, isKept });
  }
  return runs;
}

/** Copies the old bytes of chunks that were changed; returns their number. */
async function copyKept(copy: DiskCopy, offset: number, lengthBytes: number): Promise<number> {
  const { keep, isDestination, states } = copy.preserved!;
  if (isDestination) return 0;
  const chunkBytes = chunkBytesOf(copy.sizeBytes);
  for (let at = offset; at < offset + lengthBytes; at += chunkBytes) {
    while (states(at / chunkBytes, 1)[0] === ChunkState.changed) {
      copy.signal.throwIfAborted();
      await delay(LOOK_MS, copy.signal);
    }
    const old = new Uint8Array(Math.min(chunkBytes, offset + lengthBytes - at));
    keep.read(at, old);
    await writeRuns(copy.destination, at, old);
  }
  return lengthBytes;
}

/** Writes bytes, and makes those zero that are. */
export async function writeRuns(
  destination: CopyDestination,
  offset: number,
  bytes: Uint8Array,
): Promise<void> {
  for (const { start, end, isZero } of zeroRuns(bytes)) {
    if (isZero) await destination.writeZeros(offset + start, end - start);
    else await destination.write(offset + start, bytes.subarray(start, end));
  }
}
