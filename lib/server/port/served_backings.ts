/**
 * The backing files and devices that the supervisor prepares for its worker: locked against other servers, linked where
 * the worker may open them, and registered for hole punching.
 */
import type { Config } from "../../config/config.ts";
import { BackingLocks } from "../../provision/backing_locks.ts";
import { ProvisionError } from "../../provision/provision_error.ts";
import { moveUnitState } from "../../provision/worker_state.ts";
import type { BackingExport } from "../../provision/worker_links.ts";
import { SerialQueue } from "../../base/serial_queue.ts";
import { backingsOf, shareServed, type WorkerServing } from "../storage/serving.ts";
import type { WorkerSettings } from "../worker/worker_settings.ts";

/** The backings of a worker, as sent to it. */
export type WorkerBackings = Pick<
  WorkerSettings,
  "backingLinks" | "sparsePaths" | "unavailable" | "arriving" | "lost"
>;

type Reasons = ReadonlyMap<string, string>;

/** The backings of one target worker after another, at the same port. */
export class ServedBackings {
  readonly #locks: BackingLocks;
  readonly #onReleased: () => void;
  /** The conf served now, and the paths of it that the worker opens. */
  #served: Config | undefined;
  #paths: ReadonlySet<string> = new Set();
  /** Links that the worker was given, by the paths of the conf. */
  #backingLinks: ReadonlyMap<string, string> = new Map();
  /** Reasons for which backings of the conf cannot be served, as sent to the worker. */
  #unavailable: Reasons = new Map();
  /** The reasons among these whose backings exist. */
  #faults: Reasons = new Map();
  /** The states of the block devices that the worker was given, by the paths of the conf. */
  #states: ReadonlyMap<string, string> = new Map();
  /** Block devices that fail, and may be gone. */
  readonly #suspects = new Set<string>();
  /** Block devices that the worker is about to close, and cannot open again now. */
  #lost: ReadonlySet<string> = new Set();
  /** Paths that the worker may have open: those that are served, and those that it has not closed yet. */
  readonly #open = new Set<string>();
  /** Paths that the worker may open during the current start or change. */
  #opening: ReadonlySet<string> = new Set();
  /** The paths that were open when the last release was reported. */
  #reported: ReadonlySet<string> = new Set();
  /** Paths that the worker has closed during the current change; undefined between changes. */
  #closed: Set<string> | undefined;
  readonly #queue = new SerialQueue();

  /**
   * @param warn called for each backing that is served although it could not be locked
   * @param onReleased called after paths were released, which another worker may open then
   */
  constructor(warn: (message: string) => void, onReleased: () => void = () => {}) {
    this.#locks = new BackingLocks(warn);
    this.#onReleased = onReleased;
  }

  /** Returns whether the worker may have a path open. */
  has(path: string): boolean {
    return this.#open.has(path) || this.#opening.has(path);
  }

  /** Reasons to examine existing backings again: a lock that another server holds, a device that fails. */
  get faults(): Reasons {
    return new Map([...[...this.#suspects].map((path) => [path, "it fails"] as const), ...this.#faults]);
  }

  /** Records that a backing fails. A block device may be gone. */
  suspect(path: string): void {
    if (this.#states.has(path)) this.#suspects.add(path);
  }

  /**
   * Prepares all backings for a worker that is about to start while no other runs. A backing that cannot be served is
   * listed as unavailable.
   *
   * @throws {ProvisionError} (rejects) when the state folder cannot be written
   */
  renew(serving: WorkerServing): Promise<WorkerBackings> {
    this.#opening = openedBy(serving);
    return this.#queue.run(async () => {
      this.#open.clear();
      this.#closed = undefined;
      const backings = backingsOf(serving);
      const locked = await this.#locks.renew(backings);
      const unmoved = await moveState(serving);
      const { links, faults } = serving.lease.links.renew(
        without(backings, new Map([...locked, ...unmoved])),
      );
      const sent = this.#backingsFor(serving, new Map([...locked, ...unmoved, ...faults]), {
        links,
        lost: new Set(),
        unmoved,
      });
      this.#serve(serving, sent);
      this.#reportReleased();
      return sent;
    });
  }

