/**
 * `deno task growth [--json]`
 *
 * How cost grows with the number of targets, of LUNs of one target, and of sessions: for each of them the time that
 * `check`, `build`, the start to `ready`, a discovery and a login take. Nothing should grow faster than its input: the
 * last column divides the growth of the row's slowest step, over the row before, by the growth of the input.
 */
import { parseArgs } from "@std/cli/parse-args";
import { getAvailablePort } from "@std/net";
import { join } from "@std/path";
import { compileC, has, ourCommand, run } from "./sides.ts";

const SIZES = {
  targets: [1, 10, 100, 1_000],
  LUNs: [1, 16, 256],
  sessions: [1, 8, 32],
} as const;

type Kind = keyof typeof SIZES;

/** Milliseconds of each step; undefined for one that could not be measured. */
interface Growth {
  readonly kind: Kind;
  readonly count: number;
  readonly checkMs: number;
  readonly buildMs: number;
  readonly readyMs: number;
  readonly discoveryMs: number | undefined;
  readonly loginMs: number | undefined;
  /** 4 KiB random reads, depth 4 on each session. */
  readonly readsPerSecond: number;
}

const STEPS = ["checkMs", "buildMs", "readyMs", "discoveryMs", "loginMs"] as const;

const args = parseArgs(Deno.args, { boolean: ["json"] });
const { command, prefix, description } = await ourCommand();
const hasTools = await has("iscsi-ls");

await main();

async function main(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "iscsi-growth-" });
  const rows: Growth[] = [];
  try {
    const load = await compileC("load", folder);
    for (const kind of Object.keys(SIZES) as Kind[]) {
      for (const count of SIZES[kind]) rows.push(await measure(kind, count, load, folder));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  report(rows);
}

async function measure(kind: Kind, count: number, load: string, folder: string): Promise<Growth> {
  const storage = join(folder, `${kind}-${count}`);
  const port = getAvailablePort();
  const conf = `${storage}.conf`;
  await Deno.writeTextFile(conf, confOf(kind, count, storage, port));
  const checkMs = await timed(() => run(command, [...prefix, "check", "--conf", conf]));
  const buildMs = await timed(() => run(command, [...prefix, "build", "--conf", conf]));
  const began = performance.now();
  const server = new Deno.Command(command, {
    args: [...prefix, "serve", "--conf", conf],
    stdout: "piped",
    stderr: "null",
  }).spawn();
  try {
    await untilReady(server.stdout);
    const readyMs = performance.now() - began;
    const url = `iscsi://127.0.0.1:${port}`;
    const [discoveryMs, loginMs] = hasTools
      ? [
        await timed(() => run("iscsi-ls", [url])),
        await timed(() => run("iscsi-inq", [`${url}/iqn.2002-08.info.netmanager:t0/0`])),
      ]
      : [undefined, undefined];
    const sessions = kind === "sessions" ? count : 1;
    const output = await run(load, [
      ...["127.0.0.1", String(port), "iqn.2002-08.info.netmanager:t0", "0"],
      ...["randread", "4096", "4", String(sessions), "1"],
    ]);
    const { operations, seconds } = JSON.parse(output);
    return {
      ...{ kind, count, checkMs, buildMs, readyMs, discoveryMs, loginMs },
      readsPerSecond: operations / seconds,
    };
  } finally {
    server.kill("SIGTERM");
    await server.status;
  }
}

function confOf(kind: Kind, count: number, storage: string, port: number): string {
  const globals = [
    `storage=${storage}`,
    `port=${port}`,
    "sessions=64",
    "connections=64",
    "networks=127.0.0.0/8",
  ];
  const targets = kind === "targets" ? count : 1;
  const size = Array.from({ length: kind === "LUNs" ? count : 1 }, () => "1MB").join(" ");
  return [
    ...globals,
    ...Array.from({ length: targets }, (_, index) => `[t${index}]\nsize=${size}`),
    "",
  ].join("\n");
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Reads the server's output until it says that it is ready, and lets the rest go. */
async function untilReady(output: ReadableStream<Uint8Array>): Promise<void> {
  let text = "";
  for await (const chunk of output.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("ready\n")) return;
  }
  throw new Error(`The server ended before it was ready: ${text}`);
}

/** How much faster than the input the slowest step of a row has grown; undefined for the first row of a kind. */
function excess(row: Growth, before: Growth | undefined): number | undefined {
  if (before === undefined || before.kind !== row.kind) return undefined;
  const growths = STEPS.map((step) => (row[step] ?? 0) / (before[step] ?? 1));
  return Math.max(...growths) / (row.count / before.count);
}

function report(rows: readonly Growth[]): void {
  const missing = hasTools ? [] : ["discovery and login: iscsi-ls and iscsi-inq are not installed"];
  if (args.json) return console.log(JSON.stringify({ ours: description, rows, missing }, null, 2));
  console.log(`ours   ${description}; milliseconds, each step once\n`);
  const header = ["", "check", "build", "ready", "discovery", "login", "4 KiB reads/s", "growth/input"];
  const table = [
    header,
    ...rows.map((row, index) => [
      `${row.count} ${row.kind}`,
      ...STEPS.map((step) => row[step]?.toFixed(0) ?? "-"),
      row.readsPerSecond.toFixed(0),
      excess(row, rows[index - 1])?.toFixed(2) ?? "",
    ]),
  ];
  for (const line of table) console.log(line.map((cell) => cell.padStart(14)).join(""));
  for (const line of missing) console.log(`not measured: ${line}`);
}
