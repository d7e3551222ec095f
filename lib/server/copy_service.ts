/**
 * Copies of LUNs that a client makes while they are served. The supervisor makes the files that client and worker
 * share, and ends the copy when the client has finished or has disconnected, or when the worker ends.
 */
import { join } from "@std/path";
import { errorMessage } from "../base/error_message.ts";
import type {
  CopyReport,
  CopyRequest,
  FollowCopyRequest,
  RequestContext,
} from "../control/control_requests.ts";
import { encodeCopyStart } from "../control/copy_start.ts";
import type { CopyStatus } from "../control/server_status.ts";
import type { Clock } from "../iscsi/clock.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import { readBlockDevice } from "../provision/block_device.ts";
import {
  assertTemporary,
  type CopyFiles,
  makeCopyFiles,
  removeCopyFiles,
} from "../provision/copy/copy_files.ts";
import { roomForCopy } from "../provision/copy/copy_room.ts";
import { shareBlocks } from "../provision/copy/share_blocks.ts";
import { workerLinksOf } from "../provision/state_folder.ts";
import type { PortSupervisor } from "./port_supervisor.ts";
import type { Supervisor } from "./supervisor.ts";

/** Most copies at a time. */
const COPIES_MAX = 4;

/** Milliseconds that a worker may take to hold or preserve a LUN: commands that have begun may wait for their data. */
const BEGIN_MS = 30_000;

/** Milliseconds in which the last old blocks must be in the file. */
const END_MS = 50_000;

/** The collaborators of a copy service. */
export interface CopyServiceOptions {
  readonly supervisor: Pick<Supervisor, "requests" | "serving">;
  readonly log: EventLog;
  readonly clock: Clock;
  /** Makes a file share the blocks of another. */
  readonly share?: typeof shareBlocks;
}

/** A copy that is being made. */
interface Copy {
  readonly id: number;
  readonly request: CopyRequest;
  readonly worker: PortSupervisor;
  readonly path: string;
  readonly sizeBytes: number;
  readonly startedMs: number;
  copiedBytes: number;
}

/** The copies that are being made. */
export class CopyService {
  readonly #options: CopyServiceOptions;
  readonly #copies = new Map<number, Copy>();
  #lastId = 0;
  #copiedBytes = 0;

  constructor(options: CopyServiceOptions) {
    this.#options = options;
  }