  /**
   * Prepares the backings that a running worker lacks for another conf. The caller must call `settle` afterwards, also
   * after a failure. A faulty backing that the change does not touch does not prevent it.
   *
   * @throws {ProvisionError} (rejects) when a backing that is new or changed cannot be served
   */
  extend(next: WorkerServing): Promise<WorkerBackings> {
    this.#opening = openedBy(next);
    return this.#queue.run(async () => {
      this.#closed = new Set();
      this.#suspects.clear();
      const lost = this.#lostBy(next);
      next.lease.holes?.forget(lost);
      const backings = backingsOf(next);
      const locked = await this.#locks.extend(backings);
      const unmoved = await moveState(next);
      const { links, faults } = next.lease.links.extend(without(backings, new Map([...locked, ...unmoved])));
      const all = new Map([...locked, ...unmoved, ...faults]);
      const reasons = this.#withoutUnchanged(next, all, lost);
      const kept = this.#keptLinks(next, lost);
      return this.#backingsFor(next, reasons, { links: new Map([...kept, ...links]), lost, unmoved });
    });
  }

  /** Records what the worker serves after a change: the prepared conf, or the former one. Releases the rest. */
  settle(serving: WorkerServing, sent: WorkerBackings): Promise<void> {
    return this.#queue.run(async () => {
      this.#serve(serving, sent);
      for (const path of this.#closed ?? []) if (!this.#isServed(path)) this.#open.delete(path);
      this.#closed = undefined;
      followHoles(serving, sent.unavailable);
      serving.lease.links.retain(sent.backingLinks.values());
      await this.#release();
    });
  }

  /** Records that the worker has closed a path that was removed from the conf, or that it has opened again since. */
  closed(path: string): Promise<void> {
    return this.#queue.run(async () => {
      this.#closed?.add(path);
      // The lock keeps the number of a device that is gone from being used again.
      if (this.#lost.has(path)) await this.#locks.drop(path);
      if (this.#isServed(path) || !this.#open.delete(path)) return;
      // A change in progress may need the lock; `settle` releases it otherwise.
      if (this.#closed === undefined) await this.#release();
    });
  }

  async #release(): Promise<void> {
    await this.#locks.retain(this.#open);
    this.#reportReleased();
  }

  #reportReleased(): void {
    const isReleased = [...this.#reported].some((path) => !this.has(path));
    this.#reported = new Set(this.#open);
    if (isReleased) this.#onReleased();
  }

  /** Releases all locks. No worker may run, and no operation of one may be under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#open.clear();
    this.#opening = new Set();
    await this.#locks[Symbol.asyncDispose]();
    this.#reportReleased();
  }

  #serve(serving: WorkerServing, { backingLinks, unavailable, lost }: WorkerBackings): void {
    const { unavailable: notFound } = serving;
    this.#served = serving.config;
    this.#paths = openedBy(serving);
    this.#backingLinks = backingLinks;
    const states = [...backingLinks.keys()].map((path) => {
      return [path, serving.deviceStates?.get(path) ?? this.#states.get(path)] as const;
    });
    this.#states = new Map(states.flatMap(([path, state]) => state === undefined ? [] : [[path, state]]));
    this.#unavailable = unavailable;
    this.#lost = new Set([...lost].filter((path) => unavailable.has(path)));
    this.#faults = new Map([...unavailable].filter(([path]) => !notFound.has(path)));
    for (const path of this.#paths) this.#open.add(path);
    this.#opening = new Set();
  }

  /** Returns the devices that the worker has open and that are gone, others now, or discard otherwise. */
  #lostBy({ deviceStates }: WorkerServing): ReadonlySet<string> {
    const isLost = ([path, state]: readonly [string, string]): boolean => {
      const now = deviceStates?.get(path);
      return now !== undefined && now !== state;
    };
    return new Set([...this.#states].filter(isLost).map(([path]) => path));
  }

  #isServed(path: string): boolean {
    return this.#paths.has(path);
  }

  /**
   * Returns the faults without those of backings that are open and unchanged.
   *
   * @throws {ProvisionError} with the faults of all backings that are new or changed
   */
  #withoutUnchanged(next: WorkerServing, faults: Reasons, lost: ReadonlySet<string>): Reasons {
    const isSame = next.config === this.#served;
    const isKnown = (path: string): boolean => isSame || this.#unavailable.has(path) || lost.has(path);
    const wrong = [...faults].filter(([path]) => !isKnown(path));
    if (wrong.length > 0) {
      throw new ProvisionError([...new Set(wrong.map(([, reason]) => reason))].join("; "));
    }
    return new Map([...faults].filter(([path]) => lost.has(path) || !this.#backingLinks.has(path)));
  }

  /** Returns the links to files that the worker has open, even if the files have been moved since. */
  #keptLinks(
    serving: WorkerServing,
    lost: ReadonlySet<string>,
  ): readonly (readonly [string, string])[] {
    const paths = new Set(pathsOf(shareServed(serving)));
    const isKept = (path: string): boolean =>
      paths.has(path) && !lost.has(path) && !serving.arriving.has(path);
    return [...this.#backingLinks].filter(([path]) => isKept(path));
  }

  #backingsFor(
    serving: WorkerServing,
    faults: Reasons,
    { links: backingLinks, lost, unmoved }: {
      readonly links: ReadonlyMap<string, string>;
      readonly lost: ReadonlySet<string>;
      readonly unmoved: Reasons;
    },
  ): WorkerBackings {
    const unavailable = new Map([...serving.unavailable, ...faults]);
    // The worker must not read the state of the unmoved ones before it is there.
    const arriving = new Map([...serving.arriving, ...unmoved]);
    return { backingLinks, unavailable, arriving, lost, sparsePaths: followHoles(serving, unavailable) };
  }
}

