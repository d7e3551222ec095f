import type { EventLog } from "../iscsi/events/event_log.ts";
import { HelperGuard } from "../provision/helper_guard.ts";
import { prepareInPlaceFolders } from "../provision/in_place_folders.ts";
import { releaseSpace, reserveSpace } from "../provision/space_reserve.ts";
import { stateFolderOf } from "../provision/state_folder.ts";
import { type LockHolder, StorageLock } from "../provision/storage_lock.ts";
import { WorkerLinks } from "../provision/worker_links.ts";
import { prepareWorkerState } from "../provision/worker_state.ts";
import { HoleService } from "./hole_service.ts";
import type { Lease } from "./serving.ts";

/** The lock of a storage folder, with the helpers and links that exist while it is held. */
export class StorageLease implements Lease {
  readonly links: WorkerLinks;
  readonly holes: HoleService;
  readonly #storage: string;
  readonly #guard: HelperGuard;
  readonly #lock: StorageLock;

  /**
   * Locks a storage folder, or returns the holder of its lock. Waits until no program of a former server runs.
   *
   * @throws {Error} (rejects) when the state folder cannot be written
   */
  static async begin(storage: string, log: EventLog): Promise<StorageLease | LockHolder> {
    const attempt = await StorageLock.acquire(stateFolderOf(storage), "serve");
    if ("holderPid" in attempt) return attempt;
    try {
      releaseSpace(storage);
      // Before this, a program of a former server may still change the files.
      const guard = await HelperGuard.open(storage, (message) => log.warning(message));
      warnOfFolders(storage, log);
      prepareWorkerState(storage, (message) => log.warning(message));
      return new StorageLease(storage, attempt.lock, guard, log);
    } catch (error) {
      attempt.lock.release();
      throw error;
    }
  }

  private constructor(storage: string, lock: StorageLock, guard: HelperGuard, log: EventLog) {
    this.#storage = storage;
    this.#lock = lock;
    this.#guard = guard;
    this.links = new WorkerLinks(storage, guard);
    this.holes = new HoleService(guard, log);
  }

  onReady(): void {
    reserveSpace(this.#storage);
  }

  async end(): Promise<void> {
    await this.holes[Symbol.asyncDispose]();
    this.#guard[Symbol.dispose]();
    this.links.removeNodes();
    // The files of this run have just been removed, so their space can be reserved.
    reserveSpace(this.#storage);
    this.#lock.release();
  }
}

/** Returns the error message for a storage folder that another process serves. */
export function describeHolder(storage: string, { holderPid }: LockHolder): string {
  const holder = holderPid === undefined ? "another process" : `process ${holderPid}`;
  return `Cannot serve "${storage}": ${holder} serves it already`;
}

function warnOfFolders(storage: string, log: EventLog): void {
  const fault = prepareInPlaceFolders(storage);
  if (fault === undefined) return;
  log.warning(
    `Initiators cannot change persistent reservations while the file system of "${storage}" is full: ${fault}`,
  );
}
