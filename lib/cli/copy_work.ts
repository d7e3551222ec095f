/** The work of `iscsi copy`: from a disk, served or not, or a stream, to the file of a LUN, a file or a stream. */
import { delay } from "../base/delay.ts";
import { errorMessage } from "../base/error_message.ts";
import type { ControlClient } from "../control/control_client.ts";
import type { UnitAddress } from "../control/control_requests.ts";
import { duringRequest, type OpenRequest } from "./during_request.ts";
import { duringServedCopy, type ServedCopyOptions } from "./served_copy.ts";
import { type CopyDestination, copyDisk, type Preserved } from "../provision/copy/copy_disk.ts";
import { copyStream, TooLongError } from "../provision/copy/copy_stream.ts";
import { lockForCopy } from "../provision/copy/copy_lock.ts";
import { CopyPace } from "../provision/copy/copy_pace.ts";
import { roomForCopy } from "../provision/copy/copy_room.ts";
import { lowerPriority } from "../provision/copy/low_priority.ts";
import { findDataExtents } from "../provision/copy/data_extents.ts";
import { ByteStream, SparseFile } from "../provision/copy/destinations.ts";
import { OpenFile, PreservedFiles } from "../provision/copy/open_file.ts";
import { shareBlocks } from "../provision/copy/share_blocks.ts";
import { TemporaryFile } from "../provision/copy/temporary_file.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import { formatSize } from "../config/size.ts";

/** The share of the time in which a copy works beside a running server. */
const SHARE_BESIDE_SERVER = 0.5;

/** A LUN and the server that serves it. */
export interface ServedLun {
  readonly client: ControlClient;
  readonly unit: UnitAddress;
}

/** A disk to copy. */
export interface DiskSource {
  readonly kind: "disk";
  /** The path of the disk, for messages and where nothing serves it. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Undefined when no server serves it. */
  readonly served: ServedLun | undefined;
}

/** A stream to copy to its end. */
export interface StreamSource {
  readonly kind: "stream";
  readonly read: (into: Uint8Array) => Promise<number | null>;
}

/** A file that becomes the copy. */
export interface FileDestination {
  readonly kind: "file";
  readonly path: string;
  /** The length of the file; null for that of the source. */
  readonly sizeBytes: number | null;
  readonly replaces: boolean;
  /** True if the file is that of a LUN, which is locked. */
  readonly isUnit: boolean;
  /** The LUN that has the file; undefined when no server serves it. */
  readonly served?: ServedLun | undefined;
  /** A stream may end before the end of the file; the rest is zero. */
  readonly mayBeLonger: boolean;
}

/** A copy to make. */
export interface CopyWork {
  readonly source: DiskSource | StreamSource;
  /** True if any server runs on the storage folder. */
  readonly isBesideServer: boolean;
  readonly destination:
    | FileDestination
    | { readonly kind: "stream"; readonly write: (bytes: Uint8Array) => Promise<number> };
  /** The destination, for people. */
  readonly label: string;
  readonly bytesPerSecond: number | undefined;
  readonly onProgress: (copiedBytes: number) => void;
  readonly signal: AbortSignal;
}

/** The copy of a disk. */
type DiskWork = CopyWork & { readonly source: DiskSource };

/** The way in which a copy was made. */
export interface CopyResult {
  readonly kind: "shared" | "copied";
  readonly sizeBytes: number;
  /** The space that the copy takes; null for a stream and where the blocks are shared. */
  readonly allocatedBytes: number | null;
  /** The reason for which the LUN with the copy is not ready; undefined when it is. */
  readonly problem?: string | undefined;
}

/**
 * Makes a copy.
 *
 * @throws {Error} (rejects) when it fails; the destination is unchanged then
 */
export async function makeCopy(work: CopyWork): Promise<CopyResult> {
  const { destination } = work;
  if (destination.kind === "file") {
    return await (destination.served === undefined
      ? makeFile(work, destination)
      : replaceServed(work, destination, destination.served));
  }
  const { kind, sizeBytes } = await copyTo(work, undefined, new ByteStream(destination.write));
  return { kind, sizeBytes, allocatedBytes: null };
}