/** Restricts hole punching to the files that are served, and returns those that support it. */
function followHoles(serving: WorkerServing, unavailable: Reasons): readonly string[] {
  const { devices, arriving, lease: { holes } } = serving;
  const excluded = [...unavailable.keys(), ...arriving.keys()];
  holes?.follow({ config: shareServed(serving), devicePaths: devices.map(({ path }) => path), excluded });
  return holes?.paths ?? [];
}

/**
 * Moves the state of the logical units to the worker's folder, also of those whose files are missing: the worker reads
 * their reservations at once. No other worker of this server has them, and the lock of the folder keeps others away.
 *
 * @returns the faults, by path: without their state, these units would not be the same
 */
async function moveState(serving: WorkerServing): Promise<Reasons> {
  const { config: { storage }, identities, lease: { place } } = serving;
  const units = [...openedBy(serving)].flatMap((path) => {
    const naa = identities.get(path)?.naa;
    return naa === undefined ? [] : [{ path, naa }];
  });
  try {
    await moveUnitState(storage, place, units.map(({ naa }) => naa));
    return new Map();
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
  }
  const faults = new Map<string, string>();
  for (const { path, naa } of units) {
    try {
      await moveUnitState(storage, place, [naa]);
    } catch (error) {
      if (!(error instanceof ProvisionError)) throw error;
      faults.set(path, error.message);
    }
  }
  return faults;
}

/** Returns the paths that a worker opens. A logical unit that is missing and has no identity is not there for it. */
function openedBy(serving: WorkerServing): ReadonlySet<string> {
  const { arriving, identities, unavailable } = serving;
  const paths = pathsOf(shareServed(serving)).filter((path) => !arriving.has(path));
  return new Set(paths.filter((path) => identities.has(path) || !unavailable.has(path)));
}

function pathsOf({ targets }: Config): string[] {
  return targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ path }) => path));
}

function without(backings: readonly BackingExport[], faults: Reasons): BackingExport[] {
  return backings.filter(({ path }) => !faults.has(path));
}
