/** Trims LUNs while no server runs, under the locks of one. */
import { delay } from "../../base/delay.ts";
import { RateLimit } from "../../base/rate_limit.ts";
import type { Config } from "../../config/config.ts";
import type { TrimProgress, TrimReport, TrimRequest } from "../../control/control_requests.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import type { Clock } from "../../iscsi/clock.ts";
import { BackingLocks } from "../../provision/backing_locks.ts";
import { findDataExtents } from "../../provision/copy/data_extents.ts";
import { findExports } from "../../provision/find_exports.ts";
import { ProvisionError } from "../../provision/provision_error.ts";
import { RangeLocks } from "../../scsi/medium/range_locks.ts";
import { Trimmer } from "../../scsi/medium/trimmer.ts";
import { FileStore } from "../../store/file_store.ts";
import { ThinStore } from "../../store/thin_store.ts";
import type { WorkerLease } from "../storage/serving.ts";
import { describeHolder, StorageLease } from "../storage/storage_lease.ts";
import { allocatedBytesOf } from "./trim_service.ts";

/** Milliseconds between two reports of the progress. */
const PROGRESS_MS = 500;

/** The collaborators of `UnservedUnits`. */
export interface UnservedOptions {
  readonly log: EventLog;
  readonly clock: Clock;
}

/** The LUNs of a storage folder that no server has in use. */
export class UnservedUnits implements AsyncDisposable {
  readonly #config: Config;
  readonly #options: UnservedOptions;
  readonly #storage: StorageLease;
  readonly #lease: WorkerLease;
  readonly #locks: BackingLocks;

  /**
   * Locks a storage folder.
   *
   * @throws {ProvisionError} (rejects) when a server runs in it
   */
  static async lock(config: Config, options: UnservedOptions): Promise<UnservedUnits> {
    const storage = await StorageLease.begin(config.storage, { log: options.log });
    if ("holderPid" in storage) throw new ProvisionError(describeHolder(config.storage, storage));
    return new UnservedUnits(config, options, storage);
  }

  private constructor(config: Config, options: UnservedOptions, storage: StorageLease) {
    this.#config = config;
    this.#options = options;
    this.#storage = storage;
    this.#lease = storage.forPort(config.port);
    this.#locks = new BackingLocks((message) => options.log.warning(message));
  }

  /**
   * Trims a LUN, and ends early when the signal is aborted.
   *
   * @throws {Error} (rejects) when it cannot be trimmed; the message is for the user
   */
  async trim(
    { target: name, lun, bytesPerSecond }: TrimRequest,
    { progress, signal }: {
      readonly progress: (figures: TrimProgress) => void;
      readonly signal: AbortSignal;
    },
  ): Promise<TrimReport> {
    const target = this.#config.targets.find((target) => target.name === name);
    const unit = target?.logicalUnits.find(({ number }) => number === lun);
    if (target === undefined || unit === undefined) {
      throw new ProvisionError(`There is no LUN ${lun} of [${name}]`);
    }
    const { path, sizeBytes } = unit;
    if (target.readOnly) throw new ProvisionError(`"${path}" is read-only`);
    using file = await this.#open(
      { ...this.#config, targets: [{ ...target, logicalUnits: [unit] }] },
      path,
      sizeBytes,
    );
    const { clock } = this.#options;
    const limit = new RateLimit(bytesPerSecond, { now: () => clock.monotonicMs(), wait: delay });
    const trimmer = new Trimmer(file.store, new RangeLocks());
    const onAbort = (): void => void trimmer.cancel();
    signal.addEventListener("abort", onAbort, { once: true });
    const timer = setInterval(() => trimmer.figures && progress(trimmer.figures), PROGRESS_MS);
    try {
      const allocatedBytesBefore = await allocatedBytesOf(path);
      const pace = (bytes: number, signal: AbortSignal): Promise<void> => limit.take(bytes, signal);
      const extents = allocatedBytesBefore === null ? undefined : await findDataExtents(path);
      const figures = await trimmer.trim({ extents, pace, after: clock.after.bind(clock) });
      return { ...figures, allocatedBytesBefore, allocatedBytes: await allocatedBytesOf(path) };
    } finally {
      clearInterval(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Releases the storage folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#locks[Symbol.asyncDispose]();
    await this.#lease.end();
    await this.#storage.end();
  }

  /**
   * Opens the only LUN of a conf.
   *
   * @throws {ProvisionError} (rejects) when that fails
   */
  async #open(
    config: Config,
    path: string,
    sizeBytes: number,
  ): Promise<{ readonly store: ThinStore } & Disposable> {
    const { errors, unavailable, devices } = findExports(config);
    const reason = errors[0]?.message ?? unavailable.get(path)?.reason;
    if (reason !== undefined) throw new ProvisionError(reason);
    const backings = [{ path, readOnly: false, device: devices[0] }];
    const fault = (await this.#locks.renew(backings)).get(path);
    if (fault !== undefined) throw new ProvisionError(fault);
    const { links, faults } = this.#lease.links.renew(backings);
    if (faults.has(path)) throw new ProvisionError(faults.get(path)!);
    const holes = this.#lease.holes!;
    holes.follow({ config, devicePaths: devices.map(({ path }) => path) });
    if (!holes.paths.includes(path)) throw new ProvisionError(`space of "${path}" cannot be released`);
    const file = FileStore.open(path, { sizeBytes, readOnly: false, at: links.get(path) });
    const puncher = { punch: holes.punch.bind(holes, path) };
    const store = new ThinStore(file, { puncher, isEmpty: file.isEmpty });
    return { store, [Symbol.dispose]: () => store.close() };
  }
}
