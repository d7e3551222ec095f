import type { Config } from "../../config/config.ts";
import { Limits } from "../limits.ts";
import { largestGroup, sourceOf } from "./login_eviction.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import { loginRefused } from "../pdu/protocol_error.ts";
import type { Session } from "../session/session.ts";
import type { Target } from "../target.ts";
import type { ConnectionEnds } from "../byte_stream.ts";
import type { SessionIdentity } from "../login/identity.ts";
import type { ServerTotals, SessionCounts } from "./server_totals.ts";

/** The limits of a node's sessions. Those of sessions and connections hold over all workers of a server. */
export interface SessionLimits extends Pick<Config, "sessions" | "connections"> {
  /** The most discovery sessions of this worker. */
  readonly discoverySessions: number;
}

/**
 * All sessions of a node, and their limits. A session is found by its target session identifying handle, its target,
 * its initiator and its I_T nexus without a search, however many there are. Only discovery sessions, which are few, are
 * searched.
 */
export class SessionRegister {
  /** By target session identifying handle, in the order in which they began. */
  readonly #sessions = new Map<number, Session>();
  /** The sessions with each target, by the initiator port of their I_T nexus. */
  readonly #withTarget = new Map<Target, Map<string, Session>>();
  readonly #ofInitiator = new Map<string, Set<Session>>();
  readonly #discoveries = new Set<Session>();
  /** The sessions with targets, and their connections. */
  readonly #counts = { sessions: 0, connections: 0 };
  readonly #totals: ServerTotals;
  #lastTsih = 0;
  /** The limits, which apply from the next login on. */
  limits: SessionLimits;

  constructor(limits: SessionLimits, totals: ServerTotals) {
    this.limits = limits;
    this.#totals = totals;
  }

