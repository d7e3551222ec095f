/**
 * A session (RFC 7143, 4.2): one initiator port at one target, or a discovery session. It owns its connections and what
 * outlives a PDU: the order of commands, the tasks that are not answered yet, and the I_T nexus.
 */
import { serialDistance } from "../../bytes/serial_number.ts";
import type { Nexus } from "../../scsi/nexus.ts";
import { type CommandReceiver, CommandWindow } from "./command_window.ts";
import type { EventDetails, EventKind } from "../events/event_log.ts";
import type { Expectation } from "../task/expectation.ts";
import { Limits } from "../limits.ts";
import type { SessionIdentity } from "../login/login.ts";
import type { NegotiatedParameters, SessionParameters } from "../negotiation/negotiation.ts";
import type { NegotiationOutcome } from "../negotiation/negotiation_request.ts";
import type { ScsiTask, TaskOwner } from "../task/scsi_task.ts";
import type { Target } from "../target.ts";
import type { SessionSnapshot } from "./session_snapshot.ts";
import type { ConnectionEnds } from "../byte_stream.ts";
import type { Work } from "../work_under_way.ts";

/** A connection in full-feature phase, as its session needs it. */
export interface SessionConnection extends TaskOwner, CommandReceiver {
  /** Connection identifier. */
  readonly cid: number;
  readonly ends: ConnectionEnds;
  readonly parameters: NegotiatedParameters;
  /** The MaxCmdSN that it has sent last. */
  readonly announcedMaxCmdSN: number;
  /** Ends it at once. */
  close(): void;
  /** Takes nothing more from the peer; what waits is sent, and then it is closed. */
  finish(): void;
  /** It is logged out: what the initiator may have sent besides is not carried out. */
  endRequests(): void;
  /** RFC 7143, 11.9.1: tells the initiator that a connection of the session is closed, or is about to be. */
  announceDrop(cid: number): void;
  /** Tells the initiator that the target is about to close all connections of the session. */
  announceEnd(): void;
  /** Waits for the data that was asked for with these tags, for tasks that are about to end. */
  awaitData(targetTransferTags: readonly number[]): Expectation;
  /** Waits until the initiator has acknowledged every status sent so far; undefined when it has. */
  awaitAcknowledgement(): Expectation | undefined;
  /** Asks the initiator to log out, and closes the connection when it has not within that time. */
  requestLogout(seconds: number): void;
  /** Asks the initiator to negotiate, and says what has come of it. */
  requestNegotiation(): Promise<NegotiationOutcome>;
}

/** The node that a session belongs to. */
export interface SessionOwner {
  /** Returns every session with a target. */
  sessionsWith(target: Target): Iterable<Session>;
  /** Called once, when the tasks and the nexus of the session have ended. */
  sessionEnded(session: Session): void;
}

/** What a session is from its beginning to its end. */
export interface SessionOptions {
  readonly owner: SessionOwner;
  /** Target session identifying handle. */
  readonly tsih: number;
  readonly identity: SessionIdentity;
  readonly parameters: SessionParameters;
  /** Undefined for a discovery session. */
  readonly target: Target | undefined;
  /** Undefined for a discovery session, which carries no commands. */
  readonly nexus: Nexus | undefined;
  /** The number of the first command. */
  readonly cmdSN: number;
  /** The ends of its leading connection. */
  readonly ends: ConnectionEnds;
  /** When it began, in milliseconds since 1970, and by a clock that never goes back. */
  readonly beganAtMs: number;
  readonly beganMonotonicMs: number;
}

/** An initiator that has logged in. */
export class Session {
  readonly #owner: SessionOwner;
  readonly tsih: number;
  readonly identity: SessionIdentity;
  readonly parameters: SessionParameters;
  readonly target: Target | undefined;
  readonly nexus: Nexus | undefined;
  readonly ends: ConnectionEnds;
  readonly beganAtMs: number;
  readonly beganMonotonicMs: number;
  readonly window: CommandWindow;
  /** By connection identifier (CID). */
  readonly #connections = new Map<number, SessionConnection>();
  /** Commands that are not answered yet, by initiator task tag. */
  readonly #tasks = new Map<number, ScsiTask>();
  #immediateTasks = 0;
  /** Tasks that are over, but for work that a medium has not finished. */
  #lingeringTasks = 0;
  /** Those of them that keep their places in the window: or commands that are aborted again and again would pile up. */
  #keptPlaces = 0;
  /** Task management requests that are not answered yet, by initiator task tag. */
  readonly #managing = new Set<number>();
  /** All its connections are about to be closed. */
  #isEnding = false;
  #isClosed = false;

