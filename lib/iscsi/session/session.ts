/**
 * A session (RFC 7143, 4.2) of an initiator port with a target, or a discovery session. It owns its connections, the
 * order of its commands, the tasks that are not answered, and the I_T nexus.
 */
import { serialDistance } from "../../bytes/serial_number.ts";
import { formatInitiatorName } from "../../config/iscsi_name.ts";
import type { Nexus } from "../../scsi/nexus.ts";
import { CommandWindow } from "./command_window.ts";
import type { CommandReceiver } from "./held_requests.ts";
import type { EventDetails, EventKind } from "../events/event_log.ts";
import type { Expectation } from "../task/expectation.ts";
import { Limits } from "../limits.ts";
import type { NegotiatedParameters, SessionParameters } from "../negotiation/negotiation.ts";
import type { ScsiTask, TaskOwner } from "../task/scsi_task.ts";
import type { Target } from "../target.ts";
import type { SessionSnapshot } from "./session_snapshot.ts";
import type { ConnectionEnds } from "../byte_stream.ts";
import type { Work } from "../work_under_way.ts";
import type { SessionIdentity } from "../login/identity.ts";

/** A connection in full-feature phase. */
export interface SessionConnection extends TaskOwner, CommandReceiver {
  /** Connection identifier. */
  readonly cid: number;
  readonly ends: ConnectionEnds;
  readonly parameters: NegotiatedParameters;
  /** The last MaxCmdSN that the connection has sent. */
  readonly announcedMaxCmdSN: number;
  /** True once the connection is logged out, or its session is over. */
  readonly isOver: boolean;
  /** Sends MaxCmdSN in a NOP-In. */
  announceWindow(): void;
  /** Closes the connection at once. */
  close(): void;
  /** Receives nothing more, sends the remaining replies and closes the connection. */
  finish(): void;
  /** Carries out nothing more that the initiator may have sent: the connection is logged out. */
  endRequests(): void;
  /** Notifies the initiator that a connection of the session is closed, or is about to be (RFC 7143, 11.9.1). */
  announceDrop(cid: number): void;
  /** Notifies the initiator that all connections of the session are about to be closed. */
  announceEnd(): void;
  /** Waits for the data of R2Ts with these tags, for tasks that are about to end. */
  awaitData(targetTransferTags: readonly number[]): Expectation;
  /** Waits until every status sent so far is acknowledged. Returns undefined when all are. */
  awaitAcknowledgement(): Expectation | undefined;
  /** Requests the initiator to log out, and closes the connection when it has not within that time. */
  requestLogout(seconds: number): void;
}

/** The node that a session belongs to. */
export interface SessionOwner {
  /** Returns every session with a target. */
  sessionsWith(target: Target): Iterable<Session>;
  /** Called when a connection has joined or left a session, with the difference in their number. */
  connectionsChanged(session: Session, difference: number): void;
  /** Called once, when the tasks and the nexus of the session have ended. */
  sessionEnded(session: Session): void;
}

/** The properties of a session that never change, and its node. */
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
  /** The beginning of the session, in milliseconds since 1970 and by the monotonic clock. */
  readonly beganAtMs: number;
  readonly beganMonotonicMs: number;
}

