/**
 * The iSCSI node (RFC 7143, 4.1): all targets of this server, who is connected to them, and who may be. It owns the
 * register of sessions and the limits that hold over all of them.
 *
 * Default deny: a target that does not exist and one that this initiator may not use from here look the same from
 * outside, and are told apart in the log, with the rule that refused.
 */
import type { InterfaceAddress } from "../access/interfaces.ts";
import { mayUse } from "../access/policy.ts";
import { targetPortals } from "../access/target_portals.ts";
import { formatPortal } from "../bytes/network.ts";
import type { Config, TargetConfig } from "../config/config.ts";
import { foldIscsiName } from "../config/iscsi_name.ts";
import type { Nexus } from "../scsi/nexus.ts";
import type { TargetDevice } from "../scsi/target_device.ts";
import type { ByteStream } from "./byte_stream.ts";
import { Connection, type ConnectionEnds, type ConnectionOwner, type Establishment } from "./connection.ts";
import type { EventLog } from "./event_log.ts";
import { Limits } from "./limits.ts";
import { type LoginIdentity, TARGET_PORTAL_GROUP_TAG } from "./login.ts";
import { LoginStatus } from "./login_status.ts";
import { loginFailed } from "./protocol_error.ts";
import { Session } from "./session.ts";
import type { KeyValue } from "./text.ts";
import { type Work, WorkUnderWay } from "./work_under_way.ts";

/** A target as its conf describes it, and the SCSI device behind it. */
export interface Target {
  readonly config: TargetConfig;
  readonly device: TargetDevice;
}

interface Registration {
  readonly session: Session;
  readonly connection: Connection;
  /** Undefined for a discovery session. */
  readonly target: Target | undefined;
}

/** What a node is made of. */
export interface TargetNodeOptions {
  readonly targets: readonly Target[];
  /** Most sessions and connections in full-feature phase, over all targets. */
  readonly limits: Pick<Config, "sessions" | "connections">;
  readonly interfaces: readonly InterfaceAddress[];
  readonly log: EventLog;
}

/** All targets of a server. */
export class TargetNode implements ConnectionOwner {
  readonly log: EventLog;
  readonly #limits: Pick<Config, "sessions" | "connections">;
  readonly #interfaces: readonly InterfaceAddress[];
  /** By folded iSCSI name; a target with an alias is listed twice. */
  readonly #targets = new Map<string, Target>();
  readonly #connections = new Set<Connection>();
  /** By target session identifying handle. */
  readonly #sessions = new Map<number, Registration>();
  readonly #underWay = new Map<Target, WorkUnderWay>();
  #lastTsih = 0;
  #isStopping = false;

  constructor(options: TargetNodeOptions) {
    this.log = options.log;
    this.#limits = options.limits;
    this.#interfaces = options.interfaces;
    for (const target of options.targets) {
      this.#underWay.set(target, new WorkUnderWay());
      this.#targets.set(target.config.iscsiName, target);
      if (target.config.aliasIscsiName !== undefined) this.#targets.set(target.config.aliasIscsiName, target);
    }
  }

  /** Serves a peer until it is gone. */
  async serve(stream: ByteStream, ends: ConnectionEnds): Promise<void> {
    if (this.#isStopping || !this.#hasRoomForLogin(ends)) return stream.close();
    const connection = new Connection(stream, ends, this);
    this.#connections.add(connection);
    try {
      await connection.run();
    } finally {
      this.#connections.delete(connection);
    }
  }

  #hasRoomForLogin({ peerAddress }: ConnectionEnds): boolean {
    const inLogin = [...this.#connections].filter((connection) => connection.isInLogin);
    const fromThere = inLogin.filter(({ ends }) => ends.peerAddress === peerAddress);
    const hasRoom = inLogin.length < Limits.connectionsInLogin &&
      fromThere.length < Limits.connectionsInLoginPerAddress;
    if (!hasRoom) this.log.warning(`${peerAddress}: refused, too many connections are logging in`);
    return hasRoom;
  }

  /** Takes no more commands, lets what was answered go out, and ends every connection. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    const connections = [...this.#connections];
    for (const connection of connections) connection.finish();
    await Promise.all(connections.map((connection) => connection.closed));
    await Promise.all(this.#underWay.values().map((works) => works.done()));
  }

  authorize({ ends }: Connection, identity: LoginIdentity): string | undefined {
    const { initiatorName, targetName } = identity;
    if (targetName === undefined) return undefined;
    const target = this.#targets.get(targetName);
    if (target === undefined) {
      throw loginFailed(
        LoginStatus.notFound,
        `login of "${initiatorName}" refused: there is no target "${targetName}"`,
      );
    }
    const decision = mayUse(target.config, { initiatorName, ...ends }, this.#interfaces);
    if (!decision.allowed) {
      throw loginFailed(LoginStatus.notFound, `login of "${initiatorName}" refused: ${decision.rule}`);
    }
    return target.config.comment;
  }

  establish(connection: Connection, identity: LoginIdentity, cmdSN: number): Establishment {
    if (identity.tsih !== 0) throw this.#refusalToJoin(identity);
    const predecessor = this.#predecessorOf(identity);
    this.#checkRoom(identity, predecessor);
    if (predecessor !== undefined) {
      // 6.3.5: the tasks of the session that is reinstated end before the new one begins.
      this.log.info(`${this.#describe(predecessor)}: session is reinstated by its initiator`);
      predecessor.connection.close();
    }
    const target = this.#targetOf({ identity });
    const portName = `${identity.initiatorName},i,0x${hex(identity.isid, 12)}`;
    const nexus = target?.device.openNexus(portName, () => this.#nexusesInReach(connection, identity));
    const session = new Session({ tsih: this.#newTsih(), identity, cmdSN, nexus });
    const registration = { session, connection, target };
    this.#sessions.set(session.tsih, registration);
    if (target !== undefined) this.log.info(`${this.#describe(registration)}: session begins`);
    // Whatever an earlier session left under way must not reach the medium behind the back of this one.
    return { session, predecessor: this.settled(session) };
  }

  /**
   * What an initiator may copy to and from: the nexuses of its other sessions, with targets that it may also use over
   * this connection. A name that somebody else has logged in with from elsewhere opens nothing.
   */
  #nexusesInReach({ ends }: Connection, { initiatorName }: LoginIdentity): Nexus[] {
    return [...this.#sessions.values()].flatMap(({ session, target }) => {
      const isOfInitiator = session.identity.initiatorName === initiatorName;
      if (!isOfInitiator || target === undefined || session.nexus === undefined) return [];
      const { allowed } = mayUse(target.config, { initiatorName, ...ends }, this.#interfaces);
      return allowed ? [session.nexus] : [];
    });
  }

