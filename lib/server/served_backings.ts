/**
 * The backing files and devices of what is served, as the supervisor keeps them for its worker: locked against other
 * servers, linked where the worker may open them, and with holes made in them.
 */
import type { Config } from "../config/config.ts";
import { BackingLocks } from "../provision/backing_locks.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import type { BackingExport } from "../provision/worker_links.ts";
import { backingsOf, type Serving } from "./serving.ts";
import type { WorkerSettings } from "./worker_settings.ts";

/** What a worker is told of its backings. */
export type WorkerBackings = Pick<WorkerSettings, "backingLinks" | "sparsePaths" | "unavailable">;

type Reasons = ReadonlyMap<string, string>;

/** The backings of one supervisor. */
export class ServedBackings {
  readonly #locks: BackingLocks;
  /** The conf that is served. */
  #config: Config | undefined;
  /** The links that the worker knows, by the paths of the conf. */
  #backingLinks: ReadonlyMap<string, string> = new Map();
  /** Why some backings of the conf cannot be served, as the worker knows it. */
  #unavailable: Reasons = new Map();
  /** Those of them that were found to be there. */
  #faults: Reasons = new Map();
  /** Paths of what the worker may have open: what is served, and what it has not closed yet. */
  readonly #open = new Set<string>();
  /** What it has closed while a change is under way; undefined while none is. */
  #closed: Set<string> | undefined;
  /** What is asked for is done one by one. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @param warn is told what is served although it could not be locked */
  constructor(warn: (message: string) => void) {
    this.#locks = new BackingLocks(warn);
  }

  /** Why some backings of the conf cannot be served, though they are there: another server has them, say. */
  get faults(): Reasons {
    return this.#faults;
  }

  /**
   * Prepares everything for a worker that is about to start, while no other runs. A backing that cannot be served is
   * unavailable.
   *
   * @throws {ProvisionError} (rejects) when the state folder cannot be written
   */
  renew(serving: Serving): Promise<WorkerBackings> {
    return this.#inTurn(async () => {
      this.#open.clear();
      this.#closed = undefined;
      const backings = backingsOf(serving);
      const locked = await this.#locks.renew(backings);
      const { links, faults } = serving.lease.links.renew(without(backings, locked));
      const told = this.#tell(serving, new Map([...locked, ...faults]), links);
      this.#serve(serving, told);
      return told;
    });
  }

  /**
   * Prepares what a worker that runs lacks to serve something else. `settle` must follow, however that goes. A backing
   * that is as it was keeps nothing else from changing.
   *
   * @throws {ProvisionError} (rejects) when something that is new, or is to be served otherwise, cannot be
   */
  extend(next: Serving): Promise<WorkerBackings> {
    return this.#inTurn(async () => {
      this.#closed = new Set();
      const backings = backingsOf(next);
      const locked = await this.#locks.extend(backings);
      const { links, faults } = next.lease.links.extend(without(backings, locked));
      const reasons = this.#excuse(next, new Map([...locked, ...faults]));
      return this.#tell(next, reasons, new Map([...this.#keptLinks(next), ...links]));
    });
  }

  /** The worker serves this now: the change that was prepared, or what it served before. */
  settle(serving: Serving, told: WorkerBackings): Promise<void> {
    return this.#inTurn(async () => {
      this.#serve(serving, told);
      for (const path of this.#closed ?? []) if (!this.#isServed(path)) this.#open.delete(path);
      this.#closed = undefined;
      followHoles(serving, told.unavailable);
      serving.lease.links.retain(told.backingLinks.values());
      await this.#locks.retain(this.#open);
    });
  }

  /** The worker has closed what was taken out of the conf, or what it has opened again since. */
  closed(path: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#closed?.add(path);
      if (this.#isServed(path) || !this.#open.delete(path)) return;
      // What a change is about to serve keeps its lock: it settles what is left.
      if (this.#closed === undefined) await this.#locks.retain(this.#open);
    });
  }

  /** Gives all locks back: no worker runs, and nothing that one has begun is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#locks[Symbol.asyncDispose]();
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => {});
    return done;
  }

  #serve({ config, unavailable: notFound }: Serving, { backingLinks, unavailable }: WorkerBackings): void {
    this.#config = config;
    this.#backingLinks = backingLinks;
    this.#unavailable = unavailable;
    this.#faults = new Map([...unavailable].filter(([path]) => !notFound.has(path)));
    for (const path of pathsOf(config)) this.#open.add(path);
  }

  #isServed(path: string): boolean {
    return this.#config !== undefined && pathsOf(this.#config).includes(path);
  }

  /**
   * Leaves out the faults of what is open and is to be served as it was.
   *
   * @throws {ProvisionError} with the faults of all that is new, or is to be served otherwise
   */
  #excuse(next: Serving, faults: Reasons): Reasons {
    const isSame = next.config === this.#config;
    const wrong = [...faults].filter(([path]) => !isSame && !this.#unavailable.has(path));
    if (wrong.length > 0) {
      throw new ProvisionError([...new Set(wrong.map(([, reason]) => reason))].join("; "));
    }
    return new Map([...faults].filter(([path]) => !this.#backingLinks.has(path)));
  }

  /** The links to what the worker has open, whatever has become of the file since. */
  #keptLinks({ config }: Serving): readonly (readonly [string, string])[] {
    const paths = new Set(pathsOf(config));
    return [...this.#backingLinks].filter(([path]) => paths.has(path));
  }

  #tell(serving: Serving, faults: Reasons, backingLinks: ReadonlyMap<string, string>): WorkerBackings {
    const unavailable = new Map([...serving.unavailable, ...faults]);
    return { backingLinks, unavailable, sparsePaths: followHoles(serving, unavailable) };
  }
}

/** Has holes made in the files that are served, and in nothing else, and returns where they can be made. */
function followHoles(
  { config, devices, lease: { holes } }: Serving,
  unavailable: Reasons,
): readonly string[] {
  holes?.follow({ config, devicePaths: [...devices.map(({ path }) => path), ...unavailable.keys()] });
  return holes?.paths ?? [];
}

function pathsOf({ targets }: Config): string[] {
  return targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ path }) => path));
}

function without(backings: readonly BackingExport[], faults: Reasons): BackingExport[] {
  return backings.filter(({ path }) => !faults.has(path));
}
