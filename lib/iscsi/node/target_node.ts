/**
 * The iSCSI node (RFC 7143, 4.1): all targets of this server, who is connected to them, and who may be. It owns the
 * register of sessions and the limits that hold over all of them.
 *
 * Default deny: a target that does not exist and one that this initiator may not use from here look the same from
 * outside, and are told apart in the log, with the rule that refused. Of a target that was removed only those hear who
 * might use it.
 */
import type { InterfaceAddress } from "../../access/interfaces.ts";
import { mayUse, type Requester, requester } from "../../access/policy.ts";
import { targetPortals } from "../../access/target_portals.ts";
import { formatPortal } from "../../bytes/network.ts";
import type { ChapConfig } from "../../config/chap.ts";
import type { Config, TargetConfig } from "../../config/config.ts";
import { foldIscsiName } from "../../config/iscsi_name.ts";
import type { Nexus } from "../../scsi/nexus.ts";
import type { ByteStream, ConnectionEnds } from "../byte_stream.ts";
import type { Clock } from "../clock.ts";
import { isProofFor, isSameProof, isSuccessor, proofOfRefused } from "../login/authentication.ts";
import {
  Connection,
  type ConnectionOwner,
  type Establishment,
  type NewSession,
} from "../connection/connection.ts";
import type { EventKind, EventLog } from "../events/event_log.ts";
import { FailedLogins } from "./failed_logins.ts";
import { InitiatorTraffic } from "./initiator_traffic.ts";
import {
  type Admission,
  type LoginIdentity,
  type SessionIdentity,
  TARGET_PORTAL_GROUP_TAG,
} from "../login/login.ts";
import { pickVictim } from "./login_eviction.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import { loginFailed, type LoginRefusal, loginRefused, redirected } from "../pdu/protocol_error.ts";
import { type NodeSnapshot, snapshotTarget } from "./node_snapshot.ts";
import { Keepalive, type PingSettings } from "../connection/keepalive.ts";
import { Refusals } from "./refusals.ts";
import { RemovedTargets } from "./removed_targets.ts";
import { TextBudget } from "../negotiation/text_budget.ts";
import { RoomSearch } from "../connection/room_search.ts";
import { formatIsid, Session, type SessionConnection } from "../session/session.ts";
import { SessionRegister } from "./session_register.ts";
import type { Target } from "../target.ts";
import type { KeyValue } from "../pdu/text.ts";
import { TimeSlices } from "../connection/time_slices.ts";

/** What a node serves, and under which rules: what can change while it serves. */
export interface TargetNodeSettings {
  readonly targets: readonly Target[];
  /** Most sessions and connections in full-feature phase, over all targets. */
  readonly limits: Pick<Config, "sessions" | "connections">;
  readonly interfaces: readonly InterfaceAddress[];
  readonly ping: PingSettings;
  /** What is asked for in discovery sessions, and how strong CHAP has to be everywhere. */
  readonly chap: Pick<Config, "chap" | "chapMinimum">;
}

/** What a node is made of. */
export interface TargetNodeOptions extends TargetNodeSettings {
  readonly log: EventLog;
  readonly clock: Clock;
  /** Bytes that nobody can guess. */
  readonly randomBytes: (length: number) => Uint8Array;
}

/** What a node holds on behalf of its peers. */
export interface Holdings {
  readonly connections: number;
  readonly sessions: number;
  readonly works: number;
  readonly textBytes: number;
}

