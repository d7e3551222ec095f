import { totalTraffic, Traffic } from "../../scsi/counters/traffic.ts";
import { Limits } from "../limits.ts";
import type { InitiatorSnapshot } from "./node_snapshot.ts";
import type { Session } from "../session/session.ts";

/** The traffic of an initiator at a target, in sessions that have ended. */
interface Relation {
  readonly initiatorName: string;
  readonly targetName: string;
  readonly past: Traffic;
}

/**
 * Totals for current initiators and the most recent past ones. Their number is bounded, because initiators choose their
 * names.
 */
export class InitiatorTraffic {
  /** By both names; the last session to end is last. */
  readonly #past = new Map<string, Relation>();

  /** Adds the traffic of a session that has ended. */
  add(session: Session): void {
    const relation = relationOf(session);
    if (relation === undefined) return;
    const key = keyOf(relation);
    const known = this.#past.get(key) ?? relation;
    known.past.add(session.nexus!.traffic());
    this.#past.delete(key);
    this.#past.set(key, known);
    const [oldest] = this.#past.keys();
    if (this.#past.size > Limits.pastInitiators) this.#past.delete(oldest!);
  }

  /** Returns the totals, given the sessions that exist now. */
  snapshot(sessions: Iterable<Session>): InitiatorSnapshot[] {
    const relations = new Map(this.#past);
    const present = new Map<string, Session[]>();
    for (const session of sessions) {
      const relation = relationOf(session);
      if (relation === undefined) continue;
      const key = keyOf(relation);
      if (!relations.has(key)) relations.set(key, relation);
      const others = present.get(key);
      if (others === undefined) present.set(key, [session]);
      else others.push(session);
    }
    return [...relations].map(([key, { initiatorName, targetName, past }]) => {
      const own = present.get(key) ?? [];
      const traffic = totalTraffic([past, ...own.map(({ nexus }) => nexus!.traffic())]).figures();
      return { initiatorName, targetName, sessions: own.length, traffic };
    });
  }
}

/** Returns the initiator and the target of a session, or undefined for a discovery session. */
function relationOf({ identity: { initiatorName }, target }: Session): Relation | undefined {
  if (target === undefined) return undefined;
  return { initiatorName, targetName: target.config.iscsiName, past: new Traffic() };
}

function keyOf({ initiatorName, targetName }: Relation): string {
  return `${initiatorName} ${targetName}`;
}