/** Makes a copy while the server does not serve the LUN that gets it. */
async function replaceServed(
  work: CopyWork,
  destination: FileDestination,
  { client, unit }: ServedLun,
): Promise<CopyResult> {
  const send: OpenRequest<string | null>["send"] = (onMessage, signal) =>
    client.request("replace", unit, onMessage, signal);
  let result: CopyResult | undefined;
  try {
    const problem = await duringRequest({ send, interrupted: work.signal }, async (message, signal) => {
      result = await makeFile({ ...work, signal }, destination);
      await client.request("endReplacement", { replacement: Number(message) });
    });
    return { ...result!, problem: problem ?? undefined };
  } catch (error) {
    // The copy is complete, whatever happens to the server now.
    if (result !== undefined) return { ...result, problem: errorMessage(error) };
    throw error;
  }
}

async function makeFile(work: CopyWork, destination: FileDestination): Promise<CopyResult> {
  const { path, replaces, isUnit } = destination;
  using _lock = isUnit ? lockForCopy(path, "destination") : undefined;
  using temporary = TemporaryFile.create(path, work.source.kind === "disk" ? work.source.sizeBytes : 0);
  const file = new SparseFile(temporary.file, () => assertRoom(temporary.path));
  const { kind, sizeBytes } = await copyTo(work, temporary, file);
  const length = destination.sizeBytes ?? sizeBytes;
  temporary.file.truncateSync(length);
  work.signal.throwIfAborted();
  const { blocks } = temporary.file.statSync();
  await temporary.place(replaces);
  return { kind, sizeBytes: length, allocatedBytes: kind === "shared" ? null : (blocks ?? 0) * 512 };
}

/** The way in which blocks were copied, and the length of their source. */
type Copied = Pick<CopyResult, "kind" | "sizeBytes">;

async function copyTo(
  work: CopyWork,
  temporary: TemporaryFile | undefined,
  destination: CopyDestination,
): Promise<Copied> {
  const { source } = work;
  if (source.kind === "stream") return await copyInput(work, source, destination);
  const { served, sizeBytes } = source;
  const disk = { ...work, source };
  const kind =
    await (served === undefined
      ? copyUnused(disk, temporary, destination)
      : copyServed(disk, served, { temporary, destination }));
  return { kind, sizeBytes };
}

/** Copies standard input, whose end may be that of a program that has failed. */
async function copyInput(
  work: CopyWork,
  { read }: StreamSource,
  destination: CopyDestination,
): Promise<Copied> {
  const { onProgress, signal } = work;
  const file = work.destination.kind === "file" ? work.destination : undefined;
  const room = file?.sizeBytes ?? undefined;
  const { pace, isGentle } = paceOf(work);
  const maxBytes = room ?? Infinity;
  let sizeBytes: number;
  try {
    sizeBytes = await copyStream({ read, destination, maxBytes, isGentle, pace, onProgress, signal });
  } catch (error) {
    if (!(error instanceof TooLongError)) throw error;
    throw new ProvisionError(
      `standard input has more than the ${formatSize(maxBytes)} of the LUN; raise its size`,
    );
  }
  if (sizeBytes === 0) {
    throw new ProvisionError("standard input was empty; check the program before the pipe");
  }
  if (room !== undefined && sizeBytes < room && file?.mayBeLonger !== true) {
    throw new ProvisionError(
      `standard input ended after ${sizeBytes} of ${room} bytes; check the program before the pipe, or add --force ` +
        "to make the rest zero",
    );
  }
  return { kind: "copied", sizeBytes };
}

/** Copies a file that no server serves. */
async function copyUnused(
  work: DiskWork,
  temporary: TemporaryFile | undefined,
  destination: CopyDestination,
): Promise<CopyResult["kind"]> {
  const { path, sizeBytes } = work.source;
  using _lock = lockForCopy(path, "source");
  if (temporary !== undefined && await shareBlocks(path, temporary.path)) return "shared";
  if (temporary !== undefined) empty(temporary, sizeBytes);
  await copyBlocks(work, { source: path, destination, preserved: undefined, temporary });
  return "copied";
}