/** All targets of a server. */
export class TargetNode implements ConnectionOwner {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly timeSlices = new TimeSlices();
  readonly textBudget = new TextBudget();
  #interfaces: readonly InterfaceAddress[];
  /** By folded iSCSI name; a target with an alias is listed twice. It is replaced as a whole. */
  #targets: ReadonlyMap<string, Target>;
  readonly #removed = new RemovedTargets();
  readonly #connections = new Set<Connection>();
  readonly #keepalive: Keepalive;
  readonly #roomSearch: RoomSearch;
  readonly #sessions: SessionRegister;
  readonly #refusals = new Refusals();
  readonly #initiators = new InitiatorTraffic();
  /** Targets that are served, or were served and have not drained. */
  readonly #undrained = new Set<Target>();
  /** Who waits for the end of the last session with a target that is listed no more. */
  readonly #draining = new Map<Target, () => void>();
  #chap: Pick<Config, "chap" | "chapMinimum">;
  readonly #randomBytes: (length: number) => Uint8Array;
  readonly #failedLogins: FailedLogins;
  #isStopping = false;
  /** Connections that had not logged in and gave way to others. */
  #displacedCount = 0;

  constructor(options: TargetNodeOptions) {
    this.log = options.log;
    this.clock = options.clock;
    this.#sessions = new SessionRegister(options.limits);
    this.#interfaces = options.interfaces;
    this.#keepalive = new Keepalive(options.clock, this.#connections, options.ping);
    this.#roomSearch = new RoomSearch(options.clock, this.#connections);
    this.#chap = options.chap;
    this.#randomBytes = options.randomBytes;
    this.#failedLogins = new FailedLogins(options.clock);
    this.#targets = byName(options.targets);
    for (const target of options.targets) this.#undrained.add(target);
  }

  /**
   * Serves these targets from now on, under these rules. Sessions go on, whatever becomes of their targets: who is to
   * go is asked to by `requestLogout`.
   */
  reconfigure({ targets, limits, interfaces, ping, chap }: TargetNodeSettings): void {
    this.#chap = chap;
    const served = byName(targets);
    this.#removed.replace(this.#targets, served);
    this.#targets = served;
    for (const target of targets) this.#undrained.add(target);
    this.#sessions.limits = { sessions: limits.sessions, connections: limits.connections };
    this.#interfaces = interfaces;
    this.#keepalive.settings = ping;
  }

