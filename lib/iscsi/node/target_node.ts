/**
 * The iSCSI node (RFC 7143, 4.1): all targets of this server, the connections to them, and the limits that hold over
 * all of them.
 */
import type { InterfaceAddress } from "../../access/interfaces.ts";
import { mayUse, requester } from "../../access/policy.ts";
import type { TargetConfig } from "../../config/config.ts";
import type { ByteStream, ConnectionEnds } from "../byte_stream.ts";
import type { Clock } from "../clock.ts";
import { Connection, type ConnectionOwner } from "../connection/connection.ts";
import { Keepalive, type PingSettings } from "../connection/keepalive.ts";
import type { Liveness } from "../connection/liveness.ts";
import { RoomSearch } from "../connection/room_search.ts";
import { LargeSendBuffer } from "../connection/large_send_buffer.ts";
import { TimeSlices } from "../connection/time_slices.ts";
import type { EventLog } from "../events/event_log.ts";
import { isProofFor } from "../login/authentication.ts";
import { TextBudget } from "../negotiation/text_budget.ts";
import type { KeyValue } from "../pdu/text.ts";
import type { Session } from "../session/session.ts";
import type { Target } from "../target.ts";
import { AdmissionRules } from "./admission.ts";
import { sendTargets } from "./discovery.ts";
import { pickVictim, sourceOf } from "./login_eviction.ts";
import { type NodeSnapshot, snapshotTarget } from "./node_snapshot.ts";
import { byName, type ServedSettings, ServedTargets } from "./served_targets.ts";
import { ServerTotals } from "./server_totals.ts";
import type { SessionLimits } from "./session_register.ts";
import { Sessions } from "./sessions.ts";

/** The settings of a node that a reload can change. */
export interface TargetNodeSettings extends ServedSettings {
  /** The most sessions and connections in full-feature phase, over all targets of the server. */
  readonly limits: SessionLimits;
  readonly ping: PingSettings;
}

/** The settings of a node, and its collaborators. */
export interface TargetNodeOptions extends TargetNodeSettings {
  /** The sessions of all workers of the server: none but this one by default. */
  readonly totals?: ServerTotals | undefined;
  /** Called with the address of each failed login, for the other workers of the server. */
  readonly onFailedLogin?: ((peerAddress: string) => void) | undefined;
  readonly log: EventLog;
  readonly clock: Clock;
  /** Returns unpredictable bytes. */
  readonly randomBytes: (length: number) => Uint8Array;
}

