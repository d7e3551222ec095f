/**
 * Rounds of `kill -9`: the server and `iscsi build` are killed at work, started again, and looked at. Nothing that was
 * acknowledged may be lost: the page cache outlives the process.
 */
import { join } from "@std/path";
import { Client } from "../crash/_client.ts";
import { Ledger } from "../crash/_judge.ts";
import type { Note, Observation } from "../crash/_notes.ts";
import { ProgramWorld } from "../crash/_program_world.ts";
import { restart, restartOf } from "../crash/_restart.ts";
import { Counter, type LunsToLookAt } from "../crash/_world.ts";
import { Random } from "../support/seeded_random.ts";
import { freePort, iscsiCommand } from "../support/server_process.ts";
import { findLeftovers } from "./_leftovers.ts";
import { keepWriting, keepWritingAtomically } from "./_load.ts";
import { keepReserving } from "./_reservation_model.ts";

const LUN_BLOCKS = 1024;
const LUN_BYTES = LUN_BLOCKS * 512;

/** LUNs 0 and 1 are written and unmapped, 2 is written atomically, 3 is reserved. */
const LUNS: LunsToLookAt = { blocks: [0, 1, 2], reservations: [3] };
const WORKLOAD = { restart: "build", looksAt: LUNS } as const;

/** Time that the initiators have before the server is killed. */
const LIFE_MS_MIN = 30;
const LIFE_MS_MAX = 700;

/** Most targets that are added and grown beside the one that is written to. */
const OTHERS_MAX = 6;

/** The result of a number of rounds. */
export interface KillReport {
  rounds: number;
  /** Commands that were acknowledged, and those that were under way when the server was killed. */
  acknowledged: number;
  underWay: number;
  builds: number;
  /** `iscsi build` was killed before its end. */
  killedBuilds: number;
  readonly faults: string[];
}

/** The extent of a run. */
export interface KillOptions {
  readonly rounds: number;
  readonly seed: number;
  /** A folder of its own, by its real path. */
  readonly folder: string;
  readonly onRound?: (report: KillReport) => void;
  /** Called with the storage folder when everything is dead. */
  readonly onDeath?: (storage: string) => void;
}

/** Runs rounds until one finds a fault. */
export async function runRounds(
  { rounds, seed, folder, onRound, onDeath }: KillOptions,
): Promise<KillReport> {
  const report: KillReport = {
    rounds: 0,
    acknowledged: 0,
    underWay: 0,
    builds: 0,
    killedBuilds: 0,
    faults: [],
  };
  const run = new KillRun(folder, seed, report);
  while (report.rounds < rounds && report.faults.length === 0) {
    await run.round();
    report.rounds++;
    onRound?.(report);
    onDeath?.(run.storage);
  }
  if (report.faults.length === 0) await run.finish();
  return report;
}

class KillRun {
  readonly #folder: string;
  readonly #random: Random;
  readonly #report: KillReport;
  readonly #ids = new Counter();
  /** The notes since the last examination of the LUNs and the conf. */
  #notes: Note[];
  #others: number[] = [];
  readonly #port = freePort();
  readonly #otherPort = freePort();

  constructor(folder: string, seed: number, report: KillReport) {
    this.#folder = folder;
    this.#random = new Random(seed);
    this.#report = report;
    this.#notes = [{ kind: "conf", lines: DISK }];
  }

