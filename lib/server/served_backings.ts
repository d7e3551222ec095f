/**
 * The backing files and devices that the supervisor prepares for its worker: locked against other servers, linked where
 * the worker may open them, and registered for hole punching.
 */
import type { Config } from "../config/config.ts";
import { BackingLocks } from "../provision/backing_locks.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import { moveUnitState } from "../provision/worker_state.ts";
import type { BackingExport } from "../provision/worker_links.ts";
import { SerialQueue } from "./serial_queue.ts";
import { backingsOf, shareServed, type WorkerServing } from "./serving.ts";
import type { WorkerSettings } from "./worker_settings.ts";

/** The backings of a worker, as sent to it. */
export type WorkerBackings = Pick<
  WorkerSettings,
  "backingLinks" | "sparsePaths" | "unavailable" | "arriving"
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

  /** Reasons for which existing backings cannot be served, such as a lock that another server holds. */
  get faults(): Reasons {
    return this.#faults;
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
      await moveState(serving);
      const { links, faults } = serving.lease.links.renew(without(backings, locked));
      const sent = this.#backingsFor(serving, new Map([...locked, ...faults]), links);
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
      const backings = backingsOf(next);
      const locked = await this.#locks.extend(backings);
      await moveState(next);
      const { links, faults } = next.lease.links.extend(without(backings, locked));
      const reasons = this.#withoutUnchanged(next, new Map([...locked, ...faults]));
      return this.#backingsFor(next, reasons, new Map([...this.#keptLinks(next), ...links]));
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

  #serve(serving: WorkerServing, { backingLinks, unavailable }: WorkerBackings): void {
    const { unavailable: notFound } = serving;
    this.#served = serving.config;
    this.#paths = openedBy(serving);
    this.#backingLinks = backingLinks;
    this.#unavailable = unavailable;
    this.#faults = new Map([...unavailable].filter(([path]) => !notFound.has(path)));
    for (const path of this.#paths) this.#open.add(path);
    this.#opening = new Set();
  }

  #isServed(path: string): boolean {
    return this.#paths.has(path);
  }

  /**
   * Returns the faults without those of backings that are open and unchanged.
   *
   * @throws {ProvisionError} with the faults of all backings that are new or changed
   */
  #withoutUnchanged(next: WorkerServing, faults: Reasons): Reasons {
    const isSame = next.config === this.#served;
    const wrong = [...faults].filter(([path]) => !isSame && !this.#unavailable.has(path));
    if (wrong.length > 0) {
      throw new ProvisionError([...new Set(wrong.map(([, reason]) => reason))].join("; "));
    }
    return new Map([...faults].filter(([path]) => !this.#backingLinks.has(path)));
  }

  /** Returns the links to files that the worker has open, even if the files have been moved since. */
  #keptLinks(serving: WorkerServing): readonly (readonly [string, string])[] {
    const paths = new Set(pathsOf(shareServed(serving)));
    return [...this.#backingLinks].filter(([path]) => paths.has(path) && !serving.arriving.has(path));
  }

  #backingsFor(
    serving: WorkerServing,
    faults: Reasons,
    backingLinks: ReadonlyMap<string, string>,
  ): WorkerBackings {
    const unavailable = new Map([...serving.unavailable, ...faults]);
    const { arriving } = serving;
    return { backingLinks, unavailable, arriving, sparsePaths: followHoles(serving, unavailable) };
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
 */
async function moveState(serving: WorkerServing): Promise<void> {
  const { config: { storage }, identities, lease: { place } } = serving;
  const naas = [...openedBy(serving)].flatMap((path) => identities.get(path)?.naa ?? []);
  await moveUnitState(storage, place, naas);
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