/** The resources that a node holds on behalf of its peers. */
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
  readonly largeSendBuffer = new LargeSendBuffer();
  readonly textBudget = new TextBudget();
  readonly rules: AdmissionRules;
  readonly establishment: Sessions;
  readonly #targets: ServedTargets;
  readonly #connections = new Set<Connection>();
  /** The connections that are in login or leaving, and some that no longer are, with their sources. */
  readonly #transient = new Map<Connection, string>();
  readonly #liveness = new Set<Liveness>();
  readonly #keepalive: Keepalive;
  /** The number of connections that were closed before their login was complete, to make room for others. */
  #displacedCount = 0;

  constructor(options: TargetNodeOptions) {
    const { log, clock, randomBytes, limits, ping, onFailedLogin = () => {} } = options;
    const { totals = new ServerTotals(ServerTotals.memory(), 0) } = options;
    const targets = new ServedTargets(options);
    const rules = new AdmissionRules({
      targets,
      clock,
      randomBytes,
      onFailedLogin,
      isOutstanding: (challenge) => this.#transient.keys().some((other) => other.isOutstanding(challenge)),
    });
    const roomSearch = new RoomSearch(clock, this.#liveness);
    this.log = log;
    this.clock = clock;
    this.rules = rules;
    this.establishment = new Sessions({ limits, totals, targets, rules, roomSearch, log, clock });
    this.#targets = targets;
    this.#keepalive = new Keepalive(clock, this.#liveness, ping);
  }

  /**
   * Replaces the targets and the settings. Sessions continue, even those with removed targets: `requestLogout` ends
   * them.
   */
  reconfigure(settings: TargetNodeSettings): void {
    this.#targets.replace(settings);
    this.establishment.limits = settings.limits;
    this.#keepalive.settings = settings.ping;
  }

  /** Returns the sessions whose initiators could not log in again under these targets and interfaces. */
  refusedBy(targets: readonly TargetConfig[], interfaces: readonly InterfaceAddress[]): Session[] {
    const names = byName(targets.map((config) => ({ config })));
    return [...this.establishment].filter(({ identity, target, connections }) => {
      if (target === undefined) return false;
      const { initiatorName, targetName } = identity;
      const config = names.get(targetName!)?.config;
      if (config?.name !== target.config.name || !isProofFor(config.chap, identity)) return true;
      return connections.values().some(({ ends }) =>
        !mayUse(config, requester(initiatorName, ends), interfaces).allowed
      );
    });
  }

  /** Resolves when a removed target has no session and no work left. */
  async drained(target: Target): Promise<void> {
    await this.establishment.drained(target);
    await target.work.done();
    this.#targets.drained(target);
  }

  /** Resolves when the work that is under way at a target now is done. */
  async workDone(target: Target): Promise<void> {
    await target.work.done();
  }

  /** Counts a login that has failed at another worker of the server. */
  countFailedLogin(peerAddress: string): void {
    this.rules.countFailedLogin(peerAddress);
  }

  /** Serves a peer until its connection is closed. */
  async serve(stream: ByteStream, ends: ConnectionEnds): Promise<void> {
    if (this.rules.isStopping) return stream.close();
    const source = sourceOf(ends.peerAddress);
    this.#makeRoomForLogin(source);
    const connection = new Connection(stream, ends, this);
    this.#connections.add(connection);
    this.#transient.set(connection, source);
    this.#liveness.add(connection.liveness);
    this.#keepalive.update();
    try {
      await connection.run();
    } finally {
      this.#connections.delete(connection);
      this.#transient.delete(connection);
      this.#liveness.delete(connection.liveness);
      this.#keepalive.update();
    }
  }

  connectionLeaves(connection: Connection): void {
    this.#transient.set(connection, sourceOf(connection.ends.peerAddress));
  }

  /** Returns the connections that are in login or leaving, the oldest first. */
  #transientNow(): ReadonlyMap<Connection, string> {
    for (const connection of this.#transient.keys()) {
      if (!connection.isInLogin && !connection.isLeaving) this.#transient.delete(connection);
    }
    return this.#transient;
  }

  /** Closes a connection in login when there are too many. */
  #makeRoomForLogin(source: string): void {
    const victim = pickVictim(this.#transientNow(), source);
    if (victim === undefined) return;
    if (victim.isLeaving) return victim.close();
    const { ends } = victim;
    const rule = "too many connections are logging in";
    this.rules.refused({ ends, claim: undefined }, { reason: "limit", rule });
    victim.close();
    // A flood must not flood the log as well. The 1st, 2nd, 4th, 8th ... closed connection is logged.
    this.#displacedCount++;
    if ((this.#displacedCount & (this.#displacedCount - 1)) !== 0) return;
    const details = { event: "loginRefused", peer: ends.peerAddress, reason: "limit" } as const;
    this.log.warning(`${ends.peerAddress}: closed, ${rule} (${this.#displacedCount} so far)`, details);
  }

  sendTargets(ends: ConnectionEnds, session: Session, value: string): readonly KeyValue[] | undefined {
    return sendTargets(this.#targets, ends, session, value);
  }

  /** The resources that the node holds on behalf of its peers now. */
  get holdings(): Holdings {
    return {
      connections: this.#connections.size,
      sessions: [...this.establishment].length,
      works: this.#targets.undrained.values().reduce((sum, { work }) => sum + work.count, 0),
      textBytes: this.textBudget.bytes,
    };
  }

  /** Refuses new logins and commands, sends the remaining replies and closes every connection. */
  async stop(): Promise<void> {
    this.rules.stop();
    // A login that is under way is refused meanwhile.
    const loggedIn = [...this.#connections].filter(({ isInLogin }) => !isInLogin);
    for (const session of this.establishment) session.finish();
    for (const connection of loggedIn) connection.finish();
    await Promise.all(loggedIn.map(({ closed }) => closed));
    await Promise.all(this.#targets.undrained.values().map(({ work }) => work.done()));
    for (const connection of this.#connections) connection.close();
  }

  /** Closes every connection at once. Work that is under way at the targets continues. */
  abort(): void {
    this.rules.stop();
    for (const connection of [...this.#connections]) connection.close();
  }

  /** Returns the state of the node as plain data. */
  snapshot(): NodeSnapshot {
    const sessions = this.establishment;
    return {
      sessions: [...sessions].map((session) => session.snapshot()),
      targets: [...this.#targets.all()].map(snapshotTarget),
      initiators: sessions.initiators(),
      connectionsInLogin: this.#transientNow().keys().filter(({ isInLogin }) => isInLogin).toArray().length,
      limits: { sessions: sessions.limits.sessions, connections: sessions.limits.connections },
      refusals: this.rules.figures(),
    };
  }

  /** Returns every session, discovery sessions included, in the order in which they began. */
  sessions(): Iterable<Session> {
    return this.establishment;
  }

  /** Ends a session at once: its tasks, its nexus and its connections. */
  endSession(session: Session): void {
    session.abort();
  }

  /** Requests a session's initiator to log out, and closes the connections that remain after that time. */
  requestLogout(session: Session, seconds: number): void {
    session.requestLogout(seconds);
  }
}
