/**
 * Lets eight initiators work at a server for a long time: `deno task soak --minutes 60 --seed 7`. Ends with exit code 1
 * when a byte was not what it should have been, a command failed, or the server's memory grows.
 */
import { readOptions } from "../bench/options.ts";
import { makeScratch } from "../crash/_tree_files.ts";
import type { Sample } from "./_memory.ts";
import { JUDGED_SECONDS_MIN, soak, type SoakReport, whyNoTools } from "./_soak.ts";

const OPTIONS = {
  minutes: { value: "M", default: "60", help: "let them work for M minutes", check: checkMinutes },
  pause: {
    value: "MS",
    default: "2",
    help: "milliseconds between two commands of a lane",
    check: checkPause,
  },
  seed: { value: "S", default: "0", help: "choose what is done by this number; 0: by the time" },
} as const;

function checkMinutes(value: string): string | undefined {
  return Number(value) > 0 && Number(value) <= 10_000 ? undefined : "a number of minutes above 0";
}

function checkPause(value: string): string | undefined {
  return /^\d{1,5}$/.test(value) ? undefined : "a whole number of milliseconds";
}

function describe({ seconds, mebibytes }: Sample): string {
  return `${(seconds / 60).toFixed(1).padStart(6)} min ${mebibytes.toFixed(1).padStart(7)} MiB`;
}

function summarize({ tally, trend, samples }: SoakReport): string {
  const gibibytes = (tally.blocks * 512 / 1024 ** 3).toFixed(2);
  const lines = [`\n${tally}`, `${gibibytes} GiB moved, ${tally.errors.length} errors`];
  if (trend !== undefined) {
    const seconds = samples.at(-1)?.seconds ?? 0;
    const verdict = seconds < JUDGED_SECONDS_MIN ? "(too short to judge)" : trend.isFlat ? "flat" : "GROWS";
    lines.push(
      `memory ${verdict}: mean ${trend.meanMebibytes.toFixed(1)} MiB, ` +
        `slope ${trend.mebibytesPerHour.toFixed(1)} MiB an hour, ${samples.length} samples`,
    );
  }
  return lines.join("\n");
}

/** Lines of the server's log that are printed after an error. */
const LOG_LINES = 60;

function lastLines(log: string): string {
  return log.trimEnd().split("\n").slice(-LOG_LINES).join("\n");
}

async function main(): Promise<number> {
  const options = readOptions("deno task soak [OPTIONS]", OPTIONS);
  const seed = Number(options.seed) || Date.now() % 2 ** 32;
  const seconds = Number(options.minutes) * 60;
  console.log(`seed ${seed}, ${Deno.env.get("ISCSI_BINARY") ?? "the program from source"}`);
  const why = whyNoTools();
  if (why !== undefined) console.log(`Without QEMU and libiscsi's tools: ${why}`);
  const every = Math.max(1, Math.round(seconds / 60));
  let shown = 0;
  const folder = makeScratch();
  const report = await soak({
    seconds,
    seed,
    pauseMs: Number(options.pause),
    folder,
    onSample: (sample, tally) => {
      if (sample.seconds < shown + every) return;
      shown = sample.seconds;
      console.log(`${describe(sample)}   ${tally.of("read")} reads, ${tally.of("write")} writes`);
    },
  });
  console.log(summarize(report));
  Deno.removeSync(folder, { recursive: true });
  const { errors } = report.tally;
  for (const error of errors) console.error(error);
  if (errors.length > 0) console.error(`\nThe end of the server's log:\n${lastLines(report.log)}`);
  return errors.length > 0 ? 1 : 0;
}

Deno.exit(await main());
