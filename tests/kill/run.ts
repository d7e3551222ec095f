/**
 * Kills the server at work, again and again: `deno task kill --rounds 1000 --seed 7`. Prints its seed first, and ends
 * with exit code 1 when something that was acknowledged is lost.
 */
import { checkCount, readOptions } from "../bench/options.ts";
import { makeScratch } from "../crash/_tree_files.ts";
import { type KillReport, runRounds } from "./_rounds.ts";

const OPTIONS = {
  rounds: { value: "N", default: "100", help: "kill the server N times", check: checkCount },
  seed: { value: "S", default: "0", help: "choose what is done by this number; 0: by the time" },
} as const;

/** Rounds between two lines of output. */
const PROGRESS_EVERY = 50;

function describe({ rounds, acknowledged, underWay, builds, killedBuilds }: KillReport): string {
  return `${rounds} rounds: ${acknowledged} commands acknowledged, ${underWay} under way when the server was killed, ` +
    `${killedBuilds} of ${builds} builds killed`;
}

async function main(): Promise<number> {
  const options = readOptions("deno task kill [OPTIONS]", OPTIONS);
  const seed = Number(options.seed) || Date.now() % 2 ** 32;
  const program = Deno.env.get("ISCSI_BINARY") ?? "the program from source";
  console.log(`seed ${seed}, ${program}`);
  const folder = makeScratch();
  const report = await runRounds({
    rounds: Number(options.rounds),
    seed,
    folder,
    onRound: (soFar) => {
      if (soFar.rounds % PROGRESS_EVERY === 0) console.log(describe(soFar));
    },
  });
  console.log(describe(report));
  for (const fault of report.faults) console.error(fault);
  if (report.faults.length > 0) console.error(`seed ${seed}; what was left is in ${folder}`);
  else Deno.removeSync(folder, { recursive: true });
  return report.faults.length > 0 ? 1 : 0;
}

Deno.exit(await main());
