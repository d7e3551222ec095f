/** A soak: eight initiators use a server for a long time, while an operator changes the conf. */
import { Counter } from "../crash/_world.ts";
import { Random } from "../support/seeded_random.ts";
import { freePort, runIscsi, ServerProcess } from "../support/server_process.ts";
import { findMissing } from "../support/tools.ts";
import { findTrend, type MemoryTrend, type Sample } from "./_memory.ts";
import { convertUntilOver, inquireUntilOver, operateUntilOver } from "./_others.ts";
import { Tally } from "./_tally.ts";
import { workUntilOver } from "./_worker.ts";

const WORKERS = 6;
const AREA_BLOCKS = 4096;

/** LUN 0 is the workers', LUN 1 is QEMU's. */
const DISK = ["[disk]", `size=${WORKERS * AREA_BLOCKS * 512} 4MB`];
const DISK_URL = "iqn.2002-08.info.netmanager:disk";

const SAMPLE_MS = 1000;

/** Shortest soak whose memory is judged: below this a trend is meaningless. */
export const JUDGED_SECONDS_MIN = 600;

/** The extent of a soak. */
export interface SoakOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly pauseMs: number;
  /** A folder of its own, by its real path. */
  readonly folder: string;
  /** Called with each sample of the server's memory. */
  readonly onSample?: (sample: Sample, tally: Tally) => void;
}

/** The outcome of a soak. */
export interface SoakReport {
  readonly tally: Tally;
  readonly samples: readonly Sample[];
  readonly trend: MemoryTrend | undefined;
  /** The server's log. */
  readonly log: string;
}

/** Returns why QEMU and libiscsi's tools cannot take part; undefined when they can. */
export function whyNoTools(): string | undefined {
  return findMissing(["qemu-img", "block-iscsi.so", "iscsi-ls", "iscsi-inq", "iscsi-readcapacity16"]);
}

/** Soaks a server, until the end or the first failure. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { folder, onSample } = options;
  const tally = new Tally();
  const samples: Sample[] = [];
  const port = freePort();
  const confPath = `${folder}/iscsi.conf`;
  function writeConf(lines: readonly string[]): void {
    const globals = [`storage=${folder}/storage`, `port=${port}`, "networks=127.0.0.0/8"];
    const limits = ["sessions=64", "connections=64"];
    Deno.writeTextFileSync(confPath, [...globals, ...limits, ...lines, ""].join("\n"));
  }
  writeConf(DISK);
  const { code, stderr } = await runIscsi(["build", "--conf", confPath]);
  if (code !== 0) throw new Error(`iscsi build: ${stderr}`);
  const server = await ServerProcess.start(confPath);
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  const timer = setInterval(() => {
    const sample = { seconds: seconds(), mebibytes: server.residentBytes() / 1024 ** 2 };
    samples.push(sample);
    onSample?.(sample, tally);
  }, SAMPLE_MS);
  try {
    const isOver = (): boolean => tally.errors.length > 0 || seconds() >= options.seconds;
    await everyone({ ...options, port, confPath, writeConf, tally, isOver });
  } finally {
    clearInterval(timer);
    const end = await server.stop();
    if (end.code !== 0) tally.errors.push(`The server ended with code ${end.code}, signal ${end.signal}`);
    const faults = server.stderr.split("\n").filter((line) => /(?:^|\s)error\b/i.test(line));
    tally.errors.push(...faults.slice(0, 10).map((line) => `in the server's log: ${line}`));
  }
  return { tally, samples, trend: judge(findTrend(samples), seconds(), tally), log: server.stderr };
}

interface Everyone extends SoakOptions {
  readonly port: number;
  readonly confPath: string;
  readonly writeConf: (lines: readonly string[]) => void;
  readonly tally: Tally;
  readonly isOver: () => boolean;
}

/** Lets everyone work; the first error of anyone ends it for all. */
async function everyone(options: Everyone): Promise<void> {
  const { port, tally } = options;
  const random = new Random(options.seed);
  const ids = new Counter();
  const portal = `iscsi://127.0.0.1:${port}`;
  const hasTools = whyNoTools() === undefined;
  const work = [
    ...Array.from({ length: WORKERS }, (_, number) => {
      const area = { first: number * AREA_BLOCKS, blocks: AREA_BLOCKS };
      const worker = { ...options, number, area, ids, seed: random.uint32() };
      return { name: `worker ${number}`, run: (): Promise<void> => workUntilOver(worker) };
    }),
    { name: "QEMU", run: async () => hasTools && await convertUntilOver(`${portal}/${DISK_URL}/1`, options) },
    {
      name: "libiscsi",
      run: async () => hasTools && await inquireUntilOver(portal, `${portal}/${DISK_URL}/0`, options),
    },
    { name: "operator", run: () => operateUntilOver(options.confPath, options.writeConf, DISK, options) },
  ];
  await Promise.all(work.map(async ({ name, run }) => {
    try {
      await run();
    } catch (error) {
      tally.errors.push(`${name}: ${error instanceof Error ? error.message : error}`);
    }
  }));
}

/** Counts growth as an error, in a run that is long enough to judge. */
function judge(trend: MemoryTrend | undefined, seconds: number, tally: Tally): MemoryTrend | undefined {
  if (trend !== undefined && !trend.isFlat && seconds >= JUDGED_SECONDS_MIN) {
    tally.errors.push(`memory grows by ${trend.mebibytesPerHour.toFixed(1)} MiB an hour`);
  }
  return trend;
}