  /** The storage folder. */
  get storage(): string {
    return join(this.#folder, "storage");
  }

  /** Starts the product on what there is, looks, and kills it at work. */
  async round(): Promise<void> {
    const world = this.#newWorld();
    const observation = await this.#restart(world);
    if (this.#report.faults.length > 0) return void await world.end();
    const work = await this.#begin(world, observation);
    // They are looked at when all is over.
    for (const promise of work) promise.catch(() => {});
    const build = this.#startBuild(world);
    await new Promise((resolve) =>
      setTimeout(resolve, LIFE_MS_MIN + this.#random.below(LIFE_MS_MAX - LIFE_MS_MIN))
    );
    const isBuildFirst = this.#random.oneIn(2);
    if (isBuildFirst) await this.#endBuild(build);
    await world.kill();
    if (!isBuildFirst) await this.#endBuild(build);
    for (const result of await Promise.allSettled(work)) this.#expectCut(result);
    this.#count();
  }

  /** Starts the product once more, and ends it in order. */
  async finish(): Promise<void> {
    const world = this.#newWorld();
    await this.#restart(world);
    await world.end();
    this.#report.faults.push(...findLeftovers(this.storage));
  }

  #newWorld(): ProgramWorld {
    return new ProgramWorld(
      this.storage,
      join(this.#folder, "iscsi.conf"),
      (note) => this.#notes.push(note),
      this.#port,
    );
  }

  async #restart(world: ProgramWorld): Promise<Observation> {
    const before = this.#notes;
    const built = before.findLast(({ kind }) => kind === "built");
    // What is noted from here on is what the next crash must not take.
    this.#notes = [];
    const observation = await restart(world, restartOf(WORKLOAD, before));
    const place = `round ${this.#report.rounds}`;
    const faults = new Ledger(before).judge("kill", observation);
    this.#report.faults.push(...faults.map((fault) => `${place}: ${fault}`));
    if (built !== undefined && !this.#notes.some(({ kind }) => kind === "built")) this.#notes.unshift(built);
    return observation;
  }

  async #begin(world: ProgramWorld, { tags, reservations }: Observation): Promise<Promise<never>[]> {
    const luns = [0, 1, 2, 3];
    const clients: Client[] = [];
    for (const name of ["anna", "ben", "cora", "dirk", "edda", "finn"]) {
      const initiator = await world.connect(name, luns);
      clients.push(new Client(initiator, (note) => void this.#notes.push(note), this.#ids));
    }
    const [anna, ben, cora, dirk, edda, finn] = clients as [Client, Client, Client, Client, Client, Client];
    const half = LUN_BLOCKS / 2;
    const random = (): Random => new Random(this.#random.uint32());
    const owners = [{ client: edda, key: "00000000000edda1" }, { client: finn, key: "0000000000f1222a" }];
    return [
      keepWriting(anna, { lun: 0, lba: 0, blocks: half }, random()),
      keepWriting(ben, { lun: 0, lba: half, blocks: half }, random()),
      keepWriting(cora, { lun: 1, lba: 5, blocks: LUN_BLOCKS - 9 }, random()),
      keepWritingAtomically(dirk, 2, tags.get(2)!, random()),
      keepReserving(owners, 3, reservations.get(3)!, random()),
    ];
  }

  /** Starts `iscsi build` with a conf that has grown, while the server runs. */
  #startBuild(world: ProgramWorld): Deno.ChildProcess {
    if (this.#others.length < OTHERS_MAX) this.#others = [...this.#others, 1];
    else this.#others = this.#others.map((size) => size + (this.#random.oneIn(3) ? 1 : 0));
    const others = confOfOthers(this.#others, this.#otherPort);
    // The port that is first keeps its state in the state folder itself, so at the next start all of it may move.
    const lines = this.#random.oneIn(2) ? [...others, ...DISK] : [...DISK, ...others];
    world.writeConf(lines);
    this.#notes.push({ kind: "conf", lines });
    this.#report.builds++;
    const { program, args } = iscsiCommand();
    return new Deno.Command(program, {
      args: [...args, "build", "--conf", world.confPath],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
  }

  async #endBuild(build: Deno.ChildProcess): Promise<void> {
    try {
      build.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    const { signal, code, stderr } = await build.output();
    if (signal === "SIGKILL") this.#report.killedBuilds++;
    // A server that is killed while it is asked to reload leaves the disks built and the command failed.
    const text = new TextDecoder().decode(stderr);
    if (signal === null && code !== 0 && !/server/i.test(text)) {
      this.#report.faults.push(`iscsi build: ${text}`);
    }
  }

  /** Work ends because the connection does, and for no other reason. */
  #expectCut(result: PromiseSettledResult<never>): void {
    if (result.status === "rejected" && !/closed|reset|broken pipe|connection/i.test(String(result.reason))) {
      this.#report.faults.push(`round ${this.#report.rounds}: ${result.reason}`);
    }
  }

  #count(): void {
    const begun =
      this.#notes.filter(({ kind }) => ["writing", "flushing", "reserving"].includes(kind)).length;
    const ended = this.#notes.filter(({ kind }) => ["written", "flushed", "reserved"].includes(kind)).length;
    this.#report.acknowledged += ended;
    this.#report.underWay += begun - ended;
  }
}

/** The target that is written to. */
const DISK = ["[disk]", `size=${Array.from({ length: 4 }, () => LUN_BYTES).join(" ")}`];

/** Returns targets of these multiples of 64 KiB, at a port of their own. */
function confOfOthers(others: readonly number[], port: number): string[] {
  return others.flatMap((size, index) => [`[other${index}]`, `size=${size * 65536}`, `port=${port}`]);
}