/** A session of an initiator that has logged in. */
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
  /** Tasks that are not answered, by initiator task tag. */
  readonly #tasks = new Map<number, ScsiTask>();
  #immediateTasks = 0;
  /** The number of ended tasks whose work on a medium is not done. */
  #lingeringTasks = 0;
  /** Ended tasks beyond the limit. They keep their places in the window, so repeated aborts cannot pile up work. */
  #keptPlaces = 0;
  /** Initiator task tags of task management requests that are not answered. */
  readonly #managing = new Set<number>();
  /** True once all connections are about to be closed. */
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

  /** The connections of the session, by connection identifier (CID). */
  get connections(): ReadonlyMap<number, SessionConnection> {
    return this.#connections;
  }

  /** The session, as messages name it. */
  get description(): string {
    const what = this.target === undefined ? "discovery" : `[${this.target.config.name}]`;
    return `${this.ends.peerAddress} (${formatInitiatorName(this.identity.initiatorName)}) at ${what}`;
  }

  /** Returns the session, as events name it for programs. */
  eventDetails(event: EventKind): EventDetails {
    const { initiatorName: initiator } = this.identity;
    return { event, peer: this.ends.peerAddress, initiator, target: this.target?.config.iscsiName };
  }

  /** Returns the state of the session as plain data. */
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

  /** Adds a connection. It reinstates, and closes, a connection with the same identifier (6.3.4). */
  join(connection: SessionConnection): void {
    const predecessor = this.#connections.get(connection.cid);
    this.#connections.set(connection.cid, connection);
    this.#owner.connectionsChanged(this, predecessor === undefined ? 1 : 0);
    predecessor?.close();
  }

  /** Removes a connection that is logged out or closed: its tasks end, and its held requests are dropped. */
  leave(connection: SessionConnection): void {
    if (this.#belongs(connection)) {
      this.#connections.delete(connection.cid);
      this.#owner.connectionsChanged(this, -1);
    }
    connection.endRequests();
    this.window.forget(connection);
    // The youngest task is aborted first, so none that waits for an older one begins meanwhile.
    for (const task of [...this.#tasks.values()].reverse()) {
      if (task.owner !== connection) continue;
      task.abort();
      // 11.14.5: the initiator of a session that continues is notified of commands that end without a status.
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

  /** Returns false for a connection that is logged out, or has been reinstated by another. */
  #belongs(connection: SessionConnection): boolean {
    return this.#connections.get(connection.cid) === connection;
  }

  /** Ends the session: notifies the initiator, sends the remaining replies and closes every connection. */
  finish(): void {
    this.#isEnding = true;
    for (const connection of [...this.#connections.values()]) {
      connection.announceEnd();
      connection.finish();
    }
  }

  /**
   * Returns the tasks that a task management function for a task set leaves alone: the initiator sent them after the
   * function, and they arrived earlier (RFC 7143, 11.5.1). A connection delivers in the order of sending, so numbered
   * tasks of the function's own connection were sent before it, and so were immediate ones with its number. Of other
   * connections only lower numbers were sent before it.
   */
  tasksBehind(cmdSN: number, connection: TaskOwner): ReadonlySet<unknown> {
    const isBehind = (task: ScsiTask): boolean => {
      const distance = serialDistance(task.cmdSN, cmdSN);
      return task.owner === connection ? task.immediate && distance < 0 : distance < 1;
    };
    return new Set(this.#tasks.values().filter(isBehind));
  }

  /**
   * Returns true when the number of a function contradicts its connection, which delivered tasks with later numbers
   * before it: 4.2.2.1 demands increasing numbers on a connection.
   */
  contradictsOrder(cmdSN: number, connection: TaskOwner): boolean {
    return this.tasksOf(connection).some((task) => !task.immediate && serialDistance(task.cmdSN, cmdSN) < 1);
  }

  /**
   * Returns what the initiator owes before all tasks of a logical unit, or of all of them, can be reported as ended
   * (4.2.3.3): the data that R2Ts have requested and, with several connections, the acknowledgement of every status,
   * since the PDUs of one connection may overtake those of another.
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

  /** Requests the initiator to log out on every connection (RFC 7143, 11.9.1). */
  requestLogout(seconds: number): void {
    for (const connection of [...this.#connections.values()]) connection.requestLogout(seconds);
  }

  /** Returns the unanswered task with a tag. */
  task(initiatorTaskTag: number): ScsiTask | undefined {
    return this.#tasks.get(initiatorTaskTag);
  }

  /** Returns the unanswered tasks of one connection. */
  tasksOf(owner: TaskOwner): IteratorObject<ScsiTask> {
    return this.#tasks.values().filter((task) => task.owner === owner);
  }

  /** Records a task management request that waits for its response. */
  beginManaging(initiatorTaskTag: number): void {
    this.#managing.add(initiatorTaskTag);
  }

  /** Removes a task management request that is answered. */
  endManaging(initiatorTaskTag: number): void {
    this.#managing.delete(initiatorTaskTag);
  }

  /** Returns true for the tag of a task management request that is not answered. */
  isManaging(initiatorTaskTag: number): boolean {
    return this.#managing.has(initiatorTaskTag) || this.window.holdsManagement(initiatorTaskTag);
  }

  /** True when another immediate command may be carried out. */
  get hasRoomForImmediate(): boolean {
    return this.#immediateTasks + this.#keptPlaces < Limits.immediateCommands;
  }

  /** Lists a task that is not answered at once, here and in the task set of its logical unit. */
  list(task: ScsiTask): void {
    task.isListed = true;
    this.#tasks.set(task.initiatorTaskTag, task);
    if (task.immediate) this.#immediateTasks++;
    this.nexus?.enter(task.lun, task);
  }

  /**
   * Removes a task that has ended from both lists.
   *
   * @param settled resolves when nothing of the task can still reach the medium; undefined when nothing can
   */
  unlist(task: ScsiTask, settled?: Promise<unknown>): void {
    task.isListed = false;
    this.#tasks.delete(task.initiatorTaskTag);
    if (task.immediate) this.#immediateTasks--;
    this.nexus?.leave(task.lun, task, settled);
  }

  /** Counts an ended task whose work continues, and occupies memory. */
  beginLingering(): void {
    this.#countLingering(1);
  }

  /** Ends the count of such a task: its work is done. */
  endLingering(): void {
    this.#countLingering(-1);
  }

  #countLingering(change: 1 | -1): void {
    this.#lingeringTasks += change;
    this.#keptPlaces = Math.max(0, this.#lingeringTasks - Limits.lingeringTasks);
  }

  /** Opens the window by as much as the tasks leave of it. */
  openWindow(): void {
    this.window.open(this.#tasks.size - this.#immediateTasks + this.#keptPlaces);
  }

  /** Records work that continues after its task has ended. */
  addWork(work: Work): void {
    this.target?.work.add(work, this);
    if (this.#isClosed) this.target?.work.sessionEnded(this);
  }

  /**
   * Resolves when nothing under way at the target now can still change the medium of one LUN, or of any when `lun` is
   * undefined. Returns undefined when nothing can.
   */
  settled(lun?: number): Promise<unknown> | undefined {
    return this.target?.work.settled(lun);
  }

  /** True while a task management request is not answered. */
  get isManagingAny(): boolean {
    return this.#managing.size > 0;
  }

  /** True when any connection has sent the current MaxCmdSN. */
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
    this.target?.work.sessionEnded(this);
    this.#owner.sessionEnded(this);
  }

  /** Ends the session and all its connections at once. */
  abort(): void {
    this.close();
    for (const connection of [...this.#connections.values()]) connection.close();
  }
}

/** Formats an initiator session identifier as its 12 hexadecimal digits. */
export function formatIsid(isid: number): string {
  return isid.toString(16).padStart(12, "0");
}