  /** The number of copies that are being made, and the bytes that all copies have passed. */
  get figures(): { readonly count: number; readonly bytes: number } {
    return { count: this.#copies.size, bytes: this.#copiedBytes };
  }

  /** Returns the copies that are being made. */
  report(): CopyStatus[] {
    const now = this.#options.clock.monotonicMs();
    return [...this.#copies.values()].map(({ request, sizeBytes, copiedBytes, startedMs }) => ({
      target: request.target,
      lun: request.lun,
      destination: request.destination,
      sizeBytes,
      copiedBytes,
      seconds: Math.floor((now - startedMs) / 1000),
    }));
  }

  /**
   * Makes the client's file a copy that shares the blocks of a LUN, or preserves the content of the LUN until the
   * client has copied it.
   *
   * @throws {Error} (rejects) when the copy fails; the LUN is served as before
   */
  async copy(request: CopyRequest, context: RequestContext): Promise<CopyReport> {
    const copy = this.#begin(request);
    this.#copies.set(copy.id, copy);
    const name = `LUN ${request.lun} of [${request.target}]`;
    try {
      if (await this.#share(copy)) {
        this.#options.log.info(`Copied ${name} to "${request.destination}", which shares its blocks`);
        return { kind: "shared" };
      }
      this.#options.log.info(`Copying ${name} to "${request.destination}"`);
      await this.#copyInBackground(copy, context);
      this.#options.log.info(`Copied ${name} to "${request.destination}"`);
      return { kind: "copied" };
    } catch (error) {
      this.#options.log.warning(`Copy of ${name} to "${request.destination}" failed: ${errorMessage(error)}`);
      throw error;
    } finally {
      this.#copies.delete(copy.id);
    }
  }

  /**
   * Records the progress of a copy. When it is complete, ends it and waits until all old blocks are in its file.
   *
   * @throws {Error} (rejects) when the copy has failed
   */
  async follow({ copy: id, copiedBytes, isComplete }: FollowCopyRequest): Promise<null> {
    const copy = this.#copies.get(id);
    if (copy === undefined) throw new Error("the copy has ended");
    this.#copiedBytes += Math.max(0, copiedBytes - copy.copiedBytes);
    copy.copiedBytes = copiedBytes;
    if (!isComplete) return null;
    const failure = await copy.worker.ask({ kind: "endCopy", id }, END_MS);
    if (failure !== null) throw new Error(failure);
    return null;
  }

  #begin(request: CopyRequest): Copy {
    const { supervisor, clock } = this.#options;
    const { target, lun, temporary } = request;
    const worker = supervisor.requests.supervisorOf(request);
    const { path, sizeBytes } = supervisor.serving.config.targets.find(({ name }) => name === target)!
      .logicalUnits.find(({ number }) => number === lun)!;
    if ([...this.#copies.values()].some((other) => other.path === path)) {
      throw new Error(`LUN ${lun} of [${target}] is being copied: try again when that has ended`);
    }
    if (this.#copies.size >= COPIES_MAX) {
      throw new Error(`${COPIES_MAX} copies are being made: try again when one has ended`);
    }
    if (temporary !== null) assertTemporary(temporary, sizeBytes);
    return {
      id: ++this.#lastId,
      request,
      worker,
      path,
      sizeBytes,
      startedMs: clock.monotonicMs(),
      copiedBytes: 0,
    };
  }

  /** Shares the blocks while nothing writes; returns false when that is not possible. */
  async #share(copy: Copy): Promise<boolean> {
    const { request: { temporary }, path, sizeBytes } = copy;
    if (temporary === null || this.#isDevice(path)) return false;
    if (await this.#shareHeld(copy, temporary)) return true;
    // The attempt has emptied the file.
    await Deno.truncate(temporary, 0);
    await Deno.truncate(temporary, sizeBytes);
    return false;
  }

  async #shareHeld(
    { id, request: { target, lun }, worker, path }: Copy,
    temporary: string,
  ): Promise<boolean> {
    const { share = shareBlocks } = this.#options;
    // The first attempt finds out whether the file system can, and nothing is held for it.
    if (!await share(path, temporary)) return false;
    await Deno.truncate(temporary, 0);
    await worker.ask({ kind: "hold", id, target, lun }, BEGIN_MS);
    const isShared = await share(path, temporary);
    const wasHeld = await worker.ask({ kind: "unhold", id });
    return isShared && wasHeld;
  }

  async #copyInBackground(copy: Copy, { progress, signal }: RequestContext): Promise<void> {
    const { id, request: { target, lun, temporary }, worker, sizeBytes } = copy;
    const { place } = worker.serving.lease;
    const files = makeCopyFiles(place, id, { sizeBytes, temporary });
    try {
      const room = roomForCopy(files.map);
      const keptBytesMax = Math.max(0, temporary === null ? room / 2 : roomForCopy(temporary));
      await worker.ask({ kind: "beginCopy", id, target, lun, ...files, keptBytesMax }, BEGIN_MS);
      const ended = worker.ask({ kind: "copyEnded", id }, null);
      progress(encodeCopyStart({ copy: id, source: this.#sourceOf(copy), ...keptFor(files, temporary) }));
      const failure = await untilAborted(ended, signal);
      if (failure !== null) throw new Error(failure);
    } finally {
      // After a success the copy has ended already; without a worker there is nothing to end.
      await worker.ask({ kind: "endCopy", id }, END_MS).catch(() => {});
      removeCopyFiles(files);
      if (signal.aborted && temporary !== null) await Deno.remove(temporary).catch(() => {});
    }
  }

  #isDevice(path: string): boolean {
    return this.#options.supervisor.serving.devices.some((device) => device.path === path);
  }

  /** Returns the path at which the client can read the disk: for a device the node of the worker. */
  #sourceOf({ path, worker }: Copy): string {
    const device = this.#options.supervisor.serving.devices.find((device) => device.path === path);
    if (device === undefined) return path;
    const found = readBlockDevice(path);
    if (typeof found === "string") throw new Error(`"${path}" is ${found}`);
    const folder = workerLinksOf(worker.serving.lease.place, { readOnly: device.readOnly });
    return join(folder, `${found.major}:${found.minor}`);
  }
}

function keptFor({ keep, map }: CopyFiles, temporary: string | null): CopyFiles {
  return { keep: temporary ?? keep, map };
}

/** Returns the result of work; throws as soon as the signal is aborted. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(new Error("the command that makes it has ended"));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    work.catch(() => {});
  }
}
