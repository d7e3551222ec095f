import { foldIscsiName } from "../config/iscsi_name.ts";
import { nearestWord } from "../config/nearest_word.ts";
import type { RefusalReason } from "../iscsi/events/refusal_reason.ts";
import { printable } from "./show_text.ts";
import type { RefusalsReport, StatusReport } from "./status_report.ts";

/** Reduces a report to one target, by its name in the conf or in full; returns the error for an unknown one. */
export function selectTarget(
  report: StatusReport,
  name: string,
): { readonly report: StatusReport } | { readonly problem: string } {
  const { targets, fileSystems, sessions, refusals } = report;
  const folded = foldIscsiName(name);
  const target = targets.find((target) => target.name === name.toLowerCase() || target.iscsiName === folded);
  if (target === undefined) return { problem: describeUnknown(name, report) };
  return {
    report: {
      ...report,
      targets: [target],
      fileSystems,
      sessions: sessions.filter(({ targetName }) => targetName === target.iscsiName),
      refusals: refusals === null ? null : refusalsOf(target.iscsiName, refusals),
    },
  };
}

function describeUnknown(name: string, { targets, server }: StatusReport): string {
  if (server?.limits === null) return "The target worker is starting; run it again";
  const absent = server?.workers.find(({ state }) => state !== "running");
  const names = targets.map((target) => target.name);
  const nearest = nearestWord(name, [...names, ...targets.map(({ iscsiName }) => iscsiName)]);
  const where = server === null ? "in the conf" : "in the running server";
  const remedy = nearest !== undefined
    ? `: did you mean "${nearest}"?`
    : names.length === 0
    ? ""
    : `; it is one of: ${names.join(", ")}`;
  // Its targets are not known meanwhile.
  const doubt = absent === undefined ? "" : `; the worker of port ${absent.port} is ${absent.state}`;
  return `No target "${printable(name)}" ${where}${remedy}${doubt}`;
}

/** Reduces refusals to a target; only the recent ones are known by target. */
function refusalsOf(targetName: string, { totals, recent }: RefusalsReport): RefusalsReport {
  const own = recent.filter((refusal) => refusal.targetName === targetName);
  const counts = Object.keys(totals).map((reason) => [
    reason,
    own.filter((refusal) => refusal.reason === reason).reduce((sum, { count }) => sum + count, 0),
  ]);
  return { totals: Object.fromEntries(counts) as Record<RefusalReason, number>, recent: own };
}
