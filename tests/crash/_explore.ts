/**
 * Explores what crashes leave of a workload: cuts its recording, restarts the product on what is left, and judges. The
 * restart is recorded too, and cut again.
 */
import { join } from "@std/path";
import { Random } from "../support/seeded_random.ts";
import { type CrashKind, type CrashPlan, type CrashState, planCrashes } from "./_crash_states.ts";
import { DenoRecorder } from "./_deno_recorder.ts";
import { Disk } from "./_disk.ts";
import { Ledger } from "./_judge.ts";
import type { Note, Observation } from "./_notes.ts";
import type { Recording } from "./_operation.ts";
import { STORAGE } from "./_places.ts";
import { ProcessWorld } from "./_process_world.ts";
import { restart, restartOf } from "./_restart.ts";
import { findDifference, readTree, writeTree } from "./_tree_files.ts";
import type { Workload, World } from "./_world.ts";

/** Something that is not as promised. */
export interface Violation {
  /** The crashes that led there. */
  readonly description: string;
  readonly fault: string;
}

/** States that were tried: after a kill, after a power cut, after a second crash, and those with the programs. */
export type Tried = Record<CrashKind | "second" | "programs", number>;

/** The outcome of an exploration. */
export interface Exploration {
  readonly operations: number;
  /** The planned states after one crash. */
  readonly planned: number;
  readonly tried: Tried;
  /** Atomic commands that a power cut left in part, which nothing promises. */
  readonly torn: number;
  readonly violations: readonly Violation[];
}

/** The extent of an exploration. */
export interface ExploreOptions {
  readonly seed: number;
  /** Most states to restart on in this process. */
  readonly states: number;
  /** Most states to restart on with the programs. */
  readonly programs?: number;
  /** A folder of its own, by its real path. */
  readonly root: string;
}

/** A workload that was recorded. */
export interface Recorded {
  readonly before: Disk;
  /** The notes from before, all durable. */
  readonly notesBefore: readonly Note[];
  readonly recording: Recording<Note>;
}

/** Share of the states that a second crash leaves. */
const SECOND_SHARE = 0.5;

/** Records a workload in this process. The folder, by its real path, is emptied first. */
export async function recordInProcess(workload: Workload, root: string): Promise<Recorded> {
  writeTree(root, new Map());
  const storage = join(root, STORAGE);
  const prepared = await record(root, storage, async (world) => await workload.prepare?.(world));
  const before = new Disk(readTree(root));
  const recording = await record(root, storage, (world) => workload.run(world));
  assertComplete(before, recording, root);
  return { before, notesBefore: prepared.notes.map(({ note }) => note), recording };
}

/** Throws when a folder is not what a recording leads to: something has changed it in a way that is not recorded. */
export function assertComplete(before: Disk, { operations }: Recording<unknown>, root: string): void {
  const disk = before.fork();
  for (const operation of operations.toSorted((a, b) => a.end - b.end)) disk.apply(operation);
  const difference = findDifference(disk.tree(), readTree(root));
  if (difference !== undefined) throw new Error(`The recording is not complete: ${difference}`);
}

/** Records work. What the product does when it is ended after that is not recorded. */
async function record(
  root: string,
  storage: string,
  work: (world: World) => Promise<void>,
): Promise<Recording<Note>> {
  let world: ProcessWorld | undefined;
  try {
    return await DenoRecorder.record<Note>(root, async (recorder) => {
      world = new ProcessWorld(storage, recorder);
      await work(world);
    });
  } finally {
    await world?.end();
  }
}

/** A crash that another one follows. */
interface FirstCrash {
  readonly state: CrashState;
  /** The notes up to that time. */
  readonly notes: readonly Note[];
  /** The notes after that time. */
  readonly later: readonly Note[];
}

/** Makes a world of programs on a storage folder. */
export type ProgramsOf = (storage: string) => World & { end(): Promise<void> };

/** An exploration of a workload. */
export class Explorer {
  readonly #workload: Workload;
  readonly #recorded: Recorded;
  readonly #options: ExploreOptions;
  readonly #storage: string;
  readonly #random: Random;
  readonly #tried: Tried = { kill: 0, power: 0, second: 0, programs: 0 };
  readonly #violations: Violation[] = [];
  #torn = 0;

  constructor(workload: Workload, recorded: Recorded, options: ExploreOptions) {
    this.#workload = workload;
    this.#recorded = recorded;
    this.#options = options;
    this.#storage = join(options.root, STORAGE);
    this.#random = new Random(options.seed);
  }

