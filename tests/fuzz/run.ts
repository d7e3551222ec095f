/**
 * A long fuzzing campaign: `deno task fuzz --pdus 1000000 --seed N`. Prints its seed first and its report last, and
 * ends with an error at the first invariant that does not hold.
 */
import { parseArgs } from "@std/cli/parse-args";
import { runCampaign } from "./_campaign.ts";

const PROGRESS_EVERY_PDUS = 50_000;

async function main(pdus: number, seed: number): Promise<void> {
  console.log(`seed ${seed}, ${pdus} PDUs`);
  const started = performance.now();
  const seconds = (): string => `${((performance.now() - started) / 1000).toFixed(0)} s`;
  let told = 0;
  const report = await runCampaign({
    pdus,
    seed,
    onProgress: (soFar) => {
      if (soFar.pdus - told < PROGRESS_EVERY_PDUS) return;
      told = soFar.pdus;
      console.log(`${soFar.pdus} PDUs after ${seconds()}`);
    },
  });
  console.log(`\n${report}\n\nseed ${seed}, ${seconds()}: all invariants held`);
}

// `deno task` passes on the "--" that some put before a task's own options.
const ARGUMENTS = Deno.args.filter((argument) => argument !== "--");
const { pdus: pdusText, seed: seedText } = parseArgs(ARGUMENTS, { string: ["pdus", "seed"] });
const pdus = Number(pdusText ?? 1_000_000);
const seed = Number(seedText ?? Date.now() % 2 ** 32);
if (!Number.isSafeInteger(pdus) || !Number.isSafeInteger(seed)) {
  console.error("Cannot run: write --pdus NUMBER --seed NUMBER");
  Deno.exit(2);
}
await main(pdus, seed);
