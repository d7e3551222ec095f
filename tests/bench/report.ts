/** The results of a run of the benchmark, as tables. */
import type { Figure } from "./figures.ts";
import type { Result } from "./run_job.ts";
import { formatFigure, formatTable } from "./table.ts";

/** The result of a job: the median round of each side. */
export interface Row {
  readonly job: string;
  readonly wanted: { readonly tgt?: number; readonly bound?: number };
  readonly sides: Readonly<Record<string, Result>>;
}

/** A run of the benchmark. */
export interface Report {
  readonly sides: readonly { readonly name: string; readonly description: string }[];
  readonly rounds: number;
  readonly seconds: number;
  readonly rows: readonly Row[];
  readonly figures: readonly Figure[];
  /** The measurements that failed, with their reasons. */
  readonly missing: readonly string[];
}

/** Formats a run. */
export function formatReport({ sides, rounds, seconds, rows, figures, missing }: Report): string {
  const parts = [
    sides.map(({ name, description }) => `${name.padEnd(10)} ${description}\n`).join("") +
    `${rounds} rounds of ${seconds} s; the median round of each side\n`,
  ];
  if (rows.length > 0) parts.push(formatTable([ROW_HEADER, ...rows.map(rowCells)]));
  const bounded = rows.filter((row) => BOUNDS.some((name) => row.sides[name] !== undefined));
  if (bounded.length > 0) parts.push(formatTable([BOUND_HEADER, ...bounded.map(boundCells)]));
  const compiled = rows.filter((row) => row.sides["binary"] !== undefined);
  if (compiled.length > 0) parts.push(formatTable([BINARY_HEADER, ...compiled.map(binaryCells)]));
  if (figures.length > 0) parts.push(formatTable([FIGURE_HEADER, ...figures.map(figureCells)]));
  if (missing.length > 0) parts.push(missing.map((line) => `not measured: ${line}\n`).join(""));
  return parts.join("\n");
}

const ROW_HEADER = [
  ...["job", "ours/s", "tgt/s", "bound/s", "x tgt", "want", "x bound", "want"],
  ...["us CPU", "tgt", "p50/p99 us", "tgt"],
];

/** Sides that do the least with a file. */
const BOUNDS = ["boundC", "boundDeno"] as const;

const BOUND_HEADER = ["job", "ours/s", "C/s", "Deno/s", "x C", "x Deno", "us CPU", "C", "Deno", "tgt x C"];

function boundCells({ job, sides }: Row): string[] {
  const { ours, tgt, boundC, boundDeno } = sides;
  return [
    job,
    ...[ours, boundC, boundDeno].map((result) => formatFigure(result?.operationsPerSecond)),
    ...[ratioOf(ours, boundC), ratioOf(ours, boundDeno)],
    ...[ours, boundC, boundDeno].map((result) => formatFigure(result?.serverCpuUs, 1)),
    ratioOf(tgt, boundC),
  ];
}

const BINARY_HEADER = ["job", "source/s", "compiled/s", "x source", "us CPU", "compiled"];

function binaryCells({ job, sides: { ours, binary } }: Row): string[] {
  return [
    job,
    ...[ours, binary].map((result) => formatFigure(result?.operationsPerSecond)),
    ratioOf(binary, ours),
    ...[ours, binary].map((result) => formatFigure(result?.serverCpuUs, 1)),
  ];
}

function ratioOf(result: Result | undefined, other: Result | undefined): string {
  return formatFigure(result && other && result.operationsPerSecond / other.operationsPerSecond, 2);
}

function rowCells({ job, wanted, sides }: Row): string[] {
  const { ours, tgt, bound } = sides;
  const ratio = (other: Result | undefined): string => ratioOf(ours, other);
  const latency = (result: Result | undefined): string =>
    result?.p50Us === undefined ? "-" : `${result.p50Us}/${result.p99Us}`;
  return [
    job,
    ...[ours, tgt, bound].map((result) => formatFigure(result?.operationsPerSecond)),
    ...[ratio(tgt), wanted.tgt?.toFixed(2) ?? "", ratio(bound), wanted.bound?.toFixed(2) ?? ""],
    ...[ours, tgt].map((result) => formatFigure(result?.serverCpuUs, 1)),
    ...[ours, tgt].map(latency),
  ];
}

const FIGURE_HEADER = ["figure", "unit", "ours", "at most", "tgt", "bound"];

function figureCells({ name, unit, wanted, sides: { ours, tgt, bound } }: Figure): string[] {
  const digits = unit === "x" ? 2 : 0;
  const [own, ...others] = [ours, tgt, bound].map((figure) => formatFigure(figure, digits));
  return [name, unit, own!, String(wanted), ...others];
}
