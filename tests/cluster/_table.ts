/** The table of a run. */
import type { ScenarioReport } from "./_campaign.ts";

const COLUMNS = ["scenario", "runs", "pause p50", "pause max", "lost", "duplicated", "torn", "verdict"];

/** Returns the value below which half of the values are; NaN of none. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? NaN;
}

/** Returns a row for each scenario. */
export function formatTable(reports: readonly ScenarioReport[]): string {
  const rows = reports.map((report) => [
    report.scenario,
    `${report.passed + report.failed}`,
    formatSeconds(median(report.pausesMs)),
    formatSeconds(report.pausesMs.length === 0 ? NaN : Math.max(...report.pausesMs)),
    `${report.lost}`,
    `${report.duplicated}`,
    `${report.torn}`,
    report.failed > 0 ? "FAILED" : "ok",
  ]);
  const all = [COLUMNS, ...rows];
  const widths = COLUMNS.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd()}\n`)
    .join("");
}

function formatSeconds(milliseconds: number): string {
  return Number.isNaN(milliseconds) ? "-" : `${(milliseconds / 1000).toFixed(1)} s`;
}
