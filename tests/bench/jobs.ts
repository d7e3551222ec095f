/** The jobs. Each runs on every side in turn, for several rounds. */

/** A job of `load.c`. */
export interface LoadJob {
  readonly name: string;
  readonly kind: "randread" | "randwrite" | "mix" | "seqread" | "seqwrite" | "flush";
  readonly blockBytes: number;
  /** Commands outstanding on each session. */
  readonly depth: number;
  readonly sessions: number;
  /** Server and initiator share one processor core. */
  readonly pinned?: true;
  /** The file is not in the page cache at the start. */
  readonly cold?: true;
  /** All PDUs have header and data digests. The bound has none to compare with. */
  readonly digests?: true;
  /** Session 0 alone is measured, at its depth of 1, beside another one at this depth. */
  readonly rivalDepth?: number;
  /** The target has no write cache; others than this one are not measured. */
  readonly through?: true;
  /** The least ratios that the project sets itself, against tgt and against the bound. */
  readonly wanted: { readonly tgt?: number; readonly bound?: number };
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const LOAD_JOBS: readonly LoadJob[] = [
  {
    name: "4 KiB random read, QD 32",
    kind: "randread",
    blockBytes: 4 * KIB,
    depth: 32,
    sessions: 1,
    wanted: { tgt: 3.5, bound: 0.65 },
  },
  {
    name: "4 KiB random write, QD 32",
    kind: "randwrite",
    blockBytes: 4 * KIB,
    depth: 32,
    sessions: 1,
    wanted: { tgt: 2.8 },
  },
  {
    name: "4 KiB random write, QD 32, writecache=n",
    kind: "randwrite",
    blockBytes: 4 * KIB,
    depth: 32,
    sessions: 1,
    through: true,
    wanted: {},
  },
  {
    name: "4 KiB 70/30 mix, QD 32",
    kind: "mix",
    blockBytes: 4 * KIB,
    depth: 32,
    sessions: 1,
    wanted: { tgt: 3 },
  },
  {
    name: "256 KiB sequential read, QD 8",
    kind: "seqread",
    blockBytes: 256 * KIB,
    depth: 8,
    sessions: 1,
    wanted: { tgt: 1.6, bound: 0.85 },
  },
  {
    name: "256 KiB sequential read, 2 x QD 8",
    kind: "seqread",
    blockBytes: 256 * KIB,
    depth: 8,
    sessions: 2,
    wanted: { tgt: 1.6, bound: 0.85 },
  },
  {
    name: "256 KiB sequential write, QD 8",
    kind: "seqwrite",
    blockBytes: 256 * KIB,
    depth: 8,
    sessions: 1,
    wanted: { tgt: 2.5 },
  },
  { name: "1 MiB read, QD 4", kind: "seqread", blockBytes: MIB, depth: 4, sessions: 1, wanted: { tgt: 1.5 } },
  {
    name: "1 MiB write, QD 4",
    kind: "seqwrite",
    blockBytes: MIB,
    depth: 4,
    sessions: 1,
    wanted: { tgt: 1.5 },
  },
  {
    name: "4 KiB read, QD 1, one core",
    kind: "randread",
    blockBytes: 4 * KIB,
    depth: 1,
    sessions: 1,
    pinned: true,
    wanted: { tgt: 1 },
  },
  {
    name: "4 KiB random read, 8 x QD 4",
    kind: "randread",
    blockBytes: 4 * KIB,
    depth: 4,
    sessions: 8,
    wanted: { tgt: 3 },
  },
  {
    name: "4 KiB write + flush, 8 x QD 1",
    kind: "flush",
    blockBytes: 4 * KIB,
    depth: 1,
    sessions: 8,
    wanted: { tgt: 2 },
  },
  {
    name: "4 KiB random read, QD 32, digests",
    kind: "randread",
    blockBytes: 4 * KIB,
    depth: 32,
    sessions: 1,
    digests: true,
    wanted: { tgt: 1.5 },
  },
  {
    name: "4 KiB random read, QD 32, cold",
    kind: "randread",
    blockBytes: 4 * KIB,
    depth: 32,
    sessions: 1,
    cold: true,
    wanted: { tgt: 1.4 },
  },
];

/** A job of a tool that this project did not write. */
export interface ToolJob {
  readonly name: string;
  readonly tool: "iscsi-perf" | "qemu-img";
  readonly args: readonly string[];
}

export const TOOL_JOBS: readonly ToolJob[] = [
  { name: "iscsi-perf 4 KiB random, QD 32", tool: "iscsi-perf", args: ["-m", "32", "-b", "8", "-r"] },
  { name: "iscsi-perf 256 KiB, QD 8", tool: "iscsi-perf", args: ["-m", "8", "-b", "512"] },
  {
    name: "qemu-img bench 4 KiB read, QD 32",
    tool: "qemu-img",
    args: ["-c", "100000", "-d", "32", "-s", "4096", "-S", "65536"],
  },
  {
    name: "qemu-img bench 4 KiB write, QD 32",
    tool: "qemu-img",
    args: ["-w", "-c", "100000", "-d", "32", "-s", "4096", "-S", "65536"],
  },
];

/** A session with one command outstanding, alone and beside one with as many as it may have. */
export const FAIRNESS_JOBS = {
  alone: {
    name: "4 KiB random read, QD 1",
    kind: "randread",
    blockBytes: 4 * KIB,
    depth: 1,
    sessions: 1,
    wanted: {},
  },
  beside: {
    name: "4 KiB random read, QD 1 beside QD 128",
    kind: "randread",
    blockBytes: 4 * KIB,
    depth: 1,
    sessions: 2,
    rivalDepth: 128,
    wanted: {},
  },
} as const satisfies Record<string, LoadJob>;

/** As many commands as sessions may have outstanding by default, each as large as initiators send them. */
export const MEMORY_JOBS: readonly LoadJob[] = [
  { name: "1 MiB writes", kind: "seqwrite", blockBytes: MIB, depth: 128, sessions: 32, wanted: {} },
  { name: "1 MiB reads", kind: "seqread", blockBytes: MIB, depth: 128, sessions: 32, wanted: {} },
];
