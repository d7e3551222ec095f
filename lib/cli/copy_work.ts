/** The work of `iscsi copy`: from a disk that a server serves or that nothing uses, to a file or a stream. */
import { delay } from "../base/delay.ts";
import type { ControlClient } from "../control/control_client.ts";
import type { UnitAddress } from "../control/control_requests.ts";
import { duringServedCopy, type ServedCopyOptions } from "./served_copy.ts";
import { type CopyDestination, copyDisk, type Preserved } from "../provision/copy/copy_disk.ts";
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

/** A copy to make. */
export interface CopyWork {
  /** The path of the source, for messages and where nothing serves it. */
  readonly path: string;
  readonly sizeBytes: number;
  /** The LUN and the server that serves it; undefined when none does. */
  readonly served: { readonly client: ControlClient; readonly unit: UnitAddress } | undefined;
  /** True if any server runs on the storage folder. */
  readonly isBesideServer: boolean;
  readonly destination:
    | { readonly kind: "file"; readonly path: string; readonly sizeBytes: number; readonly replaces: boolean }
    | { readonly kind: "stream"; readonly write: (bytes: Uint8Array) => Promise<number> };
  /** The destination, for people. */
  readonly label: string;
  readonly bytesPerSecond: number | undefined;
  readonly onProgress: (copiedBytes: number) => void;
  readonly signal: AbortSignal;
}

/** The way in which a copy was made. */
export interface CopyResult {
  readonly kind: "shared" | "copied";
  /** The space that the copy takes; null for a stream and where the blocks are shared. */
  readonly allocatedBytes: number | null;
}

/**
 * Makes a copy.
 *
 * @throws {Error} (rejects) when it fails; the destination is unchanged then
 */
export async function makeCopy(work: CopyWork): Promise<CopyResult> {
  const { destination } = work;
  if (destination.kind === "stream") return await copyTo(work, undefined, new ByteStream(destination.write));
  using temporary = TemporaryFile.create(destination.path, work.sizeBytes);
  const file = new SparseFile(temporary.file, () => assertRoom(temporary.path));
  const { kind } = await copyTo(work, temporary, file);
  temporary.file.truncateSync(destination.sizeBytes);
  work.signal.throwIfAborted();
  const { blocks } = temporary.file.statSync();
  await temporary.place(destination.replaces);
  return { kind, allocatedBytes: kind === "shared" ? null : (blocks ?? 0) * 512 };
}

async function copyTo(
  work: CopyWork,
  temporary: TemporaryFile | undefined,
  destination: CopyDestination,
): Promise<CopyResult> {
  return work.served === undefined
    ? await copyUnused(work, temporary, destination)
    : await copyServed(work, work.served, { temporary, destination });
}

/** Copies a file that no server serves. */
async function copyUnused(
  work: CopyWork,
  temporary: TemporaryFile | undefined,
  destination: CopyDestination,
): Promise<CopyResult> {
  using _lock = lockForCopy(work.path, "source");
  if (temporary !== undefined && await shareBlocks(work.path, temporary.path)) {
    return { kind: "shared", allocatedBytes: null };
  }
  if (temporary !== undefined) empty(temporary, work.sizeBytes);
  await copyBlocks(work, { source: work.path, destination, preserved: undefined, temporary });
  return { kind: "copied", allocatedBytes: null };
}

/** Copies a LUN that a server serves. */
async function copyServed(
  work: CopyWork,
  { client, unit }: NonNullable<CopyWork["served"]>,
  ends: { readonly temporary: TemporaryFile | undefined; readonly destination: CopyDestination },
): Promise<CopyResult> {
  const { temporary } = ends;
  const request = {
    sizeBytes: work.sizeBytes,
    destination: work.label,
    temporary: temporary?.path ?? null,
    shares: false,
  };
  const options = { client, unit, request, signal: work.signal };
  if (temporary !== undefined && await shareServed(work, options, temporary)) {
    return { kind: "shared", allocatedBytes: null };
  }
  await duringServedCopy(options, "preserved", async ({ start, signal, report }) => {
    using preserved = new PreservedFiles(start, start.keep === temporary?.path, work.sizeBytes);
    const onProgress = (copiedBytes: number): void => {
      work.onProgress(copiedBytes);
      report(copiedBytes);
    };
    await copyBlocks({ ...work, signal, onProgress }, { ...ends, source: start.source, preserved });
    return work.sizeBytes;
  });
  return { kind: "copied", allocatedBytes: null };
}

/** Shares the blocks of a LUN while the server holds all operations on it; returns false when that is not possible. */
async function shareServed(
  work: CopyWork,
  options: ServedCopyOptions,
  temporary: TemporaryFile,
): Promise<boolean> {
  // The first attempt finds out whether the file system can, and nothing is held for it.
  let isShared = await shareBlocks(work.path, temporary.path);
  if (isShared) {
    const request = { ...options.request, shares: true };
    try {
      await duringServedCopy({ ...options, request }, "held", async () => {
        temporary.file.truncateSync(0);
        if (!await shareBlocks(work.path, temporary.path)) throw new Error("the blocks cannot be shared now");
        return work.sizeBytes;
      });
    } catch {
      // Without that, the blocks are copied. A refusal of the server is repeated then.
      isShared = false;
    }
  }
  work.signal.throwIfAborted();
  if (!isShared) empty(temporary, work.sizeBytes);
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
  { sizeBytes, bytesPerSecond, isBesideServer, onProgress, signal }: CopyWork,
  { source: path, destination, preserved, temporary }: BlockCopy,
): Promise<void> {
  using source = new OpenFile(path);
  const extents = await findDataExtents(path);
  if (temporary !== undefined && extents !== undefined) {
    const neededBytes = extents.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    assertRoom(temporary.path, neededBytes);
  }
  if (isBesideServer) lowerPriority();
  const isGentle = bytesPerSecond === undefined && isBesideServer;
  const share = isGentle ? SHARE_BESIDE_SERVER : 1;
  const pace = new CopyPace({ bytesPerSecond, share, now: () => performance.now(), sleep: delay });
  await copyDisk({
    source,
    sizeBytes,
    extents,
    preserved,
    destination,
    isGentle,
    pace: (bytes) => pace.rest(bytes),
    onProgress,
    signal,
  });
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
