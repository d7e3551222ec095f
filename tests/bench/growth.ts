/**
 * `deno task growth`, with options that `--help` lists
 *
 * Measures growth with the number of targets, of LUNs of one target, and of sessions: the time of `check`, `build`,
 * the start to `ready`, a discovery, a login, `status` and a scrape of the metrics, and the server's memory. Nothing
 * should grow faster than its input: the second table has the increase for each additional one, which should not rise
 * from row to row.
 *
 * Then it measures the structures of the target worker one by one, without the program: the time of an operation, by
 * what the structure holds. With `--structures` it measures nothing else.
 */
import { getAvailablePort } from "@std/net";
import { join } from "@std/path";
import { checkCount, checkPattern, readOptions } from "./options.ts";
import { memoryMebibytes } from "./process.ts";
import { Progress } from "./progress.ts";
import { compileC, confOf, has, ourProgram, run, startServer } from "./sides.ts";
import { formatStructures, measureStructures } from "./structures.ts";
import { formatFigure, formatTable } from "./table.ts";

/** Something of which there are more and more: how many, and what a conf has of targets and LUNs then. */
interface Kind {
  readonly name: string;
  readonly counts: readonly number[];
  readonly targets: (count: number) => number;
  readonly logicalUnits: (count: number) => number;
  readonly sessions: (count: number) => number;
}

const KINDS: readonly Kind[] = [
  { name: "targets", counts: [1, 10, 100, 1_000], targets: all, logicalUnits: one, sessions: one },
  {
    name: "targets of 4 LUNs",
    counts: [1, 10, 100, 1_000],
    targets: all,
    logicalUnits: () => 4,
    sessions: one,
  },
  { name: "LUNs of a target", counts: [1, 16, 256], targets: one, logicalUnits: all, sessions: one },
  { name: "sessions", counts: [1, 8, 32], targets: one, logicalUnits: one, sessions: all },
];

/** The measured steps, in order; a step that could not be measured is undefined. */
const STEPS = ["check", "build", "ready", "discovery", "login", "status", "metrics"] as const;

type Milliseconds = { readonly [Step in (typeof STEPS)[number]]: number | undefined };

/** The measurements for a number of targets. */
interface Growth {
  readonly kind: string;
  readonly count: number;
  readonly milliseconds: Milliseconds;
  readonly memoryMebibytes: number;
  /** 4 KiB random reads, depth 4 on each session. */
  readonly readsPerSecond: number;
}

const values = readOptions("deno task growth [OPTION...]", {
  kinds: {
    value: "PATTERN",
    help: `only kinds and structures with names that match: ${KINDS.map(({ name }) => name).join(", ")}`,
    default: ".",
    check: checkPattern,
  },
  rounds: {
    value: "N",
    help: "how often each is measured; the least counts",
    default: "3",
    check: checkCount,
  },
  structures: { help: "only the structures of the target worker" },
  json: { help: "print JSON instead of tables" },
});
const program = await ourProgram();
const hasTools = await has("iscsi-ls");

await main();

async function main(): Promise<void> {
  const pattern = new RegExp(values.kinds, "i");
  using progress = new Progress();
  const rows = values.structures ? [] : await measureProgram(pattern, progress);
  // The first rounds of a structure are its slowest.
  const structures = await measureStructures(pattern, Number(values.rounds) + 4, progress);
  progress[Symbol.dispose]();
  const missing = hasTools ? [] : ["discovery and login: iscsi-ls and iscsi-inq are not installed"];
  if (values.json) {
    console.log(JSON.stringify({ ours: program.description, rows, structures, missing }, null, 2));
    return;
  }
  if (!values.structures) console.log(formatGrowth(rows, missing));
  console.log(formatStructures(structures));
}

