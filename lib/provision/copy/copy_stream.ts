import { untilAborted } from "../../base/until_aborted.ts";
import { findFileFormat, FORMAT_BYTES, unpackCommand } from "../examine/file_format.ts";
import { ProvisionError } from "../provision_error.ts";
import { type CopyDestination, PIECE_BYTES, writeRuns } from "./copy_disk.ts";
import { DestinationSync } from "./destination_sync.ts";

/** A disk that is read from a stream. */
export interface StreamCopy {
  /** Reads the next bytes; null at the end. */
  readonly read: (into: Uint8Array) => Promise<number | null>;
  readonly destination: CopyDestination;
  /** The most bytes that the destination takes. */
  readonly maxBytes: number;
  /** Leave the disk to others most of the time. */
  readonly isGentle: boolean;
  /** Waits as long as the rate requires after this many bytes. */
  readonly pace: (bytes: number) => Promise<void>;
  readonly onProgress: (copiedBytes: number) => void;
  /** Aborted to end the copy, with the reason. */
  readonly signal: AbortSignal;
}

/** Copies are refused as soon as one is too long; the message is completed by the caller. */
export class TooLongError extends Error {}

/**
 * Copies a stream of plain blocks to its end, and returns its length.
 *
 * @throws {TooLongError} (rejects) when it has more than `maxBytes`
 * @throws {ProvisionError} (rejects) when it is in another format
 * @throws {Error} (rejects) when reading or writing fails, or with the reason of the signal
 */
export async function copyStream(copy: StreamCopy): Promise<number> {
  const { destination, maxBytes, signal } = copy;
  const buffer = new Uint8Array(PIECE_BYTES);
  const sync = new DestinationSync(destination, copy.isGentle);
  let tail = new Uint8Array();
  let copiedBytes = 0;
  for (;;) {
    signal.throwIfAborted();
    const count = await untilAborted(fill(copy.read, buffer), signal);
    const bytes = buffer.subarray(0, count);
    if (copiedBytes === 0) assertPlain(bytes, new Uint8Array());
    if (copiedBytes + count > maxBytes) throw new TooLongError();
    await writeRuns(destination, copiedBytes, bytes);
    copiedBytes += count;
    if (count > 0) tail = Uint8Array.from([...tail, ...bytes.subarray(-FORMAT_BYTES)]).slice(-FORMAT_BYTES);
    copy.onProgress(copiedBytes);
    await sync.moved(count);
    await copy.pace(count);
    if (count < buffer.length) break;
  }
  await sync.settled();
  assertPlain(new Uint8Array(), tail);
  return copiedBytes;
}

/** Fills a buffer as far as the stream goes. */
async function fill(read: StreamCopy["read"], buffer: Uint8Array): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const count = await read(buffer.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return filled;
}

/** @throws {ProvisionError} when the first and last bytes are those of a format other than plain blocks */
function assertPlain(head: Uint8Array, tail: Uint8Array): void {
  const format = findFileFormat(head.subarray(0, FORMAT_BYTES), tail);
  if (format === undefined) return;
  const { command, result } = unpackCommand(format, "FILE");
  throw new ProvisionError(
    `standard input is ${format.name}; write it to a file, run "${command}" and copy "${result}"`,
  );
}