  constructor(options: SessionOptions) {
    this.#owner = options.owner;
    this.tsih = options.tsih;
    this.identity = options.identity;
    this.parameters = options.parameters;
    this.target = options.target;
    this.nexus = options.nexus;
    this.ends = options.ends;
    this.beganAtMs = options.beganAtMs;
    this.beganMonotonicMs = options.beganMonotonicMs;
    this.window = new CommandWindow(options.cmdSN);
  }

  /** The connections that belong to it, by connection identifier (CID). */
  get connections(): ReadonlyMap<number, SessionConnection> {
    return this.#connections;
  }

  /** Who it is, for messages. */
  get description(): string {
    const what = this.target === undefined ? "discovery" : `[${this.target.config.name}]`;
    return `${this.ends.peerAddress} (${this.identity.initiatorName}) at ${what}`;
  }

  /** Who it is, for programs that read the log. */
  eventDetails(event: EventKind): EventDetails {
    const { initiatorName: initiator } = this.identity;
    return { event, peer: this.ends.peerAddress, initiator, target: this.target?.config.iscsiName };
  }

  /** How it is at this moment. */
  snapshot(): SessionSnapshot {
    const { tsih, identity, beganAtMs, nexus } = this;
    return {
      tsih,
      isid: formatIsid(identity.isid),
      initiatorName: identity.initiatorName,
      targetName: this.target?.config.iscsiName ?? null,
      beganAtMs,
      connections: [...this.#connections].map(([cid, { ends, parameters }]) => ({
        cid,
        ...ends,
        parameters,
      })),
      reservations: nexus?.reservations() ?? [],
      traffic: nexus?.traffic().figures() ?? null,
    };
  }

  /** A connection has logged in. One that has the same identifier is reinstated by it, and is closed (6.3.4). */
  join(connection: SessionConnection): void {
    const predecessor = this.#connections.get(connection.cid);
    this.#connections.set(connection.cid, connection);
    predecessor?.close();
  }

  /** A connection is logged out or closed: its tasks end, and what it has brought before its turn is dropped. */
  leave(connection: SessionConnection): void {
    if (this.#belongs(connection)) this.#connections.delete(connection.cid);
    connection.endRequests();
    this.window.forget(connection);
    // The youngest first: none of those that wait for others begins in between.
    for (const task of [...this.#tasks.values()].reverse()) {
      if (task.owner !== connection) continue;
      task.abort();
      // 11.14.5: where the session goes on, its initiator hears that commands have ended without a status.
      this.nexus?.taskCleared(task.lun);
    }
  }

  /**
   * Removes a connection that is closed, and ends the session with its last one. The initiator is notified over the
   * others when it does not expect the loss.
   */
  lose(connection: SessionConnection): void {
    const isUnexpected = this.#belongs(connection) && !this.#isEnding;
    this.leave(connection);
    if (isUnexpected) { for (const other of this.#connections.values()) other.announceDrop(connection.cid); }
    if (this.#connections.size === 0) this.close();
  }

  /** One that is logged out, or has been reinstated by another, does not. */
  #belongs(connection: SessionConnection): boolean {
    return this.#connections.get(connection.cid) === connection;
  }

  /** The target ends the session: the initiator is told, what was answered goes out, and every connection is closed. */
  finish(): void {
    this.#isEnding = true;
    for (const connection of [...this.#connections.values()]) {
      connection.announceEnd();
      connection.finish();
    }
  }

  /**
   * The tasks that a function for a task set leaves alone: those that were sent behind it, and have arrived before it
   * over another connection (RFC 7143, 11.5.1). Immediate commands with its number were sent before it.
   */
  tasksBehind(cmdSN: number): ReadonlySet<unknown> {
    const isBehind = (task: ScsiTask): boolean =>
      serialDistance(task.cmdSN, cmdSN) < (task.immediate ? 0 : 1);
    return new Set(this.#tasks.values().filter(isBehind));
  }

  /**
   * What the initiator owes before it may be told that all tasks of a logical unit, or of all of them, have ended
   * (4.2.3.3): the data that the target has asked for and, since one connection's PDUs may overtake another's, that it
   * has received what was sent before.
   *
   * @param spared tasks that do not end
   */
  owed(lun: number | undefined, spared: ReadonlySet<unknown>): Expectation[] {
    const connections = [...this.#connections.values()];
    const tasks = [...this.#tasks.values()].filter((task) =>
      (lun === undefined || task.lun === lun) && !spared.has(task)
    );
    const data = connections.flatMap((connection) => {
      const tags = tasks.filter(({ owner }) => owner === connection).flatMap(({ dataOut }) =>
        dataOut?.readyToTransfers.map(({ targetTransferTag }) => targetTransferTag) ?? []
      );
      return tags.length === 0 ? [] : [connection.awaitData(tags)];
    });
    if (connections.length === 1) return data;
    return [...data, ...connections.flatMap((connection) => connection.awaitAcknowledgement() ?? [])];
  }

  /** RFC 7143, 11.9.1: asks the initiator to log out on every connection. */
  requestLogout(seconds: number): void {
    for (const connection of [...this.#connections.values()]) connection.requestLogout(seconds);
  }

  /**
   * RFC 7143, 11.9.1: asks the initiator to negotiate on every connection, since it is over each that its parameters
   * are settled. Resolves with the least that it has done about one that is still there.
   */
  async requestNegotiation(): Promise<NegotiationOutcome> {
    const connections = [...this.#connections.values()];
    const outcomes = await Promise.all(connections.map((connection) => connection.requestNegotiation()));
    if (outcomes.includes("silent")) return "silent";
    return outcomes.includes("negotiated") ? "negotiated" : "loggedOut";
  }

  task(initiatorTaskTag: number): ScsiTask | undefined {
    return this.#tasks.get(initiatorTaskTag);
  }

  /** The tasks of one of its connections. */
  tasksOf(owner: TaskOwner): IterableIterator<ScsiTask> {
    return this.#tasks.values().filter((task) => task.owner === owner);
  }

  /** A task management request waits for what it has to wait for, before its response. */
  beginManaging(initiatorTaskTag: number): void {
    this.#managing.add(initiatorTaskTag);
  }

  /** It is answered. */
  endManaging(initiatorTaskTag: number): void {
    this.#managing.delete(initiatorTaskTag);
  }

  /** Whether this is the tag of a task management request that is not answered yet. */
  isManaging(initiatorTaskTag: number): boolean {
    return this.#managing.has(initiatorTaskTag) || this.window.holdsManagement(initiatorTaskTag);
  }

  /** One more immediate command may be taken up. */
  get hasRoomForImmediate(): boolean {
    return this.#immediateTasks + this.#keptPlaces < Limits.immediateCommands;
  }

  /** A task that is not answered at once is listed, here and in the task set of its logical unit. */
  list(task: ScsiTask): void {
    task.isListed = true;
    this.#tasks.set(task.initiatorTaskTag, task);
    if (task.immediate) this.#immediateTasks++;
    this.nexus?.enter(task.lun, task);
  }

  /**
   * The opposite of `list`, when a task is over.
   *
   * @param settled resolves when nothing of it reaches the medium any more; undefined when nothing does already
   */
  unlist(task: ScsiTask, settled?: Promise<unknown>): void {
    task.isListed = false;
    this.#tasks.delete(task.initiatorTaskTag);
    if (task.immediate) this.#immediateTasks--;
    this.nexus?.leave(task.lun, task, settled);
  }

  /** A task is over, and work that it has begun goes on: what that takes in memory counts as long as it does. */
  beginLingering(): void {
    this.#countLingering(1);
  }

  /** The opposite of `beginLingering`, when the work is done. */
  endLingering(): void {
    this.#countLingering(-1);
  }

  #countLingering(change: 1 | -1): void {
    this.#lingeringTasks += change;
    this.#keptPlaces = Math.max(0, this.#lingeringTasks - Limits.lingeringTasks);
  }

  /** Gives the initiator what the tasks that are over leave of the window. */
  openWindow(): void {
    this.window.open(this.#tasks.size - this.#immediateTasks + this.#keptPlaces);
  }

  /** Records work that continues after its task has ended. */
  addWork(work: Work): void {
    this.target?.work.add(work, this);
  }

  /**
   * Resolves when nothing under way at the target now can still change the medium of one LUN, or of any when `lun` is
   * undefined. Returns undefined when nothing can.
   */
  settled(lun?: number): Promise<unknown> | undefined {
    return this.target?.work.settled(lun);
  }

  /** A response to task management is still to be sent. */
  get isManagingAny(): boolean {
    return this.#managing.size > 0;
  }

  /** The initiator has been sent MaxCmdSN as it is, over whatever connection. */
  get isWindowAnnounced(): boolean {
    const { maxCmdSN } = this.window;
    return this.#connections.values().some(({ announcedMaxCmdSN }) => announcedMaxCmdSN === maxCmdSN);
  }

  /** Ends every session with the same target, for TARGET COLD RESET (RFC 7143, 11.5.1). */
  resetTarget(): void {
    if (this.target === undefined) return;
    for (const session of this.#owner.sessionsWith(this.target)) session.finish();
  }

  /** Ends every task and the nexus. The connections may still send their last replies. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = this.#isEnding = true;
    for (const connection of this.#connections.values()) connection.endRequests();
    for (const task of [...this.#tasks.values()].reverse()) task.abort();
    this.nexus?.close();
    this.#owner.sessionEnded(this);
  }

  /** Ends the session and all its connections at once. */
  abort(): void {
    this.close();
    for (const connection of [...this.#connections.values()]) connection.close();
  }
}

/** An initiator session identifier as its 12 hexadecimal digits. */
export function formatIsid(isid: number): string {
  return isid.toString(16).padStart(12, "0");
}
