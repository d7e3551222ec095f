import type { Config } from "../../config/config.ts";
import { Limits } from "../limits.ts";
import { largestGroup, sourceOf } from "./login_eviction.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import { loginRefused } from "../pdu/protocol_error.ts";
import type { Session } from "../session/session.ts";
import type { Target } from "../target.ts";
import type { ConnectionEnds } from "../byte_stream.ts";
import type { SessionIdentity } from "../login/identity.ts";

/** All sessions of a node, by target session identifying handle, and their limits. */
export class SessionRegister {
  readonly #sessions = new Map<number, Session>();
  #lastTsih = 0;
  /** The limits of sessions and connections, which apply from the next login on. */
  limits: Pick<Config, "sessions" | "connections">;

  constructor(limits: Pick<Config, "sessions" | "connections">) {
    this.limits = { sessions: limits.sessions, connections: limits.connections };
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
    if (this.has(session)) this.#sessions.delete(session.tsih);
  }

  /** Returns a handle that no session has. */
  newTsih(): number {
    do {
      this.#lastTsih = this.#lastTsih % 0xffff + 1;
    } while (this.#sessions.has(this.#lastTsih));
    return this.#lastTsih;
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
    if (discoveries.length < Limits.discoverySessions) return undefined;
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
    if (isDiscovery) return check(identity, "discovery sessions", alike.length, Limits.discoverySessions);
    check(identity, "sessions", alike.length, this.limits.sessions);
    check(identity, "connections", connectionCount(alike), this.limits.connections);
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
    const sessions = [...this].filter(({ target }) => target !== undefined);
    check(identity, "connections", connectionCount(sessions), this.limits.connections);
  }
}

function connectionCount(sessions: readonly Session[]): number {
  return sessions.reduce((sum, { connections }) => sum + connections.size, 0);
}

function check({ initiatorName }: SessionIdentity, what: string, count: number, limit: number): void {
  if (count < limit) return;
  const rule = `the limit of ${limit} ${what} is reached`;
  throw loginRefused(LoginStatus.outOfResources, initiatorName, { reason: "limit", rule });
}