/** Copies a LUN that a server serves. */
async function copyServed(
  work: DiskWork,
  { client, unit }: ServedLun,
  ends: { readonly temporary: TemporaryFile | undefined; readonly destination: CopyDestination },
): Promise<CopyResult["kind"]> {
  const { temporary } = ends;
  const { sizeBytes } = work.source;
  const request = {
    sizeBytes,
    destination: work.label,
    temporary: temporary?.path ?? null,
    shares: false,
  };
  const options = { client, unit, request, signal: work.signal };
  if (temporary !== undefined && await shareServed(work, options, temporary)) return "shared";
  await duringServedCopy(options, "preserved", async ({ start, signal, report }) => {
    using preserved = new PreservedFiles(start, start.keep === temporary?.path, sizeBytes);
    const onProgress = (copiedBytes: number): void => {
      work.onProgress(copiedBytes);
      report(copiedBytes);
    };
    await copyBlocks({ ...work, signal, onProgress }, { ...ends, source: start.source, preserved });
    return sizeBytes;
  });
  return "copied";
}

/** Shares the blocks of a LUN while the server holds all operations on it; returns false when that is not possible. */
async function shareServed(
  work: DiskWork,
  options: ServedCopyOptions,
  temporary: TemporaryFile,
): Promise<boolean> {
  const { path, sizeBytes } = work.source;
  // The first attempt finds out whether the file system can, and nothing is held for it.
  let isShared = await shareBlocks(path, temporary.path);
  if (isShared) {
    const request = { ...options.request, shares: true };
    try {
      await duringServedCopy({ ...options, request }, "held", async () => {
        temporary.file.truncateSync(0);
        if (!await shareBlocks(path, temporary.path)) throw new Error("the blocks cannot be shared now");
        return sizeBytes;
      });
    } catch {
      // Without that, the blocks are copied. A refusal of the server is repeated then.
      isShared = false;
    }
  }
  work.signal.throwIfAborted();
  if (!isShared) empty(temporary, sizeBytes);
  return isShared;
}

/** Removes what a failed attempt may have left in the file. */
function empty({ file }: TemporaryFile, sizeBytes: number): void {
  file.truncateSync(0);
  file.truncateSync(sizeBytes);
}

/** The parts of a copy of blocks. */
interface BlockCopy {
  readonly source: string;
  readonly destination: CopyDestination;
  readonly preserved: Preserved | undefined;
  readonly temporary: TemporaryFile | undefined;
}

async function copyBlocks(
  work: DiskWork,
  { source: path, destination, preserved, temporary }: BlockCopy,
): Promise<void> {
  const { source: { sizeBytes }, onProgress, signal } = work;
  using source = new OpenFile(path);
  const extents = await findDataExtents(path);
  if (temporary !== undefined && extents !== undefined) {
    const neededBytes = extents.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    assertRoom(temporary.path, neededBytes);
  }
  const { pace, isGentle } = paceOf(work);
  await copyDisk({
    source,
    sizeBytes,
    extents,
    preserved,
    destination,
    isGentle,
    pace,
    onProgress,
    signal,
  });
}

/** Returns the pace of a copy, and gives way to a server that runs. */
function paceOf(
  { bytesPerSecond, isBesideServer }: CopyWork,
): { readonly isGentle: boolean; readonly pace: (bytes: number) => Promise<void> } {
  if (isBesideServer) lowerPriority();
  const isGentle = bytesPerSecond === undefined && isBesideServer;
  const share = isGentle ? SHARE_BESIDE_SERVER : 1;
  const pace = new CopyPace({ bytesPerSecond, share, now: () => performance.now(), sleep: delay });
  return { isGentle, pace: (bytes) => pace.rest(bytes) };
}

/** @throws {ProvisionError} when a copy would fill the file system of a path, on which disks may need space */
function assertRoom(path: string, neededBytes = 0): void {
  const room = roomForCopy(path);
  if (room >= neededBytes) return;
  const left = formatSize(Math.max(0, Math.floor(room)));
  const needed = neededBytes === 0 ? "" : `, and the copy needs ${formatSize(neededBytes)}`;
  throw new ProvisionError(
    `the file system has ${left} left for it (1% stays free)${needed}; free space or choose another folder`,
  );
}
