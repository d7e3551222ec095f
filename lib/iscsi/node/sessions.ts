/**
 * The sessions of a node: logins begin, join and reinstate them here, and they end here.
 *
 * Reinstating a session requires the same CHAP name, not only the same initiator name and ISID.
 */
import { requester } from "../../access/policy.ts";
import type { Nexus } from "../../scsi/nexus.ts";
import type { ConnectionEnds } from "../byte_stream.ts";
import type { Clock } from "../clock.ts";
import type {
  Establishment,
  LoginRules,
  NewSession,
  SessionEstablishment,
} from "../connection/login_phase.ts";
import type { RoomSearch } from "../connection/room_search.ts";
import type { EventKind, EventLog } from "../events/event_log.ts";
import { isProofFor, isSameProof, isSuccessor } from "../login/authentication.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import { loginFailed, loginRefused } from "../pdu/protocol_error.ts";
import { formatIsid, Session, type SessionOwner } from "../session/session.ts";
import type { Target } from "../target.ts";
import { InitiatorTraffic } from "./initiator_traffic.ts";
import type { InitiatorSnapshot } from "./node_snapshot.ts";
import type { ServedTargets } from "./served_targets.ts";
import type { ServerTotals } from "./server_totals.ts";
import { type SessionLimits, SessionRegister } from "./session_register.ts";
import type { LoginIdentity, SessionIdentity } from "../login/identity.ts";

/** The collaborators of the sessions. */
export interface SessionsOptions {
  readonly limits: SessionLimits;
  /** Shared with the other workers of the server. */
  readonly totals: ServerTotals;
  readonly targets: ServedTargets;
  readonly rules: Pick<LoginRules, "authorize">;
  readonly roomSearch: RoomSearch;
  readonly log: EventLog;
  readonly clock: Clock;
}

/** The sessions of one node. */
export class Sessions implements SessionEstablishment, SessionOwner {
  readonly #register: SessionRegister;
  readonly #initiators = new InitiatorTraffic();
  readonly #targets: ServedTargets;
  readonly #rules: Pick<LoginRules, "authorize">;
  readonly #roomSearch: RoomSearch;
  readonly #log: EventLog;
  readonly #clock: Clock;
  /** Called when the last session with a removed target has ended. */
  readonly #draining = new Map<Target, () => void>();

  constructor({ limits, totals, targets, rules, roomSearch, log, clock }: SessionsOptions) {
    this.#register = new SessionRegister(limits, totals);
    this.#targets = targets;
    this.#rules = rules;
    this.#roomSearch = roomSearch;
    this.#log = log;
    this.#clock = clock;
  }

  /** Returns every session, discovery sessions included, in the order in which they began. */
  [Symbol.iterator](): IterableIterator<Session> {
    return this.#register[Symbol.iterator]();
  }

  get limits(): SessionLimits {
    return this.#register.limits;
  }

  /** Sets the limits, from the next login on. */
  set limits(limits: SessionLimits) {
    this.#register.limits = limits;
  }

  /** Returns the traffic of the present initiators and of the most recent past ones. */
  initiators(): InitiatorSnapshot[] {
    return this.#initiators.snapshot(this.#register);
  }

  sessionsWith(target: Target): Session[] {
    return this.#register.with(target);
  }

  /** Resolves when no session with the target is left. */
  async drained(target: Target): Promise<void> {
    if (!this.#register.hasAnyWith(target)) return;
    await new Promise<void>((resolve) => this.#draining.set(target, resolve));
    this.#draining.delete(target);
  }

  sessionToJoin(identity: LoginIdentity): Session {
    const { initiatorName, isid, tsih, targetName } = identity;
    const session = this.#register.get(tsih);
    const isTheirs = session?.identity.initiatorName === initiatorName && session.identity.isid === isid &&
      isSameProof(session.identity, identity);
    if (!isTheirs) {
      throw loginFailed(LoginStatus.sessionDoesNotExist, `there is no session ${tsih} to join`);
    }
    if (session.target !== this.#targets.get(targetName)) {
      throw loginFailed(LoginStatus.cannotIncludeInSession, `session ${tsih} is with another target`);
    }
    return session;
  }

  findRoom(): Promise<void> | undefined {
    return this.#roomSearch.begin();
  }

  establish(ends: ConnectionEnds, identity: LoginIdentity, login: NewSession): Establishment {
    try {
      return this.#establish(ends, identity, login);
    } catch (error) {
      this.#register.publish();
      throw error;
    }
  }

  #establish(ends: ConnectionEnds, identity: LoginIdentity, login: NewSession): Establishment {
    // A reload may have changed the rules, and the target itself, since the login began.
    const { refusal } = this.#rules.authorize(ends, identity);
    if (refusal !== undefined) throw refusal;
    if (!isProofFor(this.#targets.chapOf(identity.targetName), identity)) throw refusalOfProof(identity);
    if (identity.tsih === 0) return this.#begin(ends, identity, login);
    const session = this.sessionToJoin(identity);
    this.#checkRoomToJoin(session, identity);
    return this.#join(ends, session, identity.cid);
  }

  #checkRoomToJoin(session: Session, identity: LoginIdentity): void {
    // A reinstated connection makes room for its successor.
    if (session.connections.has(identity.cid)) return;
    const { tsih, parameters: { maxConnections } } = session;
    if (session.connections.size >= maxConnections) {
      throw loginFailed(
        LoginStatus.tooManyConnections,
        `session ${tsih} has all of its ${maxConnections} connections`,
      );
    }
    this.#register.checkRoomToJoin(identity);
  }

  #join({ peerAddress }: ConnectionEnds, session: Session, cid: number): Establishment {
    const isReinstatement = session.connections.has(cid);
    const what = isReinstatement ? `is reinstated from ${peerAddress}` : `joins from ${peerAddress}`;
    const details = session.eventDetails("connectionJoins");
    this.#log.info(`${session.description}: connection ${cid} ${what}`, details);
    // 6.3.4: the work of a reinstated connection ends before its successor begins.
    return { session, predecessor: isReinstatement ? session.settled() : undefined };
  }

  #begin(ends: ConnectionEnds, identity: LoginIdentity, login: NewSession): Establishment {
    const target = this.#targets.get(identity.targetName);
    const predecessor = this.#register.predecessorOf(identity, target, ends);
    if (predecessor === undefined) this.#makeRoom(identity);
    this.#register.checkRoom(identity, predecessor);
    this.#register.checkLingering(identity, target?.work.lingeringSessions ?? 0);
    if (predecessor !== undefined) this.#endReinstated(predecessor, identity);
    const session = this.#create(ends, identity, login, target);
    this.#register.add(session);
    const proof = identity.proved === undefined ? "" : `, CHAP name ${JSON.stringify(identity.proved.name)}`;
    this.#logSession(session, "sessionBegins", `session begins${proof}`);
    // Work of an earlier session must not reach the medium after the first command of this one.
    return { session, predecessor: session.settled() };
  }

