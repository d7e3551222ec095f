/** The jobs of `deno task discard`: commands that give space back. */

/** A job of `load.c` that gives space back, and of which it sends so many commands. */
export interface DiscardJob {
  readonly name: string;
  readonly kind: "unmap" | "same" | "sameunmap" | "sanitize";
  readonly extentBytes: number;
  /** The extents of a command. */
  readonly descriptors: number;
  /** Commands outstanding. */
  readonly depth: number;
  readonly commands: number;
  /** All blocks are written before each round; else none is mapped. */
  readonly isMapped: boolean;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** The size of the LUN whose space is given back. */
export const DISCARD_LUN_BYTES = GIB;

/** The longest WRITE SAME that this target announces. */
const WRITE_SAME_BYTES = 16 * MIB;

/**
 * Extents and their number in a command, with the commands of a round on mapped and on unmapped blocks. Initiators cut
 * larger commands, because this target announces 512 MiB of all descriptors (MAXIMUM UNMAP LBA COUNT).
 */
const STREAMS: readonly (readonly [string, number, number, number, number])[] = [
  ["4 KiB", 4 * KIB, 1, 1_500, 8_000],
  ["4 KiB", 4 * KIB, 16, 200, 4_000],
  ["4 KiB", 4 * KIB, 1024, 8, 200],
  ["64 KiB", 64 * KIB, 1, 1_000, 8_000],
  ["64 KiB", 64 * KIB, 16, 100, 4_000],
  ["64 KiB", 64 * KIB, 1024, 4, 200],
  ["1 MiB", MIB, 1, 400, 8_000],
  ["1 MiB", MIB, 16, 30, 4_000],
  ["1 MiB", MIB, 512, 1, 200],
  ["512 MiB", GIB / 2, 1, 1, 4_000],
];

function streamJobs(depth: number): DiscardJob[] {
  return [true, false].flatMap((isMapped) =>
    STREAMS.map(([size, extentBytes, descriptors, mapped, unmapped]) => ({
      name: `unmap ${descriptors} x ${size}, QD ${depth}${isMapped ? "" : ", unmapped"}`,
      kind: "unmap" as const,
      ...{ extentBytes, descriptors, depth, isMapped },
      commands: isMapped ? mapped : unmapped,
    }))
  );
}

const SAME = {
  extentBytes: WRITE_SAME_BYTES,
  descriptors: 1,
  depth: 4,
  commands: GIB / WRITE_SAME_BYTES,
  isMapped: true,
} as const;

/** Returns the bytes at the start of the LUN that a job gives back, with the gaps between its extents. */
export function spanOf({ kind, extentBytes, descriptors, commands }: DiscardJob): number {
  const gap = kind === "unmap" ? 2 : 1;
  return Math.min(gap * extentBytes * descriptors * commands, DISCARD_LUN_BYTES);
}

/** The jobs, in the order of the table. */
export const DISCARD_JOBS: readonly DiscardJob[] = [
  ...streamJobs(1),
  ...streamJobs(4).filter(({ descriptors }) => descriptors === 1),
  { name: "WRITE SAME, UNMAP bit, 1 GiB of zeros", kind: "sameunmap", ...SAME },
  { name: "WRITE SAME, 1 GiB of zeros", kind: "same", ...SAME },
  {
    name: "SANITIZE (block erase), 1 GiB",
    kind: "sanitize",
    ...{ extentBytes: DISCARD_LUN_BYTES, descriptors: 1, depth: 1, commands: 1, isMapped: true },
  },
];
