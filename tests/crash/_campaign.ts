/** All workloads in this process, and all of them as programs. */
import { join } from "@std/path";
import { Random } from "../support/seeded_random.ts";
import { findMissing } from "../support/tools.ts";
import { type Exploration, type ExploreOptions, Explorer, recordInProcess } from "./_explore.ts";
import { recordPrograms } from "./_program_recorder.ts";
import { ProgramWorld } from "./_program_world.ts";
import { makeScratch } from "./_tree_files.ts";
import type { Workload } from "./_world.ts";

/** The extent of a campaign. */
export interface CampaignOptions extends Pick<ExploreOptions, "seed" | "states"> {
  readonly workloads: readonly Workload[];
  /** Most states of each workload to restart on with the programs. */
  readonly programs: number;
  /** Called with the outcome of each exploration. */
  readonly onExploration: (name: string, exploration: Exploration) => void;
}

/** Returns why the programs cannot be recorded; undefined when they can. */
export function whyNoPrograms(): string | undefined {
  return findMissing(["strace", "fallocate"]);
}

/** Explores workloads, each in this process and, where that can be recorded, as programs. */
export async function runCampaign(options: CampaignOptions): Promise<Map<string, Exploration>> {
  const { workloads, seed, states, programs, onExploration } = options;
  const random = new Random(seed);
  const withPrograms = whyNoPrograms() === undefined;
  const share = Math.ceil(states / workloads.length / (withPrograms ? 2 : 1));
  const explorations = new Map<string, Exploration>();
  function take(name: string, exploration: Exploration): void {
    explorations.set(name, exploration);
    onExploration(name, exploration);
  }
  for (const workload of workloads) {
    take(workload.name, await explore(workload, { seed: random.uint32(), states: share }));
    if (!withPrograms) continue;
    const extent = { seed: random.uint32(), states: share, programs };
    take(`${workload.name}, programs`, await explorePrograms(workload, extent));
  }
  return explorations;
}

/** Explores a workload in this process. */
export async function explore(
  workload: Workload,
  options: Omit<ExploreOptions, "root">,
): Promise<Exploration> {
  return await withScratch(async (root) => {
    const recorded = await recordInProcess(workload, root);
    return await new Explorer(workload, recorded, { ...options, root }).run();
  });
}

/** Explores a workload of the programs. */
export async function explorePrograms(
  workload: Workload,
  options: Omit<ExploreOptions, "root">,
): Promise<Exploration> {
  return await withScratch(async (folder) => {
    const recorded = await recordPrograms(workload, folder);
    const root = join(folder, "states");
    Deno.mkdirSync(root);
    return await new Explorer(workload, recorded, { ...options, root })
      .run((storage) => new ProgramWorld(storage, join(folder, "restart.conf"), () => {}));
  });
}

async function withScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = makeScratch();
  try {
    return await work(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
