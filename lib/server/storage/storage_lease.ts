import type { EventLog } from "../../iscsi/events/event_log.ts";
import { removeFormerCopies } from "../../provision/copy/copy_files.ts";
import { removeFormer } from "../../provision/copy/temporary_file.ts";
import { describeDistrust, findLockReach, type Reach } from "../../provision/lock_reach.ts";
import { HelperGuard } from "../../provision/helper_guard.ts";
import { prepareInPlaceFolders } from "../../provision/in_place_folders.ts";
import { releaseSpace, reserveSpace } from "../../provision/space_reserve.ts";
import { ProvisionError } from "../../provision/provision_error.ts";
import { stateFolderOf, workerPlaceOf } from "../../provision/state_folder.ts";
import { describeHolderProcess, type LockHolder } from "../../provision/lock_record.ts";
import { StorageLock } from "../../provision/storage_lock.ts";
import { WorkerLinks } from "../../provision/worker_links.ts";
import { moveFormerState, prepareWorkerState } from "../../provision/worker_state.ts";
import { HoleService } from "./hole_service.ts";
import type { Lease, WorkerLease } from "./serving.ts";

/** Options of a lease. */
export interface LeaseOptions {
  readonly log: EventLog;
  /** Serve also where another machine may not see the lock; undefined where the user has no such choice. */
  readonly force?: boolean;
}

/** The lock of a storage folder, with the guard of the helper programs that run while it is held. */
export class StorageLease implements Lease {
  readonly warnings: readonly string[];
  readonly #storage: string;
  readonly #guard: HelperGuard;
  readonly #lock: StorageLock;
  readonly #reach: Reach;
  readonly #log: EventLog;
  /** The folders of workers that are in use. */
  readonly #places = new Set<string>();

  /**
   * Locks a storage folder, or returns the holder of its lock. Waits until no program of a former server runs.
   *
   * @param options.force the locks of the file system need not be seen by other machines
   * @throws {ProvisionError} (rejects) when they have to, and may not be
   * @throws {Error} (rejects) when the state folder cannot be written
   */
  static async begin(
    storage: string,
    { log, force }: LeaseOptions,
  ): Promise<StorageLease | LockHolder> {
    const attempt = await StorageLock.acquire(stateFolderOf(storage), "serve");
    if ("holderPid" in attempt) return attempt;
    try {
      const trust = trustLocks(storage, force);
      for (const warning of trust.warnings) log.warning(warning);
      releaseSpace(storage);
      // Before this, a program of a former server may still change the files.
      const guard = await HelperGuard.open(storage, (message) => log.warning(message));
      const lease = new StorageLease(storage, { lock: attempt.lock, guard, log, ...trust });
      removeFormer(storage);
      lease.#prepare(workerPlaceOf(storage));
      moveFormerState(storage);
      return lease;
    } catch (error) {
      attempt.lock.release();
      throw error;
    }
  }

  private constructor(storage: string, { lock, guard, log, reach, warnings }: LeaseParts) {
    this.#storage = storage;
    this.#lock = lock;
    this.#guard = guard;
    this.#log = log;
    this.#reach = reach;
    this.warnings = warnings;
  }

  findLoss(): Promise<string | undefined> {
    return this.#lock.findLoss(this.#reach);
  }

  forPort(port: number): WorkerLease {
    // A server with one port keeps its state where one without the option does.
    const main = workerPlaceOf(this.#storage);
    const place = this.#places.has(main) ? workerPlaceOf(this.#storage, port) : main;
    if (place !== main) this.#prepare(place);
    this.#places.add(place);
    return new PlaceLease(place, this.#guard, this.#log, () => this.#places.delete(place));
  }

  onReady(): void {
    reserveSpace(this.#storage);
  }

  end(): Promise<void> {
    this.#guard[Symbol.dispose]();
    // The files of this run have just been removed, so their space can be reserved.
    reserveSpace(this.#storage);
    this.#lock.release();
    return Promise.resolve();
  }

  #prepare(place: string): void {
    removeFormerCopies(place);
    warnOfFolders(place, this.#log);
    prepareWorkerState(place, (message) => this.#log.warning(message));
  }
}

/** The trust in the locks of a storage folder. */
interface LockTrust {
  readonly reach: Reach;
  readonly warnings: readonly string[];
}

/** The parts of a lease. */
interface LeaseParts extends LockTrust {
  readonly lock: StorageLock;
  readonly guard: HelperGuard;
  readonly log: EventLog;
}

/** @throws {ProvisionError} when another machine may not see the locks of a storage folder, unless `force` */
function trustLocks(storage: string, force: boolean | undefined): LockTrust {
  const { reach, fault } = findLockReach(stateFolderOf(storage));
  if (fault === undefined) return { reach, warnings: [] };
  const distrust = describeDistrust(fault);
  if (force !== true) {
    const remedy = force === undefined ? "" : ", or, where only this machine uses it, add --force";
    throw new ProvisionError(`Cannot serve "${storage}": ${distrust}${remedy}`);
  }
  return { reach, warnings: [`"${storage}" is served by --force: ${distrust}`] };
}

/** The links and helpers of one target worker. */
class PlaceLease implements WorkerLease {
  readonly place: string;
  readonly links: WorkerLinks;
  readonly holes: HoleService;
  readonly #onEnd: () => void;

  constructor(place: string, guard: HelperGuard, log: EventLog, onEnd: () => void) {
    this.place = place;
    this.links = new WorkerLinks(place, guard);
    this.holes = new HoleService(guard, log);
    this.#onEnd = onEnd;
  }

  async end(): Promise<void> {
    await this.holes[Symbol.asyncDispose]();
    this.links.removeNodes();
    this.#onEnd();
  }
}

/** Returns the error message for a storage folder that another process serves. */
export function describeHolder(storage: string, holder: LockHolder): string {
  return `Cannot serve "${storage}": ${describeHolderProcess(holder)} serves it already`;
}

function warnOfFolders(place: string, log: EventLog): void {
  const fault = prepareInPlaceFolders(place);
  if (fault === undefined) return;
  log.warning(
    `Initiators cannot change persistent reservations while the file system of "${place}" is full: ${fault}`,
  );
}
