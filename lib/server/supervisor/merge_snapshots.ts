/** One view of what several target workers serve. */
import type { Config } from "../../config/config.ts";
import type { ServedSnapshot } from "../../control/unit_problem.ts";
import type { InitiatorSnapshot } from "../../iscsi/node/node_snapshot.ts";
import type { RefusalFigures } from "../../iscsi/node/refusals.ts";
import { totalFigures } from "../../scsi/counters/traffic.ts";
import { Limits } from "../../iscsi/limits.ts";

/** The state of a target worker. */
export interface PortSnapshot {
  /** The port of its targets. */
  readonly port: number;
  readonly snapshot: ServedSnapshot;
}

/**
 * Returns the state of a server from that of its workers, at least one. A target that moves between two of them is
 * listed as the one that the conf names has it.
 */
export function mergeSnapshots(workers: readonly PortSnapshot[], { targets }: Config): ServedSnapshot {
  const snapshots = workers.map(({ snapshot }) => snapshot);
  const first = snapshots[0]!;
  if (snapshots.length === 1) return first;
  const order = new Map(targets.map(({ iscsiName }, index) => [iscsiName, index]));
  const ports = new Map(targets.map(({ iscsiName, port }) => [iscsiName, port]));
  const portsByName = new Map(targets.map(({ name, port }) => [name, port]));
  const placeOf = ({ iscsiName }: { iscsiName: string }): number => order.get(iscsiName) ?? order.size;
  return {
    sessions: snapshots.flatMap(({ sessions }) => sessions).toSorted((a, b) => a.beganAtMs - b.beganAtMs),
    targets: workers.flatMap(({ port, snapshot: { targets } }) =>
      targets.filter(({ iscsiName }) => (ports.get(iscsiName) ?? port) === port)
    ).toSorted((a, b) => placeOf(a) - placeOf(b)),
    initiators: mergeInitiators(snapshots.flatMap(({ initiators }) => initiators)),
    connectionsInLogin: sumOf(snapshots.map(({ connectionsInLogin }) => connectionsInLogin)),
    limits: first.limits,
    refusals: mergeRefusals(snapshots.map(({ refusals }) => refusals)),
    problems: workers.flatMap(({ port, snapshot: { problems } }) =>
      problems.filter(({ target }) => (portsByName.get(target) ?? port) === port)
    ),
  };
}

/** Adds the traffic of an initiator at a target that has moved: the worker that served it before counts it, too. */
function mergeInitiators(initiators: readonly InitiatorSnapshot[]): InitiatorSnapshot[] {
  const relations = Map.groupBy(
    initiators,
    ({ initiatorName, targetName }) => `${initiatorName} ${targetName}`,
  );
  return [...relations.values()].map((relation) => ({
    ...relation[0]!,
    sessions: sumOf(relation.map(({ sessions }) => sessions)),
    traffic: totalFigures(relation.map(({ traffic }) => traffic)),
  }));
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