  /** 6.3.1: a TSIH asks to join a session, which holds one connection only (MaxConnections=1). */
  #refusalToJoin(identity: LoginIdentity): Error {
    const theirs = this.#sessions.get(identity.tsih)?.session.identity;
    const exists = theirs !== undefined && theirs.initiatorName === identity.initiatorName &&
      theirs.isid === identity.isid && theirs.targetName === identity.targetName;
    return exists
      ? loginFailed(LoginStatus.tooManyConnections, `session ${identity.tsih} has its one connection already`)
      : loginFailed(LoginStatus.sessionDoesNotExist, `there is no session ${identity.tsih} to join`);
  }

  /** The session of the same I_T nexus: same initiator port, that is name and ISID, and same target (4.4.3). */
  #predecessorOf(identity: LoginIdentity): Registration | undefined {
    const { initiatorName, isid } = identity;
    const target = this.#targetOf({ identity });
    return this.#sessions.values().find(({ session, target: theirs }) =>
      session.identity.initiatorName === initiatorName && session.identity.isid === isid && theirs === target
    );
  }

  #checkRoom(identity: LoginIdentity, predecessor: Registration | undefined): void {
    const isDiscovery = identity.targetName === undefined;
    const alike = [...this.#sessions.values()].filter((other) =>
      other !== predecessor && (other.target === undefined) === isDiscovery
    );
    const limits = isDiscovery
      ? [["discovery sessions", Limits.discoverySessions] as const]
      : [["sessions", this.#limits.sessions] as const, ["connections", this.#limits.connections] as const];
    for (const [name, limit] of limits) {
      if (alike.length < limit) continue;
      throw loginFailed(
        LoginStatus.outOfResources,
        `login of "${identity.initiatorName}" refused: the limit of ${limit} ${name} is reached`,
      );
    }
  }

  #newTsih(): number {
    do {
      this.#lastTsih = this.#lastTsih % 0xffff + 1;
    } while (this.#sessions.has(this.#lastTsih));
    return this.#lastTsih;
  }

  endSession(session: Session): void {
    const registration = this.#sessions.get(session.tsih);
    if (registration?.session !== session) return;
    this.#sessions.delete(session.tsih);
    session.close();
    if (registration.target !== undefined) this.log.info(`${this.#describe(registration)}: session ends`);
  }

  /** RFC 7143, 11.5.1: TARGET COLD RESET ends all sessions with the target. */
  resetTarget(session: Session): void {
    const target = this.#targetOf(session);
    if (target === undefined) return;
    for (const registration of [...this.#sessions.values()]) {
      if (registration.target === target) registration.connection.finish();
    }
  }

  sendTargets(connection: Connection, session: Session, value: string): readonly KeyValue[] | undefined {
    const own = session.identity.targetName;
    // RFC 7143, Appendix C: only a discovery session may ask for more than its own target.
    if (own !== undefined) {
      return value === "" || foldIscsiName(value) === own
        ? this.#targetRecord(connection, own, this.#targets.get(own)!)
        : undefined;
    }
    if (value === "") return undefined;
    const { initiatorName } = session.identity;
    return [...this.#targets]
      // Under "All" a target is told once, by its own name, and not again by its alias.
      .filter(([name, { config }]) =>
        value === "All" ? name === config.iscsiName : name === foldIscsiName(value)
      )
      .filter(([, { config }]) =>
        mayUse(config, { initiatorName, ...connection.ends }, this.#interfaces).allowed
      )
      .flatMap(([name, target]) => this.#targetRecord(connection, name, target));
  }

  #targetRecord({ ends }: Connection, name: string, target: Target): readonly KeyValue[] {
    const addresses = targetPortals(target.config, ends, this.#interfaces);
    return [
      ["TargetName", name],
      ...addresses.map((address): KeyValue => [
        "TargetAddress",
        `${formatPortal(address, ends.localPort)},${TARGET_PORTAL_GROUP_TAG}`,
      ]),
    ];
  }

  underWay(session: Session, work: Work): void {
    const target = this.#targetOf(session);
    if (target !== undefined) this.#underWay.get(target)!.add(work);
  }

  settled(session: Session, lun?: number): Promise<unknown> | undefined {
    const target = this.#targetOf(session);
    return target === undefined ? undefined : this.#underWay.get(target)!.settled(lun);
  }

  #targetOf({ identity: { targetName } }: Pick<Session, "identity">): Target | undefined {
    return targetName === undefined ? undefined : this.#targets.get(targetName);
  }

  #describe({ session, connection, target }: Registration): string {
    const what = target === undefined ? "discovery" : `[${target.config.name}]`;
    return `${connection.ends.peerAddress} (${session.identity.initiatorName}) at ${what}`;
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}
