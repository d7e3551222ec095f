import { totalTraffic, Traffic } from "../../scsi/counters/traffic.ts";
import { Limits } from "../limits.ts";
import type { InitiatorSnapshot } from "./node_snapshot.ts";
import type { Session } from "../session/session.ts";

/** An initiator and a target, and what the one has done at the other in sessions that are over. */
interface Relation {
  readonly initiatorName: string;
  readonly targetName: string;
  readonly past: Traffic;
}

/**
 * What initiators have done over all their sessions. Initiators come and go, and choose their names themselves: those
 * who have been gone longest are forgotten when there are many.
 */
export class InitiatorTraffic {
  /** By both names; those whose session ended last stand last. */
  readonly #past = new Map<string, Relation>();

  /** A session is over. */
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

  /** What all have done who are there, or are gone and not forgotten. */
  snapshot(sessions: readonly Session[]): InitiatorSnapshot[] {
    const relations = new Map(this.#past);
    const present = new Map<string, Session[]>();
    for (const session of sessions) {
      const relation = relationOf(session);
      if (relation === undefined) continue;
      const key = keyOf(relation);
      if (!relations.has(key)) relations.set(key, relation);
      present.set(key, [...present.get(key) ?? [], session]);
    }
    return [...relations].map(([key, { initiatorName, targetName, past }]) => {
      const own = present.get(key) ?? [];
      const traffic = totalTraffic([past, ...own.map(({ nexus }) => nexus!.traffic())]).figures();
      return { initiatorName, targetName, sessions: own.length, traffic };
    });
  }
}

/** Whom a session concerns; undefined for a discovery session. */
function relationOf({ identity: { initiatorName }, target }: Session): Relation | undefined {
  if (target === undefined) return undefined;
  return { initiatorName, targetName: target.config.iscsiName, past: new Traffic() };
}

function keyOf({ initiatorName, targetName }: Relation): string {
  return `${initiatorName} ${targetName}`;
}
