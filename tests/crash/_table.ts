/** The result of an exploration, as text. */
import { formatTable } from "../bench/table.ts";
import type { Exploration, Violation } from "./_explore.ts";

const COLUMNS = [
  "workload",
  "operations",
  "states",
  "killed",
  "power cut",
  "second crash",
  "violations",
] as const;

/** Returns a table with a line for each workload, and their sum. */
export function formatExplorations(explorations: ReadonlyMap<string, Exploration>): string {
  const rows = [...explorations].map(([name, { operations, planned, tried, violations }]) => ({
    name,
    figures: [
      ...[operations, planned, tried.kill, tried.power, tried.second, tried.programs],
      violations.length,
    ],
  }));
  const sum = rows[0]?.figures.map((_, column) =>
    rows.reduce((total, { figures }) => total + figures[column]!, 0)
  );
  const lines = [...rows, { name: "all", figures: sum ?? [] }];
  return formatTable([COLUMNS, ...lines.map(({ name, figures }) => [name, ...figures.map(String)])]);
}

/** Returns the kinds of violations: how often each was found, and the first of each with the crashes that led there. */
export function formatViolations(violations: readonly Violation[]): string {
  const kinds = new Map<string, Violation[]>();
  for (const violation of violations) {
    const kind = violation.fault.replace(/"[^"]*"|[0-9a-f]{4,}|\d+/g, "N").replace(
      /(?: or (?:write )?N)+/g,
      "",
    );
    kinds.set(kind, [...kinds.get(kind) ?? [], violation]);
  }
  return [...kinds.values()].map((all) => {
    const [{ fault, description }] = all as [Violation];
    const crashes = description.split("; ").map((part) => `    ${part}\n`).join("");
    return `  ${fault} (${all.length} states, the first:)\n${crashes}`;
  }).join("");
}