  /** Ends the session that a login reinstates. Its tasks end before the new session begins (6.3.5). */
  #endReinstated(predecessor: Session, identity: LoginIdentity): void {
    if (!isSuccessor(identity, predecessor)) throw refusalToReinstate(identity);
    const details = predecessor.eventDetails("sessionReinstated");
    this.#log.info(`${predecessor.description}: session is reinstated by its initiator`, details);
    predecessor.abort();
  }

  #create(
    ends: ConnectionEnds,
    identity: LoginIdentity,
    login: NewSession,
    target: Target | undefined,
  ): Session {
    const portName = `${identity.initiatorName},i,0x${formatIsid(identity.isid)}`;
    return new Session({
      owner: this,
      tsih: this.#register.newTsih(),
      identity,
      ...login,
      target,
      nexus: target?.device.openNexus(portName, {
        others: (has) => this.#nexusesInReach(ends, identity, has),
        protocolLevel: login.parameters.protocolLevel,
      }),
      ends,
      beganAtMs: this.#clock.now(),
      beganMonotonicMs: this.#clock.monotonicMs(),
    });
  }

  /** Ends a discovery session that has had its time, when another one finds no room. */
  #makeRoom(identity: SessionIdentity): void {
    const displaced = this.#register.pickVictim(identity, this.#clock.monotonicMs());
    if (displaced === undefined) return;
    const seconds = Math.round((this.#clock.monotonicMs() - displaced.beganMonotonicMs) / 1000);
    const details = displaced.eventDetails("sessionDisplaced");
    this.#log.info(
      `${displaced.description}: session ended after ${seconds} s to make room for another`,
      details,
    );
    displaced.abort();
  }

  /**
   * Returns the nexuses that an initiator may copy between: those of its other sessions, with targets that it may also
   * use over this connection, with the secret that it has proved here.
   *
   * @param has selects some of them; this takes less time than to decide whether they may be used
   */
  #nexusesInReach(ends: ConnectionEnds, asker: LoginIdentity, has: (nexus: Nexus) => boolean): Nexus[] {
    const { initiatorName } = asker;
    const asking = requester(initiatorName, ends);
    return this.#register.of(initiatorName).flatMap(({ target, nexus }) => {
      if (target === undefined || nexus === undefined || !has(nexus)) return [];
      const { allowed } = this.#targets.decide(target.config, asking);
      return allowed && isProofFor(target.config.chap, asker) ? [nexus] : [];
    });
  }

  connectionsChanged(session: Session, difference: number): void {
    this.#register.countConnections(session, difference);
  }

  sessionEnded(session: Session): void {
    this.#register.delete(session);
    this.#initiators.add(session);
    this.#logSession(session, "sessionEnds", "session ends");
    const { target } = session;
    if (target !== undefined && !this.#register.hasAnyWith(target)) this.#draining.get(target)?.();
  }

  /** Logs an event of a session. Discovery sessions are many and short, and logged at level debug. */
  #logSession(session: Session, event: EventKind, message: string): void {
    const level = session.target === undefined ? "debug" : "info";
    this.#log[level](`${session.description}: ${message}`, session.eventDetails(event));
  }
}

/** Refuses a login whose proof a reload has made worthless. */
function refusalOfProof({ initiatorName }: SessionIdentity): Error {
  const rule = "its CHAP credentials are no longer valid";
  return loginRefused(LoginStatus.authenticationFailure, initiatorName, { reason: "authentication", rule });
}

/** Refuses to reinstate a session for an initiator that has the name and the ISID, but another CHAP name. */
function refusalToReinstate({ initiatorName, proved }: LoginIdentity): Error {
  const rule = proved === undefined
    ? "its session has a CHAP name, and this login has none"
    : `its session has a CHAP name other than ${JSON.stringify(proved.name)}`;
  return loginRefused(LoginStatus.authorizationFailure, initiatorName, { reason: "authentication", rule });
}