  /** Explores. */
  async run(programsOf?: ProgramsOf): Promise<Exploration> {
    const { before, recording } = this.#recorded;
    const { states, programs = 0 } = this.#options;
    const plans = planCrashes(before, recording, this.#random);
    const chosen = choose(plans, Math.ceil(states * (1 - SECOND_SHARE)), this.#random);
    const secondEach = Math.max(1, Math.round(states * SECOND_SHARE / Math.max(chosen.length, 1)));
    for (const plan of chosen) await this.#try(plan.make(), secondEach);
    if (programsOf !== undefined) {
      for (const plan of choose(plans, programs, this.#random)) {
        await this.#tryPrograms(plan.make(), programsOf);
      }
    }
    const { operations } = recording;
    return {
      operations: operations.length,
      planned: plans.length,
      tried: this.#tried,
      torn: this.#torn,
      violations: this.#violations,
    };
  }

  /** Restarts on a state, judges, and crashes again. */
  async #try(state: CrashState, secondCount: number): Promise<void> {
    this.#tried[state.kind]++;
    const first = this.#lay(state);
    const disk = this.#workload.meddle === undefined ? state.disk : new Disk(readTree(this.#options.root));
    const result = Promise.withResolvers<Observation>();
    const recording = await record(this.#options.root, this.#storage, async (world) => {
      result.resolve(await restart(world, restartOf(this.#workload, first.notes)));
    });
    const observation = await result.promise;
    this.#judge(new Ledger(first.notes, first.later), state.kind, observation, state.description);
    if (observation.problems.length > 0) return;
    const plans = planCrashes(disk, recording, this.#random);
    for (const plan of chooseSecond(plans, secondCount, this.#random)) {
      await this.#trySecond(plan.make(), recording, first);
    }
  }

  async #trySecond(state: CrashState, recording: Recording<Note>, first: FirstCrash): Promise<void> {
    this.#tried.second++;
    const notes = [...first.notes, ...notesUntil(recording, state.time)];
    writeTree(this.#options.root, state.tree);
    const observation = await this.#observe(new ProcessWorld(this.#storage), notes);
    // What the first crash took is gone, whatever the second one is.
    const kind = first.state.kind === "power" ? "power" : state.kind;
    const description = `${first.state.description}; restarted; ${state.description}`;
    this.#judge(new Ledger(notes, first.later), kind, observation, description);
  }

  async #tryPrograms(state: CrashState, programsOf: ProgramsOf): Promise<void> {
    this.#tried.programs++;
    const { notes, later } = this.#lay(state);
    const observation = await this.#observe(programsOf(this.#storage), notes);
    this.#judge(
      new Ledger(notes, later),
      state.kind,
      observation,
      `${state.description}; restarted as a program`,
    );
  }

  /** Puts a state into the folder, lets the operator do his part, and returns what is known then. */
  #lay(state: CrashState): FirstCrash {
    const { notesBefore, recording } = this.#recorded;
    writeTree(this.#options.root, state.tree);
    const known = [...notesBefore, ...notesUntil(recording, state.time)];
    const meddled = this.#workload.meddle?.(this.#storage);
    const notes = meddled === undefined
      ? known
      : [...known.filter(({ kind }) => kind === "conf"), ...meddled];
    return { state, notes, later: notesFrom(recording, state.time) };
  }

  async #observe(world: World & { end(): Promise<void> }, notes: readonly Note[]): Promise<Observation> {
    try {
      return await restart(world, restartOf(this.#workload, notes));
    } finally {
      await world.end();
    }
  }

  #judge(ledger: Ledger, kind: CrashKind, observation: Observation, description: string): void {
    for (const fault of ledger.judge(kind, observation)) this.#violations.push({ description, fault });
    if (kind === "power") this.#torn += ledger.tornBy(observation);
  }
}

function notesUntil({ notes }: Recording<Note>, time: number): Note[] {
  return notes.filter((noted) => noted.time <= time).map(({ note }) => note);
}

function notesFrom({ notes }: Recording<Note>, time: number): Note[] {
  return notes.filter((noted) => noted.time > time).map(({ note }) => note);
}

/** Shares of the ranks among the chosen. */
const SHARES = [0.4, 0.3, 0.3] as const;

/** Chooses plans at random: as many kills as power cuts, the most revealing first. */
function choose(plans: readonly CrashPlan[], count: number, random: Random): CrashPlan[] {
  const groups = SHARES.flatMap((share, rank) =>
    (["kill", "power"] as const).map((kind) => ({
      plans: random.shuffled(plans.filter((plan) => plan.rank === rank && plan.kind === kind)),
      share: share / 2,
    }))
  );
  const first = groups.flatMap(({ plans, share }) => plans.splice(0, Math.ceil(count * share)));
  const rest = groups.flatMap(({ plans }) => plans);
  return random.shuffled([...first, ...rest].slice(0, count));
}

/** Chooses plans of a restart: first the loss of all that it did not sync, at its end. */
function chooseSecond(plans: readonly CrashPlan[], count: number, random: Random): CrashPlan[] {
  const last = plans.findLast(({ kind, rank }) => kind === "power" && rank === 0);
  return [...(last === undefined ? [] : [last]), ...choose(plans, count, random)].slice(0, count);
}