  /** Returns every session, in the order in which they began. The register may change during the iteration. */
  [Symbol.iterator](): IterableIterator<Session> {
    return [...this.#sessions.values()][Symbol.iterator]();
  }

  get(tsih: number): Session | undefined {
    return this.#sessions.get(tsih);
  }

  has(session: Session): boolean {
    return this.#sessions.get(session.tsih) === session;
  }

  /** Returns the sessions with a target, in the order in which they began. */
  with(target: Target): Session[] {
    return [...this.#withTarget.get(target)?.values() ?? []];
  }

  /** Returns whether there is a session with a target. */
  hasAnyWith(target: Target): boolean {
    return this.#withTarget.has(target);
  }

  /** Returns the sessions of an initiator, by its name, in the order in which they began. */
  of(initiatorName: string): Session[] {
    return [...this.#ofInitiator.get(initiatorName) ?? []];
  }

  /** Adds a session. The one that it reinstates has been removed. */
  add(session: Session): void {
    const { tsih, identity, target, connections } = session;
    this.#sessions.set(tsih, session);
    entryOf(this.#ofInitiator, identity.initiatorName, () => new Set<Session>()).add(session);
    if (target === undefined) return void this.#discoveries.add(session);
    entryOf(this.#withTarget, target, () => new Map<string, Session>()).set(portOf(identity), session);
    this.#counts.sessions++;
    this.#counts.connections += connections.size;
  }

  /** Removes a session. It may still have connections, which count no longer. */
  delete(session: Session): void {
    if (!this.has(session)) return;
    const { tsih, identity, target, connections } = session;
    this.#sessions.delete(tsih);
    this.#totals.freeTsih(tsih);
    removeFrom(this.#ofInitiator, identity.initiatorName, session);
    if (target === undefined) this.#discoveries.delete(session);
    else {
      removeFrom(this.#withTarget, target, portOf(identity));
      this.#counts.sessions--;
      this.#counts.connections -= connections.size;
    }
    this.publish();
  }

  /** Counts connections that have joined a session, or left it. */
  countConnections(session: Session, difference: number): void {
    if (session.target !== undefined && this.has(session)) this.#counts.connections += difference;
    this.publish();
  }

  /** Returns a handle that no session of the server has. */
  newTsih(): number {
    return this.#lastTsih = this.#totals.takeTsih(this.#lastTsih);
  }

  /** Publishes the numbers of sessions and connections, for the limits of the server. */
  publish(): void {
    this.#totals.own = this.#counts;
  }

  /**
   * Returns the session that a new one reinstates: that of the same I_T nexus (4.4.3), which is an initiator port, by
   * name and ISID, with a target. A discovery session is with the target that it names or, when it names none, with its
   * portal (7.4.2).
   */
  predecessorOf(
    identity: SessionIdentity,
    target: Target | undefined,
    { localAddress, localPort }: ConnectionEnds,
  ): Session | undefined {
    if (target !== undefined) return this.#withTarget.get(target)?.get(portOf(identity));
    const { discoveredName } = identity;
    return this.#discoveries.values().find(({ identity: theirs, ends }) =>
      portOf(theirs) === portOf(identity) && theirs.discoveredName === discoveredName &&
      (discoveredName !== undefined || ends.localAddress === localAddress && ends.localPort === localPort)
    );
  }

  /**
   * Returns the discovery session to end when there is no room for another: one that has had enough time, from the
   * source with the most. An initiator that stays thus cannot lock others out, and many that log in at once, such as
   * after a power failure, do not evict one another.
   */
  pickVictim(identity: SessionIdentity, nowMonotonicMs: number): Session | undefined {
    if (identity.targetName !== undefined) return undefined;
    if (this.#discoveries.size < this.limits.discoverySessions) return undefined;
    const done = [...this.#discoveries].filter((session) =>
      nowMonotonicMs - session.beganMonotonicMs >= Limits.discoveryMs
    );
    return largestGroup(Map.groupBy(done, ({ ends }) => sourceOf(ends.peerAddress)))[0];
  }

  /**
   * Checks that a new session is within the limits.
   *
   * @param predecessor the session that the new one reinstates
   * @throws {ProtocolError} of kind `login` when it is not
   */
  checkRoom(identity: SessionIdentity, predecessor: Session | undefined): void {
    if (identity.targetName === undefined) {
      const count = this.#discoveries.size - (predecessor === undefined ? 0 : 1);
      return check(identity, "discovery sessions", count, this.limits.discoverySessions);
    }
    const { sessions, connections } = this.#counts;
    const present = predecessor === undefined
      ? this.#counts
      : { sessions: sessions - 1, connections: connections - predecessor.connections.size };
    this.#checkTotals(identity, present, { sessions: 1, connections: 1 });
  }

  /**
   * Checks that a new session may begin beside the ended sessions at its target whose work on a medium is not done. The
   * limit of sessions applies to these, too.
   *
   * @throws {ProtocolError} of kind `login` when it may not
   */
  checkLingering(identity: SessionIdentity, lingeringCount: number): void {
    const what = "ended sessions whose work on a disk is not done";
    check(identity, what, lingeringCount, this.limits.sessions);
  }

  /**
   * Checks that one more connection is within the limits.
   *
   * @throws {ProtocolError} of kind `login` when it is not
   */
  checkRoomToJoin(identity: SessionIdentity): void {
    this.#checkTotals(identity, this.#counts, { sessions: 0, connections: 1 });
  }

  /**
   * Checks that the sessions of this worker, the other workers' and the new ones are within the limits. The new ones
   * are counted before the others are read: of two workers that admit the last one at the same time, none exceeds.
   */
  #checkTotals(identity: SessionIdentity, own: SessionCounts, added: SessionCounts): void {
    this.#totals.own = {
      sessions: own.sessions + added.sessions,
      connections: own.connections + added.connections,
    };
    const { sessions, connections } = this.#totals.others;
    try {
      if (added.sessions > 0) check(identity, "sessions", own.sessions + sessions, this.limits.sessions);
      check(identity, "connections", own.connections + connections, this.limits.connections);
    } catch (error) {
      this.publish();
      throw error;
    }
  }
}

/** Returns the initiator port of a session as a key. */
function portOf({ isid, initiatorName }: SessionIdentity): string {
  return `${isid} ${initiatorName}`;
}

/** Returns the entry of a key, which is made if there is none. */
function entryOf<Key, Entry>(entries: Map<Key, Entry>, key: Key, make: () => Entry): Entry {
  const known = entries.get(key);
  if (known !== undefined) return known;
  const entry = make();
  entries.set(key, entry);
  return entry;
}

/** Removes a member of an entry, and the entry with its last one. */
function removeFrom<Key, Member>(
  entries: Map<Key, { readonly size: number; delete(member: Member): boolean }>,
  key: Key,
  member: Member,
): void {
  const entry = entries.get(key);
  entry?.delete(member);
  if (entry?.size === 0) entries.delete(key);
}

function check({ initiatorName }: SessionIdentity, what: string, count: number, limit: number): void {
  if (count < limit) return;
  const rule = `the limit of ${limit} ${what} is reached`;
  throw loginRefused(LoginStatus.outOfResources, initiatorName, { reason: "limit", rule });
}
