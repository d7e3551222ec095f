/** A scenario of the field tests: an initiator that others wrote, and the claim that it proves about this target. */
import { Appliance } from "../end_to_end/appliance.ts";
import { ServerProcess } from "../support/server_process.ts";
import type { Tool } from "../support/tools.ts";

/** A run of an initiator against the program. */
export interface Scenario {
  /** The name for `--only`, in lower case with hyphens, the initiator first. */
  readonly name: string;
  /** The claim, in one sentence without a full stop. */
  readonly proves: string;
  /** Programs without which it cannot run. */
  readonly needs: readonly Tool[];
  /** Longest that it may take, preparations that other scenarios share included. */
  readonly limitSeconds: number;
  /** The reason why it runs only where a pattern of names asks for it; undefined when it always runs. */
  readonly onRequest?: string;
  /**
   * Runs it.
   *
   * @throws {CannotRun} when this machine lacks something
   * @throws {Error} when the claim does not hold
   */
  run(context: Context): Promise<void>;
}

/** The reason why a scenario cannot run on this machine, with the remedy. */
export class CannotRun extends Error {
  override readonly name = "CannotRun";
}

/**
 * Things that several scenarios use, such as a guest: made when the first needs them, dropped when one fails. What
 * this machine cannot have is not tried again.
 */
export class SharedThings {
  readonly #things = new Map<string, Promise<AsyncDisposable>>();

  /** Returns the thing of a name, made now when there is none. */
  get<Thing extends AsyncDisposable>(name: string, make: () => Promise<Thing>): Promise<Thing> {
    const thing = this.#things.get(name) ?? make();
    this.#things.set(name, thing);
    return thing as Promise<Thing>;
  }

  /** Disposes of all of them. */
  async drop(): Promise<void> {
    const things = [...this.#things.values()];
    this.#things.clear();
    for (const thing of await Promise.allSettled(things)) {
      if (thing.status === "fulfilled") await thing.value[Symbol.asyncDispose]();
    }
  }
}

/** The surroundings of one run: a scratch folder, appliances with their servers, and what outlasts the run. */
export class Context {
  /** A folder for the run alone. */
  readonly folder: string = Deno.makeTempDirSync({ prefix: "iscsi-field-" });
  /** Aborted when the time of the scenario is over. */
  readonly signal: AbortSignal;
  readonly shared: SharedThings;
  readonly #resources = new AsyncDisposableStack();

  constructor(signal: AbortSignal, shared: SharedThings) {
    this.signal = signal;
    this.shared = shared;
    this.#resources.defer(() => Deno.remove(this.folder, { recursive: true }));
  }

  /** Disposes of a resource at the end of the run, in the reverse order. */
  use<Resource extends AsyncDisposable | Disposable>(resource: Resource): Resource {
    if (!this.#resources.disposed) return this.#resources.use(resource);
    // The run was abandoned meanwhile.
    if (Symbol.asyncDispose in resource) resource[Symbol.asyncDispose]().then(undefined, () => {});
    else resource[Symbol.dispose]();
    throw new Error("the time of the scenario is over");
  }

  /** Writes a conf with a storage folder and a port of its own; nothing is built yet. */
  appliance(conf: string): Appliance {
    return this.use(Appliance.create(conf));
  }

  /** Builds the conf of an appliance and starts a server for it: the program from source or `ISCSI_BINARY`. */
  async serve(appliance: Appliance): Promise<ServerProcess> {
    return this.use(await appliance.serve());
  }

  /** Starts a server for what is built already. */
  async restart(appliance: Appliance): Promise<ServerProcess> {
    return this.use(await ServerProcess.start(appliance.confPath));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}
