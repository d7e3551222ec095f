/** Rounds of each scenario on one cluster, and what they found. */
import { delay } from "../../lib/base/delay.ts";
import type { Random } from "../support/seeded_random.ts";
import { Cluster } from "./_cluster.ts";
import { compareIdentities, type Identity, readIdentity } from "./_identity.ts";
import { Load } from "./_load.ts";
import type { Event, Scenario } from "./_scenarios.ts";
import { StorageWatch } from "./_storage_watch.ts";

/** Milliseconds that the initiators write before the event, at least and at most. */
const WRITING_MS_MIN = 200;
const WRITING_MS_MAX = 1200;

/** The result of the rounds of a scenario. */
export interface ScenarioReport {
  readonly scenario: string;
  passed: number;
  failed: number;
  /** Milliseconds of the rounds that passed or failed after the takeover. */
  readonly pausesMs: number[];
  lost: number;
  duplicated: number;
  torn: number;
  readonly faults: string[];
}

/** Totals that show that the rounds could have found something. */
export interface Totals {
  records: number;
  refusedIntrusions: number;
  sightings: number;
  longestLookMs: number;
}

/** The settings of a campaign. */
export interface CampaignOptions {
  readonly rounds: number;
  readonly random: Random;
  /** Makes an empty folder for a cluster. */
  readonly makeFolder: () => string;
  /** Prepares the folder of a cluster after its files were written. */
  readonly prepare?: (folder: string) => void;
  /** The target has a write cache; without one, every record that was acknowledged must survive. */
  readonly hasWriteCache: boolean;
  /** Lets the initiators rely on flushes by another node than the one that took the writes. */
  readonly isTrusting: boolean;
  readonly print: (line: string) => void;
}

/** A cluster under load. */
class World {
  readonly cluster: Cluster;
  readonly load: Load;
  readonly watch: StorageWatch;
  readonly identity: Identity;

  private constructor(cluster: Cluster, load: Load, watch: StorageWatch, identity: Identity) {
    this.cluster = cluster;
    this.load = load;
    this.watch = watch;
    this.identity = identity;
  }

  static async start({ makeFolder, prepare, hasWriteCache, isTrusting }: CampaignOptions): Promise<World> {
    const cluster = await Cluster.start(makeFolder(), hasWriteCache, prepare);
    try {
      const load = await Load.start(isTrusting);
      const watch = new StorageWatch(cluster.nodes, cluster.disk.device);
      return new World(cluster, load, watch, await readIdentity());
    } catch (error) {
      await cluster.end();
      throw error;
    }
  }

  async end(): Promise<void> {
    await this.load.end();
    await this.watch.end();
    await this.cluster.end();
  }
}

/** Runs scenarios, one after the other. */
export class Campaign {
  readonly totals: Totals = { records: 0, refusedIntrusions: 0, sightings: 0, longestLookMs: 0 };
  readonly #options: CampaignOptions;
  #world: World | undefined;

  constructor(options: CampaignOptions) {
    this.#options = options;
  }

  /** Runs the rounds of a scenario; the first that fails is the last. */
  async run({ name, variants }: Scenario): Promise<ScenarioReport> {
    const report: ScenarioReport = {
      scenario: name,
      passed: 0,
      failed: 0,
      pausesMs: [],
      lost: 0,
      duplicated: 0,
      torn: 0,
      faults: [],
    };
    for (let round = 0; round < this.#options.rounds && report.failed === 0; round++) {
      try {
        this.#world ??= await World.start(this.#options);
        await this.#round(this.#world, variants[round % variants.length]!, report);
      } catch (error) {
        report.faults.push(error instanceof Error ? error.message : `${error}`);
        report.faults.push(...this.#world?.watch.takeFaults() ?? []);
      }
      if (report.faults.length === 0) report.passed++;
      else report.failed++;
      const pause = report.pausesMs.at(-1);
      this.#options.print(
        `${name}, round ${round + 1}: ` +
          (report.faults.length > 0
            ? `FAILED: ${report.faults[0]}`
            : `pause ${(pause! / 1000).toFixed(1)} s`),
      );
    }
    // What a failure has left behind is no place for the next scenario.
    if (report.failed > 0) await this.end();
    return report;
  }

  /** Ends the cluster. */
  async end(): Promise<void> {
    const world = this.#world;
    this.#world = undefined;
    if (world === undefined) return;
    this.totals.records += world.load.count;
    this.totals.refusedIntrusions += world.load.refused;
    this.totals.sightings += world.watch.sightings;
    this.totals.longestLookMs = Math.max(this.totals.longestLookMs, world.watch.longestMs);
    await world.end();
  }

  async #round(world: World, event: Event, report: ScenarioReport): Promise<void> {
    const { cluster, load } = world;
    const { random } = this.#options;
    await delay(WRITING_MS_MIN + random.below(WRITING_MS_MAX - WRITING_MS_MIN));
    const holder = await cluster.holder();
    const fencedBefore = cluster.fencing.length;
    load.beginPause();
    await event.happen(cluster, holder);
    await load.untilServed();
    report.pausesMs.push(load.pauseMs);
    await this.#judge(world, event, report);
    const victims = (): string =>
      cluster.fencing.slice(fencedBefore).map(({ victim }) => victim).join(", ") || "none";
    const expected = event.isFenced ? holder.name : "none";
    if (victims() !== expected) report.faults.push(`Fenced: ${victims()}; expected: ${expected}`);
    if (report.faults.length > 0) return;
    load.resume();
    await event.restore?.(cluster, holder);
    await cluster.untilWhole();
    if (victims() !== expected) report.faults.push(`Fenced in all: ${victims()}; expected: ${expected}`);
    // A node that returns must not disturb the other one.
    await this.#judge(world, { ...event, survival: "acknowledged" }, report);
    load.resume();
  }

  async #judge({ load, watch, identity }: World, { survival }: Event, report: ScenarioReport): Promise<void> {
    const faults = await load.judge(this.#options.hasWriteCache ? survival : "acknowledged");
    report.lost += faults.lost;
    report.duplicated += faults.duplicated;
    report.torn += faults.torn;
    report.faults.push(...faults.examples, ...watch.takeFaults());
    report.faults.push(...compareIdentities(identity, await readIdentity()));
  }
}
