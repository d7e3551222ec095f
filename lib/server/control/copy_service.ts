/**
 * Copies of LUNs that a client makes while they are served. The supervisor makes the files that client and worker
 * share, and ends the copy when the client has finished or has disconnected, or when the worker ends.
 */
import { join } from "@std/path";
import { errorMessage } from "../../base/error_message.ts";
import type { CopyRequest, FollowCopyRequest, RequestContext } from "../../control/control_requests.ts";
import { encodeCopyStart } from "../../control/copy_start.ts";
import type { CopyStatus } from "../../control/server_status.ts";
import type { Clock } from "../../iscsi/clock.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { readBlockDevice } from "../../provision/block_device.ts";
import {
  assertTemporary,
  type CopyFiles,
  makeCopyFiles,
  removeCopyFiles,
} from "../../provision/copy/copy_files.ts";
import { roomForCopy } from "../../provision/copy/copy_room.ts";
import { ProvisionError } from "../../provision/provision_error.ts";
import { workerLinksOf } from "../../provision/state_folder.ts";
import type { PortSupervisor } from "../port/port_supervisor.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import { untilGone } from "./until_gone.ts";

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
}

/** A copy that is being made. */
interface Copy {
  readonly id: number;
  readonly request: CopyRequest;
  readonly worker: PortSupervisor;
  readonly path: string;
  readonly sizeBytes: number;
  /** Resolved when the client has shared the blocks. */
  readonly held: PromiseWithResolvers<void>;
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
   * Preserves the content of a LUN until the client has copied it, or holds all operations on it while the client makes
   * a file that shares its blocks.
   *
   * @throws {Error} (rejects) when the copy fails; the LUN is served as before
   */
  async copy(request: CopyRequest, context: RequestContext): Promise<null> {
    const copy = this.#begin(request);
    this.#copies.set(copy.id, copy);
    const name = `LUN ${request.lun} of [${request.target}]`;
    try {
      this.#options.log.info(`Copying ${name} to "${request.destination}"`);
      await (request.shares ? this.#hold(copy, context) : this.#preserve(copy, context));
      const shared = request.shares ? ", which shares its blocks" : "";
      this.#options.log.info(`Copied ${name} to "${request.destination}"${shared}`);
      return null;
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
    if (copy.request.shares) await endHold(copy);
    else await endPreservation(copy);
    return null;
  }

  #begin(request: CopyRequest): Copy {
    const { supervisor, clock } = this.#options;
    const { target, lun } = request;
    const worker = supervisor.requests.supervisorOf(request);
    const { path, sizeBytes } = supervisor.serving.config.targets.find(({ name }) => name === target)!
      .logicalUnits.find(({ number }) => number === lun)!;
    if (sizeBytes !== request.sizeBytes) {
      throw new Error(`LUN ${lun} of [${target}] has changed its size: try again`);
    }
    if ([...this.#copies.values()].some((other) => other.path === path)) {
      throw new Error(`LUN ${lun} of [${target}] is being copied: try again when that has ended`);
    }
    if (this.#copies.size >= COPIES_MAX) {
      throw new Error(`${COPIES_MAX} copies are being made: try again when one has ended`);
    }
    const held = Promise.withResolvers<void>();
    return {
      id: ++this.#lastId,
      request,
      worker,
      path,
      sizeBytes,
      held,
      startedMs: clock.monotonicMs(),
      copiedBytes: 0,
    };
  }

  /** Holds all operations on the LUN until the client has shared its blocks. */
  async #hold({ id, request: { target, lun }, worker, held }: Copy, context: RequestContext): Promise<void> {
    await worker.ask({ kind: "hold", id, target, lun }, BEGIN_MS);
    try {
      context.progress(encodeCopyStart({ kind: "held", copy: id }));
      await untilGone(held.promise, context.signal);
    } finally {
      await worker.ask({ kind: "unhold", id }).catch(() => {});
    }
  }

  async #preserve(copy: Copy, { progress, signal }: RequestContext): Promise<void> {
    const { id, request: { target, lun }, worker, sizeBytes } = copy;
    const temporary = usableOf(copy);
    const files = makeFiles(worker.serving.lease.place, id, { sizeBytes, temporary });
    try {
      const room = roomForCopy(files.map);
      const keptBytesMax = Math.max(0, files.isCopy ? roomForCopy(temporary!) : room / 2);
      const { keep, map } = files;
      await worker.ask({ kind: "beginCopy", id, target, lun, keep, map, keptBytesMax }, BEGIN_MS);
      const ended = worker.ask({ kind: "copyEnded", id }, null);
      const path = files.isCopy ? temporary! : keep;
      progress(
        encodeCopyStart({ kind: "preserved", copy: id, source: this.#sourceOf(copy), keep: path, map }),
      );
      const failure = await untilGone(ended, signal);
      if (failure !== null) throw new Error(failure);
    } finally {
      // After a success the copy has ended already; without a worker there is nothing to end.
      await worker.ask({ kind: "endCopy", id }, END_MS).catch(() => {});
      removeCopyFiles(files);
      if (signal.aborted && temporary !== null) await Deno.remove(temporary).catch(() => {});
    }
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

/** @throws {Error} (rejects) when other operations have begun before */
async function endHold({ id, worker, held }: Copy): Promise<void> {
  const wasHeld = await worker.ask({ kind: "unhold", id });
  if (!wasHeld) throw new Error("sharing the blocks took too long");
  held.resolve();
}

/** @throws {Error} (rejects) when not all content was preserved */
async function endPreservation({ id, worker }: Copy): Promise<void> {
  const failure = await worker.ask({ kind: "endCopy", id }, END_MS);
  if (failure !== null) throw new Error(failure);
}

/**
 * Returns the client's file if the server can write it; null otherwise, as when systemd confines the server to the
 * folders of its conf.
 *
 * @throws {Error} when it is not a file that a command has made for a copy
 */
function usableOf({ request: { temporary }, sizeBytes }: Copy): string | null {
  if (temporary === null || !isWritable(temporary)) return null;
  assertTemporary(temporary, sizeBytes);
  return temporary;
}

function isWritable(path: string): boolean {
  try {
    Deno.openSync(path, { read: true, write: true }).close();
    return true;
  } catch {
    return false;
  }
}

/** Makes the files of a copy; a program with rights to some folders may make no link to the client's file. */
function makeFiles(
  place: string,
  copy: number,
  { sizeBytes, temporary }: { readonly sizeBytes: number; readonly temporary: string | null },
): CopyFiles & { readonly isCopy: boolean } {
  if (temporary !== null) {
    try {
      return { ...makeCopyFiles(place, copy, { sizeBytes, temporary }), isCopy: true };
    } catch (error) {
      if (!(error instanceof ProvisionError)) throw error;
    }
  }
  return { ...makeCopyFiles(place, copy, { sizeBytes, temporary: null }), isCopy: false };
}