async function measureProgram(pattern: RegExp, progress: Progress): Promise<Growth[]> {
  const folder = await Deno.makeTempDir({ prefix: "iscsi-growth-" });
  const rows: Growth[] = [];
  try {
    const load = await compileC("load", folder);
    for (const kind of KINDS.filter(({ name }) => pattern.test(name))) {
      for (const count of kind.counts) {
        const rounds: Growth[] = [];
        for (let round = 0; round < Number(values.rounds); round++) {
          progress.show(`${count} ${kind.name}`, `round ${round + 1}`);
          rounds.push(await measure(kind, count, { load, storage: join(folder, "storage") }));
        }
        rows.push(leastOf(rounds));
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return rows;
}

function one(): number {
  return 1;
}

function all(count: number): number {
  return count;
}

async function measure(
  kind: Kind,
  count: number,
  { load, storage }: { readonly load: string; readonly storage: string },
): Promise<Growth> {
  const [port, metricsPort] = [getAvailablePort(), getAvailablePort({ preferredPort: 9860 })];
  const conf = `${storage}.conf`;
  const sizes = Array.from({ length: kind.logicalUnits(count) }, () => "1MB").join(" ");
  const targets = Array.from({ length: kind.targets(count) }, (_, index) => `[t${index}]\nsize=${sizes}`);
  await Deno.writeTextFile(conf, confOf(storage, port, [`metrics=${metricsPort}`, ...targets]));
  const command = (name: string) => (): Promise<string> =>
    run(program.command, [...program.prefix, name, "--conf", conf]);
  const check = await timed(command("check"));
  const build = await timed(command("build"));
  const server = await startServer(program, conf);
  try {
    const url = `iscsi://127.0.0.1:${port}`;
    const target = "iqn.2002-08.info.netmanager:t0";
    const discovery = hasTools ? await timed(() => run("iscsi-ls", [url])) : undefined;
    const login = hasTools ? await timed(() => run("iscsi-inq", [`${url}/${target}/0`])) : undefined;
    const status = await timed(command("status"));
    const metrics = await timed(async () => {
      await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    });
    const words = [port, target, 0, "randread", 4096, 4, kind.sessions(count), 1];
    const { operations, seconds } = JSON.parse(await run(load, ["127.0.0.1", ...words.map(String)]));
    return {
      kind: kind.name,
      count,
      milliseconds: { check, build, ready: server.readyMs, discovery, login, status, metrics },
      memoryMebibytes: memoryMebibytes(server.pid, "VmRSS"),
      readsPerSecond: operations / seconds,
    };
  } finally {
    await server.stop();
    await Deno.remove(storage, { recursive: true });
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Returns the least time of each step: all other work of the machine only adds to it. */
function leastOf(rounds: readonly Growth[]): Growth {
  const steps = STEPS.map((step) => {
    const times = rounds.flatMap(({ milliseconds }) => milliseconds[step] ?? []);
    return [step, times.length === 0 ? undefined : Math.min(...times)];
  });
  return {
    ...rounds[0]!,
    milliseconds: Object.fromEntries(steps),
    memoryMebibytes: Math.min(...rounds.map((round) => round.memoryMebibytes)),
    readsPerSecond: Math.max(...rounds.map((round) => round.readsPerSecond)),
  };
}

function formatGrowth(rows: readonly Growth[], missing: readonly string[]): string {
  return [
    `ours   ${program.description}; milliseconds, the least of ${values.rounds} rounds\n`,
    formatTable([
      ["", ...STEPS, "MiB", "4 KiB reads/s"],
      ...rows.map((row) => [
        `${row.count} ${row.kind}`,
        ...STEPS.map((step) => formatFigure(row.milliseconds[step])),
        formatFigure(row.memoryMebibytes),
        formatFigure(row.readsPerSecond),
      ]),
    ]),
    "What one more costs:\n",
    formatTable([["", ...STEPS, "MiB"], ...rows.flatMap((row, index) => formatStep(row, rows[index - 1]))]),
    ...missing.map((line) => `not measured: ${line}\n`),
  ].join("\n");
}

/** Formats the time for each additional target between two rows. */
function formatStep(row: Growth, before: Growth | undefined): string[][] {
  if (before === undefined || before.kind !== row.kind) return [];
  const each = (now: number | undefined, then: number | undefined): string =>
    now === undefined || then === undefined ? "-" : ((now - then) / (row.count - before.count)).toFixed(2);
  return [[
    `${before.count} to ${row.count} ${row.kind}`,
    ...STEPS.map((step) => each(row.milliseconds[step], before.milliseconds[step])),
    each(row.memoryMebibytes, before.memoryMebibytes),
  ]];
}