  /** The sessions whose initiators could not log in again where these targets are served, under these rules. */
  refusedBy(targets: readonly TargetConfig[], interfaces: readonly InterfaceAddress[]): Session[] {
    const names = byName(targets.map((config) => ({ config })));
    return [...this.#sessions].filter(({ identity, target, connections }) => {
      if (target === undefined) return false;
      const { initiatorName, targetName } = identity;
      const config = names.get(targetName!)?.config;
      if (config?.name !== target.config.name || !isProofFor(config.chap, identity)) return true;
      return connections.values().some(({ ends }) =>
        !mayUse(config, requester(initiatorName, ends), interfaces).allowed
      );
    });
  }

  /** Resolves when a target that is listed no more has no session left, and nothing is under way at it. */
  async drained(target: Target): Promise<void> {
    if (this.#hasSession(target)) {
      await new Promise<void>((resolve) => this.#draining.set(target, resolve));
      this.#draining.delete(target);
    }
    await target.work.done();
    this.#undrained.delete(target);
  }

  /** Resolves when nothing that is under way at a target now is so any more. */
  async workDone(target: Target): Promise<void> {
    await target.work.done();
  }

  #hasSession(target: Target): boolean {
    return [...this.#sessions].some((session) => session.target === target);
  }

  /** Serves a peer until it is gone. */
  async serve(stream: ByteStream, ends: ConnectionEnds): Promise<void> {
    if (this.#isStopping) return stream.close();
    this.#makeRoomForLogin(ends);
    const connection = new Connection(stream, ends, this);
    this.#connections.add(connection);
    this.#keepalive.update();
    try {
      await connection.run();
    } finally {
      this.#connections.delete(connection);
      this.#keepalive.update();
    }
  }

  #makeRoomForLogin({ peerAddress }: ConnectionEnds): void {
    const crowd = [...this.#connections].filter(({ isInLogin, isLeaving }) => isInLogin || isLeaving);
    const giving = pickVictim(crowd, peerAddress);
    if (giving === undefined) return;
    if (giving.isLeaving) return giving.close();
    const rule = "too many connections are logging in";
    this.#refusals.add(
      { peerAddress: giving.ends.peerAddress, initiatorName: null, targetName: null, reason: "limit", rule },
      this.clock.now(),
    );
    giving.close();
    // A flood must not flood the log as well: it is told of at the 1st, 2nd, 4th, 8th ... of them.
    this.#displacedCount++;
    if ((this.#displacedCount & (this.#displacedCount - 1)) !== 0) return;
    const details = { event: "loginRefused", peer: giving.ends.peerAddress, reason: "limit" } as const;
    this.log.warning(`${giving.ends.peerAddress}: closed, ${rule} (${this.#displacedCount} so far)`, details);
  }

  /** What it holds on behalf of its peers at this moment. */
  get holdings(): Holdings {
    return {
      connections: this.#connections.size,
      sessions: [...this.#sessions].length,
      works: this.#undrained.values().reduce((sum, { work }) => sum + work.count, 0),
      textBytes: this.textBudget.bytes,
    };
  }

  /** Takes no more commands, lets what was answered go out, and ends every connection. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    // Whoever logs in meanwhile is told that it is no use.
    const loggedIn = [...this.#connections].filter(({ isInLogin }) => !isInLogin);
    for (const session of this.#sessions) session.finish();
    for (const connection of loggedIn) connection.finish();
    await Promise.all(loggedIn.map(({ closed }) => closed));
    await Promise.all(this.#undrained.values().map(({ work }) => work.done()));
    for (const connection of this.#connections) connection.close();
  }

  /** Ends every connection at once; what is under way at the targets goes on. */
  abort(): void {
    this.#isStopping = true;
    for (const connection of [...this.#connections]) connection.close();
  }

  authorize({ ends }: Connection, identity: LoginIdentity): Admission {
    const { initiatorName, targetName } = identity;
    this.#checkServing(identity);
    if (targetName === undefined) return this.#admission(this.#chap.chap);
    const target = this.#targets.get(targetName);
    if (target === undefined) return this.#absence(ends, { initiatorName, targetName });
    const decision = mayUse(target.config, requester(initiatorName, ends), this.#interfaces);
    if (!decision.allowed) {
      return this.#refusal(initiatorName, { reason: decision.option, rule: decision.rule });
    }
    const { chap, redirect, comment: alias } = target.config;
    if (redirect === undefined) return this.#admission(chap, { alias });
    const where = `${redirect.isPermanent ? "for good at" : "at"} ${redirect.targetAddress}`;
    const message = `login of "${initiatorName}" redirected: [${target.config.name}] is ${where}`;
    return this.#admission(chap, { refusal: redirected(redirect, message) });
  }

  /** A login that fails, whatever the initiator proves before. */
  #refusal(initiatorName: string, why: LoginRefusal): Admission {
    const refusal = loginRefused(LoginStatus.notFound, initiatorName, why);
    const targets = [...this.#targets.values().map(({ config }) => config), ...this.#removed];
    return this.#admission(proofOfRefused(this.#chap, targets), { refusal });
  }

  /** Who might use a target as long as it was there is told that it has been removed, and proves what it had to. */
  #absence(
    ends: ConnectionEnds,
    { initiatorName, targetName }: { readonly initiatorName: string; readonly targetName: string },
  ): Admission {
    const removed = this.#removed.get(targetName);
    if (
      removed === undefined || !mayUse(removed, requester(initiatorName, ends), this.#interfaces).allowed
    ) {
      return this.#refusal(initiatorName, {
        reason: "target",
        rule: `there is no target "${targetName}"`,
      });
    }
    const why = { reason: "target", rule: `target "${targetName}" has been removed` } as const;
    const refusal = loginRefused(LoginStatus.targetRemoved, initiatorName, why);
    return this.#admission(removed.chap, { refusal });
  }

  #admission(
    chap: ChapConfig | undefined,
    { refusal, alias }: Partial<Pick<Admission, "refusal" | "alias">> = {},
  ): Admission {
    const means = {
      minimum: this.#chap.chapMinimum,
      randomBytes: this.#randomBytes,
      isOutstanding: (challenge: Uint8Array) =>
        this.#connections.values().some((other) => other.isOutstanding(challenge)),
    };
    const needlessChap = { accounts: undefined, mutual: undefined, ...means };
    return { chap: chap && { ...chap, ...means }, needlessChap, refusal, alias };
  }

  authenticationFailed({ ends }: Connection): void {
    this.#failedLogins.add(ends.peerAddress);
  }

  authenticationDelayMs({ ends }: Connection): number {
    return this.#failedLogins.delayMs(ends.peerAddress);
  }

  refused({ ends: { peerAddress }, claim }: Connection, { reason, rule }: LoginRefusal): void {
    const { initiatorName = null, targetName = null } = claim ?? {};
    this.#refusals.add({ peerAddress, initiatorName, targetName, reason, rule }, this.clock.now());
  }

  /** How the node is at this moment. */
  snapshot(): NodeSnapshot {
    return {
      sessions: [...this.#sessions].map((session) => session.snapshot()),
      // A target with an alias is listed twice.
      targets: [...new Set(this.#targets.values())].map(snapshotTarget),
      initiators: this.#initiators.snapshot([...this.#sessions]),
      connectionsInLogin: [...this.#connections].filter(({ isInLogin }) => isInLogin).length,
      limits: this.#sessions.limits,
      refusals: this.#refusals.figures(),
    };
  }

  /** Every session there is now, discovery sessions included, in the order in which they began. */
  sessions(): Iterable<Session> {
    return this.#sessions;
  }

  /** Ends a session at once: its tasks, its nexus and its connections. */
  endSession(session: Session): void {
    this.retire(session);
    for (const connection of [...session.connections.values()]) connection.close();
  }

  /** Asks a session's initiator to log out, and closes what is still connected after that time. */
  requestLogout(session: Session, seconds: number): void {
    session.requestLogout(seconds);
  }

  #checkServing({ initiatorName }: LoginIdentity): void {
    if (!this.#isStopping) return;
    const refusal = { reason: "limit", rule: "the server is about to end" } as const;
    throw loginRefused(LoginStatus.serviceUnavailable, initiatorName, refusal);
  }

  sessionToJoin(identity: LoginIdentity): Session {
    const { initiatorName, isid, tsih } = identity;
    const session = this.#sessions.get(tsih);
    const isTheirs = session?.identity.initiatorName === initiatorName && session.identity.isid === isid &&
      isSameProof(session.identity, identity);
    if (!isTheirs) {
      throw loginFailed(LoginStatus.sessionDoesNotExist, `there is no session ${tsih} to join`);
    }
    if (session.target !== this.#targetOf(identity)) {
      throw loginFailed(LoginStatus.cannotIncludeInSession, `session ${tsih} is with another target`);
    }
    return session;
  }

  #checkRoomToJoin(session: Session, identity: LoginIdentity): void {
    // A connection that is reinstated makes room for its successor.
    if (session.connections.has(identity.cid)) return;
    const { tsih, parameters: { maxConnections } } = session;
    if (session.connections.size >= maxConnections) {
      throw loginFailed(
        LoginStatus.tooManyConnections,
        `session ${tsih} has its ${maxConnections} connections already`,
      );
    }
    this.#sessions.checkRoomToJoin(identity);
  }

  findRoom(): Promise<void> | undefined {
    return this.#roomSearch.begin();
  }

  establish(connection: Connection, identity: LoginIdentity, login: NewSession): Establishment {
    // The rules, and the target itself, may have changed since the initiator has said who it is.
    const { refusal } = this.authorize(connection, identity);
    if (refusal !== undefined) throw refusal;
    if (!isProofFor(this.#proofWanted(identity), identity)) throw this.#refusalOfProof(identity);
    if (identity.tsih === 0) return this.#begin(connection, identity, login);
    const session = this.sessionToJoin(identity);
    this.#checkRoomToJoin(session, identity);
    return this.#join(connection, session, identity.cid);
  }

  #proofWanted(identity: SessionIdentity): ChapConfig | undefined {
    return identity.targetName === undefined ? this.#chap.chap : this.#targetOf(identity)!.config.chap;
  }

  #refusalOfProof({ initiatorName }: SessionIdentity): Error {
    const rule = "what it has proved is not good any more";
    return loginRefused(LoginStatus.authenticationFailure, initiatorName, { reason: "authentication", rule });
  }

  #join({ ends }: Connection, session: Session, cid: number): Establishment {
    const isReinstatement = session.connections.has(cid);
    const what = isReinstatement
      ? `is reinstated from ${ends.peerAddress}`
      : `joins from ${ends.peerAddress}`;
    const details = session.eventDetails("connectionJoins");
    this.log.info(`${session.description}: connection ${cid} ${what}`, details);
    // 6.3.4: whatever is under way of a connection that is reinstated ends before its successor begins.
    return { session, predecessor: isReinstatement ? session.settled() : undefined };
  }

  #begin(connection: Connection, identity: LoginIdentity, login: NewSession): Establishment {
    const target = this.#targetOf(identity);
    const predecessor = this.#sessions.predecessorOf(identity, target, connection.ends);
    if (predecessor === undefined) this.#makeRoom(identity);
    this.#sessions.checkRoom(identity, predecessor);
    this.#sessions.checkLingering(identity, this.#lingeringSessions(target));
    if (predecessor !== undefined) {
      if (!isSuccessor(identity, predecessor)) throw this.#refusalToReinstate(identity);
      // 6.3.5: the tasks of the session that is reinstated end before the new one begins.
      const details = predecessor.eventDetails("sessionReinstated");
      this.log.info(`${predecessor.description}: session is reinstated by its initiator`, details);
      this.endSession(predecessor);
    }
    const portName = `${identity.initiatorName},i,0x${formatIsid(identity.isid)}`;
    const session = new Session({
      tsih: this.#sessions.newTsih(),
      identity,
      ...login,
      target,
      nexus: target?.device.openNexus(portName, {
        others: () => this.#nexusesInReach(connection, identity),
        protocolLevel: login.parameters.protocolLevel,
      }),
      ends: connection.ends,
      beganAtMs: this.clock.now(),
      beganMonotonicMs: this.clock.monotonicMs(),
    });
    this.#sessions.add(session);
    const proof = identity.proved === undefined ? "" : `, CHAP name ${JSON.stringify(identity.proved.name)}`;
    this.#tell(session, "sessionBegins", `session begins${proof}`);
    // Whatever an earlier session left under way must not reach the medium behind the back of this one.
    return { session, predecessor: session.settled() };
  }

  #makeRoom(identity: SessionIdentity): void {
    const displaced = this.#sessions.pickVictim(identity, this.clock.monotonicMs());
    if (displaced === undefined) return;
    const seconds = Math.round((this.clock.monotonicMs() - displaced.beganMonotonicMs) / 1000);
    const details = displaced.eventDetails("sessionDisplaced");
    this.log.info(`${displaced.description}: session gives way to another one, after ${seconds} s`, details);
    this.endSession(displaced);
  }

  /** Who knows a name and an ISID, but another secret, is somebody else: it takes no session away. */
  #refusalToReinstate({ initiatorName, proved }: LoginIdentity): Error {
    const rule = proved === undefined
      ? "its session has a CHAP name, and this login has none"
      : `its session has another CHAP name than ${JSON.stringify(proved.name)}`;
    return loginRefused(LoginStatus.authorizationFailure, initiatorName, { reason: "authentication", rule });
  }

  /**
   * What an initiator may copy to and from: the nexuses of its other sessions, with targets that it may also use over
   * this connection, by what it has proved here. A name that somebody else has logged in with opens nothing.
   */
  #nexusesInReach({ ends }: Connection, asker: LoginIdentity): Nexus[] {
    const { initiatorName } = asker;
    const asking = requester(initiatorName, ends);
    return [...this.#sessions].flatMap(({ identity, target, nexus }) => {
      const isOfInitiator = identity.initiatorName === initiatorName;
      if (!isOfInitiator || target === undefined || nexus === undefined) return [];
      const { allowed } = mayUse(target.config, asking, this.#interfaces);
      return allowed && isProofFor(target.config.chap, asker) ? [nexus] : [];
    });
  }

  retire(session: Session): void {
    if (!this.#sessions.has(session)) return;
    this.#sessions.delete(session);
    session.close();
    this.#initiators.add(session);
    this.#tell(session, "sessionEnds", "session ends");
    const { target } = session;
    if (target !== undefined && !this.#hasSession(target)) this.#draining.get(target)?.();
  }

  /** Discovery sessions are many and short. */
  #tell(session: Session, event: EventKind, message: string): void {
    const level = session.target === undefined ? "debug" : "info";
    this.log[level](`${session.description}: ${message}`, session.eventDetails(event));
  }

  disconnected(connection: SessionConnection, session: Session): void {
    session.lose(connection);
    if (session.connections.size === 0) this.retire(session);
  }

  /** RFC 7143, 11.5.1: TARGET COLD RESET ends all sessions with the target. */
  resetTarget({ target }: Session): void {
    for (const session of this.#sessions) {
      if (target !== undefined && session.target === target) session.finish();
    }
  }

  sendTargets({ ends }: Connection, session: Session, value: string): readonly KeyValue[] | undefined {
    const { identity: { initiatorName, targetName: own }, target } = session;
    const asking = requester(initiatorName, ends);
    const { localPort } = ends;
    // RFC 7143, Appendix C: only a discovery session may ask for more than its own target.
    if (own !== undefined && target !== undefined) {
      return value === "" || foldIscsiName(value) === own
        ? this.#targetRecord(own, target, { asking, localPort })
        : undefined;
    }
    if (value === "") return undefined;
    const wanted = foldIscsiName(value);
    return [...this.#targets]
      // Under "All" a target is told once, by its own name, and not again by its alias.
      .filter(([name, { config }]) => value === "All" ? name === config.iscsiName : name === wanted)
      .filter(([, { config }]) => mayUse(config, asking, this.#interfaces).allowed)
      .flatMap(([name, target]) => this.#targetRecord(name, target, { asking, localPort }));
  }

  #targetRecord(
    name: string,
    { config }: Target,
    { asking, localPort }: { readonly asking: Requester; readonly localPort: number },
  ): readonly KeyValue[] {
    const addresses = targetPortals(config, asking, this.#interfaces);
    return [
      ["TargetName", name],
      ...addresses.map((address): KeyValue => [
        "TargetAddress",
        `${formatPortal(address, localPort)},${TARGET_PORTAL_GROUP_TAG}`,
      ]),
    ];
  }

  /** How many sessions are over but for work that a medium of the target has not finished, and that takes memory. */
  #lingeringSessions(target: Target | undefined): number {
    if (target === undefined) return 0;
    const live = new Set<unknown>(this.#sessions);
    return target.work.sessions().difference(live).size;
  }

  #targetOf({ targetName }: SessionIdentity): Target | undefined {
    return targetName === undefined ? undefined : this.#targets.get(targetName);
  }
}

/** Targets by their names, of which one that has an alias has two. */
function byName<Named extends { readonly config: TargetConfig }>(
  targets: readonly Named[],
): ReadonlyMap<string, Named> {
  return new Map(targets.flatMap((target) => {
    const { iscsiName, aliasIscsiName } = target.config;
    const names = aliasIscsiName === undefined ? [iscsiName] : [iscsiName, aliasIscsiName];
    return names.map((name) => [name, target] as const);
  }));
}
