import type { EventLog } from "../iscsi/event_log.ts";
import { prepareReservationsFolder } from "../provision/reservations_folder.ts";
import { releaseSpace, reserveSpace } from "../provision/space_reserve.ts";
import { StandIns } from "../provision/stand_ins.ts";
import { stateFolderOf } from "../provision/state_folder.ts";
import { type LockHolder, StorageLock } from "../provision/storage_lock.ts";
import { HoleService } from "./hole_service.ts";
import type { Tenure } from "./serving.ts";

/** The lock of a storage folder, and what is in its state folder for as long as it is held. */
export class StorageTenure implements Tenure {
  readonly standIns: StandIns;
  readonly holes: HoleService;
  readonly #storage: string;
  readonly #lock: StorageLock;

  /**
   * Takes a storage folder for this process, or says who has it.
   *
   * @throws {Error} (rejects) when the state folder cannot be written
   */
  static async begin(storage: string, log: EventLog): Promise<StorageTenure | LockHolder> {
    const attempt = await StorageLock.acquire(stateFolderOf(storage), "serve");
    if ("holderPid" in attempt) return attempt;
    try {
      releaseSpace(storage);
      const standIns = new StandIns(storage);
      standIns.remove();
      warnOfReservations(storage, log);
      return new StorageTenure(storage, attempt.lock, standIns, await HoleService.open(storage, log));
    } catch (error) {
      attempt.lock.release();
      throw error;
    }
  }

  private constructor(storage: string, lock: StorageLock, standIns: StandIns, holes: HoleService) {
    this.#storage = storage;
    this.#lock = lock;
    this.standIns = standIns;
    this.holes = holes;
  }

  onReady(): void {
    reserveSpace(this.#storage);
  }

  async end(): Promise<void> {
    await this.holes[Symbol.asyncDispose]();
    this.standIns.remove();
    // What was made for this run has just given its space back.
    reserveSpace(this.#storage);
    this.#lock.release();
  }
}

/** What to tell of a storage folder that somebody else serves. */
export function describeHolder(storage: string, { holderPid }: LockHolder): string {
  const holder = holderPid === undefined ? "another process" : `process ${holderPid}`;
  return `Cannot serve "${storage}": ${holder} serves it already`;
}

function warnOfReservations(storage: string, log: EventLog): void {
  const fault = prepareReservationsFolder(storage);
  if (fault === undefined) return;
  log.warning(
    `Initiators cannot change persistent reservations while the file system of "${storage}" is full: ${fault}`,
  );
}
