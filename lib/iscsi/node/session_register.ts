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

/** All sessions of a node, by target session identifying handle, and their limits. */
export class SessionRegister {
  readonly #sessions = new Map<number, Session>();
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

  add(session: Session): void {
    this.#sessions.set(session.tsih, session);
  }

  delete(session: Session): void {
    if (!this.has(session)) return;
    this.#sessions.delete(session.tsih);
    this.#totals.freeTsih(session.tsih);
    this.recount();
  }

  /** Returns a handle that no session of the server has. */
  newTsih(): number {
    return this.#lastTsih = this.#totals.takeTsih(this.#lastTsih);
  }

  /** Counts the sessions and connections again, for the limits of the server, because one began or ended. */
  recount(): void {
    this.#totals.own = countsOf(this.#withTargets());
  }

  #withTargets(): Session[] {
    return [...this].filter(({ target }) => target !== undefined);
  }

  /**
   * Returns the session that a new one reinstates: that of the same I_T nexus (4.4.3), which is an initiator port, by
   * name and ISID, with a target. A discovery session is with the target that it names or, when it names none, with its
   * portal (7.4.2).
   */
  predecessorOf(
    { initiatorName, isid, discoveredName }: SessionIdentity,
    target: Target | undefined,
    { localAddress, localPort }: ConnectionEnds,
  ): Session | undefined {
    return this.#sessions.values().find(({ identity, target: theirs, ends }) =>
      identity.initiatorName === initiatorName && identity.isid === isid && theirs === target &&
      identity.discoveredName === discoveredName &&
      (target !== undefined || discoveredName !== undefined ||
        ends.localAddress === localAddress && ends.localPort === localPort)
    );
  }

  /**
   * Returns the discovery session to end when there is no room for another: one that has had enough time, from the
   * source with the most. An initiator that stays thus cannot lock others out, and many that log in at once, such as
   * after a power failure, do not evict one another.
   */
  pickVictim(identity: SessionIdentity, nowMonotonicMs: number): Session | undefined {
    if (identity.targetName !== undefined) return undefined;
    const discoveries = [...this].filter(({ target }) => target === undefined);
    if (discoveries.length < this.limits.discoverySessions) return undefined;
    const done = discoveries.filter((session) =>
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
    const isDiscovery = identity.targetName === undefined;
    const alike = [...this].filter((other) =>
      other !== predecessor && (other.target === undefined) === isDiscovery
    );
    if (isDiscovery) {
      return check(identity, "discovery sessions", alike.length, this.limits.discoverySessions);
    }
    this.#checkTotals(identity, alike, { sessions: 1, connections: 1 });
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
    this.#checkTotals(identity, this.#withTargets(), { sessions: 0, connections: 1 });
  }

  /**
   * Checks that the sessions of this worker, the other workers' and the new ones are within the limits. The new ones
   * are counted before the others are read: of two workers that admit the last one at the same time, none exceeds.
   */
  #checkTotals(identity: SessionIdentity, present: readonly Session[], added: SessionCounts): void {
    const own = countsOf(present);
    this.#totals.own = {
      sessions: own.sessions + added.sessions,
      connections: own.connections + added.connections,
    };
    const { sessions, connections } = this.#totals.others;
    try {
      if (added.sessions > 0) check(identity, "sessions", own.sessions + sessions, this.limits.sessions);
      check(identity, "connections", own.connections + connections, this.limits.connections);
    } catch (error) {
      this.recount();
      throw error;
    }
  }
}

function countsOf(sessions: readonly Session[]): SessionCounts {
  const connections = sessions.reduce((sum, session) => sum + session.connections.size, 0);
  return { sessions: sessions.length, connections };
}

function check({ initiatorName }: SessionIdentity, what: string, count: number, limit: number): void {
  if (count < limit) return;
  const rule = `the limit of ${limit} ${what} is reached`;
  throw loginRefused(LoginStatus.outOfResources, initiatorName, { reason: "limit", rule });
}
