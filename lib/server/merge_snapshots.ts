/** One view of what several target workers serve. */
import type { Config } from "../config/config.ts";
import type { ServedSnapshot } from "../control/unit_problem.ts";
import type { RefusalFigures } from "../iscsi/node/refusals.ts";
import { Limits } from "../iscsi/limits.ts";

/** Returns the state of a server from that of its workers, at least one. */
export function mergeSnapshots(snapshots: readonly ServedSnapshot[], { targets }: Config): ServedSnapshot {
  const first = snapshots[0]!;
  if (snapshots.length === 1) return first;
  const order = new Map(targets.map(({ iscsiName }, index) => [iscsiName, index]));
  const placeOf = ({ iscsiName }: { iscsiName: string }): number => order.get(iscsiName) ?? order.size;
  return {
    sessions: snapshots.flatMap(({ sessions }) => sessions).toSorted((a, b) => a.beganAtMs - b.beganAtMs),
    targets: snapshots.flatMap(({ targets }) => targets).toSorted((a, b) => placeOf(a) - placeOf(b)),
    initiators: snapshots.flatMap(({ initiators }) => initiators),
    connectionsInLogin: sumOf(snapshots.map(({ connectionsInLogin }) => connectionsInLogin)),
    limits: first.limits,
    refusals: mergeRefusals(snapshots.map(({ refusals }) => refusals)),
    problems: snapshots.flatMap(({ problems }) => problems),
  };
}

function mergeRefusals(figures: readonly RefusalFigures[]): RefusalFigures {
  const reasons = Object.keys(figures[0]!.totals) as (keyof RefusalFigures["totals"])[];
  const totals = reasons.map((reason) => [reason, sumOf(figures.map(({ totals }) => totals[reason]))]);
  const recent = figures.flatMap(({ recent }) => recent).toSorted((a, b) => b.lastAtMs - a.lastAtMs);
  return { totals: Object.fromEntries(totals), recent: recent.slice(0, Limits.recentRefusals) };
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, count) => sum + count, 0);
}
