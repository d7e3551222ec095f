/**
 * Looks for promises that a crash breaks: `deno task crash --states 20000 --seed 7`. Prints its seed first and a table
 * last, and ends with exit code 1 when a promise was broken.
 */
import { checkCount, readOptions } from "../bench/options.ts";
import { runCampaign, whyNoPrograms } from "./_campaign.ts";
import { formatExplorations, formatViolations } from "./_table.ts";
import { WORKLOADS } from "./_workloads.ts";

const OPTIONS = {
  states: { value: "N", default: "20000", help: "restart on N states in this process", check: checkCount },
  programs: {
    value: "N",
    default: "10",
    help: "and on N states of each workload with the programs",
    check: checkCount,
  },
  seed: { value: "S", default: "0", help: "choose the states by this number; 0: by the time" },
  workload: { value: "NAME", default: "", help: "only this workload" },
  list: { help: "print the workloads and do nothing" },
} as const;

async function main(): Promise<number> {
  const options = readOptions("deno task crash [OPTIONS]", OPTIONS);
  const workloads = WORKLOADS.filter(({ name }) => options.workload === "" || name === options.workload);
  if (options.list) {
    for (const { name, title } of WORKLOADS) console.log(`${name.padEnd(14)}${title}`);
    return 0;
  }
  if (workloads.length === 0) throw new Error(`No workload "${options.workload}"; --list prints them`);
  const seed = Number(options.seed) || Date.now() % 2 ** 32;
  console.log(`seed ${seed}`);
  const why = whyNoPrograms();
  if (why !== undefined) console.log(`Without the programs: ${why}`);
  const explorations = await runCampaign({
    workloads,
    seed,
    states: Number(options.states),
    programs: Number(options.programs),
    onExploration: (name, { violations }) => console.log(`${name}\n${formatViolations(violations)}`),
  });
  console.log(formatExplorations(explorations));
  const torn = [...explorations.values()].reduce((sum, exploration) => sum + exploration.torn, 0);
  console.log(
    `seed ${seed}; power cuts left ${torn} atomic commands in part, which nothing promises to prevent`,
  );
  return [...explorations.values()].some(({ violations }) => violations.length > 0) ? 1 : 0;
}

Deno.exit(await main());
