/**
 * The states that a crash may leave, from a recording that is cut at a point.
 *
 * The death of the process leaves everything that it did, and of a write under way the first pages. A power cut leaves
 * what is durable and any selection of the rest. Of selections there are far too many: each point gets the most
 * revealing ones, and others at random.
 */
import type { Random } from "../support/seeded_random.ts";
import { Disk, type Tree } from "./_disk.ts";
import { PAGE_BYTES, type Unit } from "./_inode.ts";
import { describeChange, type Operation, type Recording } from "./_operation.ts";

/** The two ways to crash. */
export type CrashKind = "kill" | "power";

/** The disk after a crash. */
export interface CrashState {
  readonly kind: CrashKind;
  /** The time of the cut. */
  readonly time: number;
  readonly tree: Tree;
  /** The disk after the crash. After a power cut all of it is durable. */
  readonly disk: Disk;
  readonly description: string;
}

/** A state that is made when it is its turn. */
export interface CrashPlan {
  readonly kind: CrashKind;
  /** The most revealing states have rank 0. */
  readonly rank: 0 | 1 | 2;
  make(): CrashState;
}

/** Random selections for each point. */
const RANDOM_PER_CUT = 6;
/** Units that are lost alone, and kept alone, for each point. */
const SINGLE_PER_CUT = 8;

/** A point at which a recording is cut. */
interface Cut {
  readonly time: number;
  readonly disk: Disk;
  readonly underWay: readonly Operation[];
  readonly place: string;
}

/** Plans the states of a recording. `before` is the disk when it began. */
export function planCrashes(before: Disk, recording: Recording<unknown>, random: Random): CrashPlan[] {
  const plans: CrashPlan[] = [];
  const operations = recording.operations.toSorted((a, b) => a.end - b.end);
  const times = new Set([0, ...operations.flatMap(({ start, end }) => [start, end]), recording.end]);
  const disk = before.fork();
  let next = 0;
  for (const time of [...times].sort((a, b) => a - b)) {
    for (; next < operations.length && operations[next]!.end <= time; next++) disk.apply(operations[next]!);
    const last = next === 0 ? "nothing" : describeChange(operations[next - 1]!.change);
    const place = `at ${time} of ${recording.end}, after "${last}"`;
    const underWay = operations.slice(next).filter(({ start }) => start <= time);
    const cut = { time, disk: disk.fork(), underWay, place };
    plans.push(...planKills(cut), ...planPowerCuts(cut, random));
  }
  return plans;
}

/** Returns the states after the death of the process: of unfinished work nothing, all, or the first pages of writes. */
function planKills({ time, disk, underWay, place }: Cut): CrashPlan[] {
  const writes = underWay.filter(({ change }) => change.kind === "write");
  const pages =
    Math.max(0, ...writes.map(({ change }) => change.kind === "write" ? change.bytes.length : 0)) /
    PAGE_BYTES;
  const prefixes = [...new Set([1, Math.floor(pages / 2), Math.ceil(pages) - 1])].filter((count) =>
    count > 0
  );
  const variants: { parts: readonly Operation[]; words: string; rank: 0 | 1 }[] = [
    { parts: [], words: "", rank: 0 },
    ...(underWay.length === 0
      ? []
      : [{ parts: underWay, words: ", what was under way was done", rank: 1 as const }]),
    ...(writes.length === 0 ? [] : prefixes.map((count) => ({
      parts: writes.map((write) => firstPages(write, count)),
      words: `, writes under way got to page ${count}`,
      rank: 0 as const,
    }))),
  ];
  return variants.map(({ parts, words, rank }) => ({
    kind: "kill",
    rank,
    make: (): CrashState => {
      const left = disk.fork();
      for (const part of parts) left.apply(part);
      return {
        kind: "kill",
        time,
        tree: left.tree(),
        disk: left.fork(),
        description: `killed ${place}${words}`,
      };
    },
  }));
}

/** Returns a write that was cut off between two pages. */
function firstPages(operation: Operation, pages: number): Operation {
  const { change } = operation;
  if (change.kind !== "write") return operation;
  const length = pages * PAGE_BYTES - change.offset % PAGE_BYTES;
  return { ...operation, change: { ...change, bytes: change.bytes.subarray(0, length) } };
}

/** A selection of what is not durable. */
interface Selection {
  readonly words: string;
  readonly rank: 0 | 1 | 2;
  readonly keeps: (unit: Unit) => boolean;
}

function planPowerCuts({ time, disk, underWay, place }: Cut, random: Random): CrashPlan[] {
  const full = disk.fork();
  for (const operation of underWay) {
    if (operation.change.kind !== "sync" && operation.change.kind !== "syncAll") full.apply(operation);
  }
  return selectionsOf(full.units(), random).map(({ words, rank, keeps }) => ({
    kind: "power",
    rank,
    make: (): CrashState => {
      const tree = full.treeWith(keeps);
      return { kind: "power", time, tree, disk: new Disk(tree), description: `power cut ${place}: ${words}` };
    },
  }));
}

/** Returns the selections to try of the changes that are not durable. */
function selectionsOf(units: readonly Unit[], random: Random): Selection[] {
  const nothing: Selection = { words: "what was not synced is lost", rank: 0, keeps: () => false };
  if (units.length === 0) return [nothing];
  const isName = (unit: Unit): boolean => unit.kind === "names";
  const isPage = (unit: Unit): boolean => unit.kind === "page";
  const selections: Selection[] = [
    nothing,
    { words: "everything is there", rank: 2, keeps: () => true },
    { words: "names are there, content is lost", rank: 1, keeps: isName },
    { words: "names and sizes are there, pages are lost", rank: 1, keeps: (unit) => !isPage(unit) },
    { words: "content is there, names are lost", rank: 1, keeps: (unit) => !isName(unit) },
    ...singles(units, random),
  ];
  for (let count = 0; count < RANDOM_PER_CUT; count++) {
    const kept = new Set(units.filter(() => random.oneIn(2)));
    const words = `${kept.size} of ${units.length} changes are there: ${describeUnits(units, kept)}`;
    selections.push({ words, rank: 2, keeps: (unit) => kept.has(unit) });
  }
  return selections;
}

function singles(units: readonly Unit[], random: Random): Selection[] {
  const chosen = random.shuffled(units).slice(0, SINGLE_PER_CUT);
  return chosen.flatMap((one): Selection[] => [
    { words: `only ${describeUnit(one)} is lost`, rank: 1, keeps: (unit) => unit !== one },
    { words: `only ${describeUnit(one)} is there`, rank: 1, keeps: (unit) => unit === one },
  ]);
}

function describeUnits(units: readonly Unit[], kept: ReadonlySet<Unit>): string {
  const lost = units.filter((unit) => !kept.has(unit));
  const some = lost.slice(0, 6).map(describeUnit).join(", ");
  return lost.length === 0 ? "all" : `without ${some}${lost.length > 6 ? " ..." : ""}`;
}

function describeUnit(unit: Unit): string {
  switch (unit.kind) {
    case "page":
      return `page ${unit.page}`;
    case "size":
      return `size ${unit.sizeBytes}`;
    case "names":
      return unit.names.map(([, name, inode]) => `${inode === undefined ? "-" : "+"}${name}`).join(" ");
  }
}
