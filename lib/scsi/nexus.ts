import { COLLECTED_BYTES_MAX } from "./medium/atomic_limits.ts";
import { ByteBudget } from "./medium/byte_budget.ts";
import { toDescriptorFormat } from "./outcome/descriptor_sense.ts";
import type { Command } from "./dispatch/command.ts";
import { findCommand } from "./dispatch/command_table.ts";
import { executeCommand, executeWithoutLogicalUnit } from "./dispatch/device_server.ts";
import { CANCELLED, refused } from "./outcome/finished.ts";
import { ItlNexus } from "./itl_nexus.ts";
import type { LogicalUnit } from "./logical_unit.ts";
import type { Operation } from "./outcome/operation.ts";
import type { Outcome } from "./outcome/outcome.ts";
import type { ReservationType } from "./reservations/reservation_types.ts";
import { Sense } from "./outcome/sense.ts";
import type { DeviceDescription, TargetDescription } from "./target_description.ts";
import type { Task } from "./task.ts";
import { TaskAttribute } from "./task_attribute.ts";
import type { TaskManagementFunction, TaskManagementResponse } from "./task_management.ts";
import { CommandKind, totalTraffic, Traffic } from "./counters/traffic.ts";
import type { Attention } from "./dispatch/unit_attention.ts";

/** The relations of a nexus to its surroundings. */
export interface NexusOptions {
  /** Returns those of the initiator's nexuses that `has` accepts and whose units it may copy at that time. */
  readonly others?: (has: (nexus: Nexus) => boolean) => Iterable<Nexus>;
  /** Returns the number of the logical unit of the device that has an NAA designator; undefined when none has. */
  readonly lunOf?: (naa: string) => number | undefined;
  /** iSCSIProtocolLevel (RFC 7143, 13.24): 1 by default. */
  readonly protocolLevel?: number;
  readonly onClose?: (nexus: Nexus) => void;
}

/** VERSION DESCRIPTOR of iSCSI without a version, to which the protocol level is added (RFC 7144, 4.2). */
const ISCSI_VERSION_DESCRIPTOR = 0x0960;

/** The reservation of a logical unit by an initiator. */
export interface NexusReservation {
  readonly lun: number;
  /** The initiator has registered a key for persistent reservations. */
  readonly isRegistered: boolean;
  /** The type of the reservation; "reserve" for that of RESERVE; null for none. */
  readonly holds: ReservationType | "reserve" | null;
}

/**
 * An I_T nexus (SAM-5): the relation between an initiator port and a target port, from login to logout. It routes each
 * command to the I_T_L nexus of its logical unit.
 */
export class Nexus {
  readonly initiatorPortName: string;
  /** Memory for the data of commands that collect all of it before they begin, or that wait in a task set. */
  readonly collected = new ByteBudget(COLLECTED_BYTES_MAX);
  readonly #target: TargetDescription;
  readonly #others: Required<NexusOptions>["others"];
  readonly #lunOf: (naa: string) => number | undefined;
  readonly #onClose: (nexus: Nexus) => void;
  readonly #itlNexuses = new Map<number, ItlNexus>();
  /** The I_T_L nexuses of removed logical units, until their last task has ended. */
  readonly #departing = new Set<ItlNexus>();
  /** Traffic to numbers without a logical unit, and of closed I_T_L nexuses. */
  readonly #otherTraffic = new Traffic();

  constructor(device: DeviceDescription, initiatorPortName: string, options: NexusOptions = {}) {
    const { others = () => [], lunOf = () => undefined, onClose = () => {}, protocolLevel = 1 } = options;
    this.initiatorPortName = initiatorPortName;
    this.#target = { ...device, protocolVersion: ISCSI_VERSION_DESCRIPTOR + protocolLevel };
    this.#others = others;
    this.#lunOf = lunOf;
    this.#onClose = onClose;
    for (const [lun, logicalUnit] of device.logicalUnits) this.#attach(lun, logicalUnit);
  }

  /** Adds a logical unit and notifies the initiator. */
  add(lun: number, logicalUnit: LogicalUnit): void {
    this.#attach(lun, logicalUnit);
    this.#notifyOfLuns();
  }

  /**
   * Removes a logical unit and notifies the initiator. New commands to it are refused, running ones finish.
   *
   * @returns a promise that resolves when the last one has finished
   */
  async remove(lun: number, logicalUnit: LogicalUnit): Promise<void> {
    const itlNexus = this.#itlNexuses.get(lun);
    if (itlNexus?.logicalUnit !== logicalUnit) return;
    this.#itlNexuses.delete(lun);
    itlNexus.depart();
    this.#notifyOfLuns();
    this.#departing.add(itlNexus);
    await itlNexus.tasksEnded();
    if (this.#departing.delete(itlNexus)) this.#close(itlNexus);
  }

  /** Notifies the initiator, on every logical unit, that their list has changed (SPC-4, 6.33). */
  #notifyOfLuns(): void {
    for (const itlNexus of this.#itlNexuses.values()) itlNexus.establish(Sense.reportedLunsDataHasChanged);
  }

  #attach(lun: number, logicalUnit: LogicalUnit): void {
    const reach = (naa: string): ItlNexus | undefined => this.#reach(naa);
    const onLunsReported = (): void => this.#clearLunsChanged();
    const common = { initiatorPort: this.initiatorPortName, collected: this.collected };
    this.#itlNexuses.set(lun, new ItlNexus(this.#target, logicalUnit, { ...common, reach, onLunsReported }));
  }

  /** Clears the notifications of a changed list on every unit, because the initiator has read it (SPC-4, 6.33). */
  #clearLunsChanged(): void {
    for (const { attentions } of this.#itlNexuses.values()) {
      attentions.clear(Sense.reportedLunsDataHasChanged);
    }
  }

  /**
   * Executes a command.
   *
   * @param lun undefined when the LUN field is in a form that is not supported
   * @param cdb 16 bytes or more, whatever the command's length; read only during the call
   */
  execute(lun: number | undefined, cdb: Uint8Array): Operation {
    return this.#execute(lun, findCommand(cdb), cdb);
  }

  #execute(lun: number | undefined, command: Command | undefined, cdb: Uint8Array): Operation {
    const itlNexus = this.#find(lun);
    return itlNexus === undefined
      ? executeWithoutLogicalUnit(this.#target, command, cdb)
      : executeCommand(itlNexus, command, cdb);
  }

  /**
   * Executes the command of a task by its task attribute (SAM-5, 8). A command that must wait for others is executed
   * later, in the state of that time. Sets the kind of the task.
   *
   * @param cdb as for `execute`
   */
  submit(lun: number | undefined, cdb: Uint8Array, task: Task): Operation {
    const command = findCommand(cdb);
    task.kind = command === undefined ? CommandKind.other : command.kind;
    const itlNexus = this.#find(lun);
    if (itlNexus === undefined) return executeWithoutLogicalUnit(this.#target, command, cdb);
    const isFree = task.attribute === TaskAttribute.simple && itlNexus.logicalUnit.tasks.restricting === 0;
    return isFree
      ? executeCommand(itlNexus, command, cdb)
      : this.#submitInOrder(itlNexus, lun, command, cdb, task);
  }

  #submitInOrder(
    itlNexus: ItlNexus,
    lun: number | undefined,
    command: Command | undefined,
    cdb: Uint8Array,
    task: Task,
  ): Operation {
    // SAM-5, 8.6: NORMACA is zero, so there is never an ACA condition.
    if (task.attribute === TaskAttribute.aca) return refused(Sense.invalidMessageError);
    if (command?.isHeadOfQueue === true || itlNexus.admits(task.attribute)) {
      return executeCommand(itlNexus, command, cdb);
    }
    const kept = cdb.slice();
    const gaveUp = Promise.withResolvers<void>();
    let isCancelled = false;
    const cancel = (): void => {
      isCancelled = true;
      gaveUp.resolve();
    };
    const turn = Promise.race([gaveUp.promise, itlNexus.wait(task)]);
    const operation = turn.then(() => isCancelled ? CANCELLED : this.#execute(lun, command, kept));
    return { kind: "later", operation, mayTakeData: true, changesNothing: true, cancel };
  }

  /** Returns the traffic counters of a logical unit, for the transport. */
  trafficOf(lun: number | undefined): Traffic {
    return this.#find(lun)?.traffic ?? this.#otherTraffic;
  }

  /** Returns the traffic of this nexus, over all logical units. */
  traffic(): Traffic {
    const itlNexuses = [...this.#itlNexuses.values(), ...this.#departing];
    return totalTraffic([this.#otherTraffic, ...itlNexuses.map(({ traffic }) => traffic)]);
  }

  /** Returns the reservations and registrations of the initiator, for each logical unit that has any. */
  reservations(): NexusReservation[] {
    return [...this.#itlNexuses].flatMap(([lun, nexus]) => {
      const { reservations } = nexus.logicalUnit;
      const holds = reservations.heldBy(nexus);
      const isRegistered = reservations.state.registrations.has(nexus.id);
      return holds === null && !isRegistered ? [] : [{ lun, isRegistered, holds }];
    });
  }

  /** Converts an outcome to the sense format of its logical unit: D_SENSE in its control mode page selects it. */
  present(lun: number | undefined, outcome: Outcome): Outcome {
    const { status, sense } = outcome;
    if (sense === undefined || this.#find(lun)?.logicalUnit.modes.usesDescriptorSense !== true) {
      return outcome;
    }
    return { status, sense: toDescriptorFormat(sense) };
  }

  /** Adds a task that did not finish during `execute` to the task set of its logical unit, if there is one. */
  enter(lun: number | undefined, task: Task): void {
    this.#find(lun)?.enter(task);
  }

  /**
   * Removes a task that has ended from the task set of its logical unit.
   *
   * @param settled resolves when the task cannot change the medium further; undefined when it already cannot
   */
  leave(lun: number | undefined, task: Task, settled?: Promise<unknown>): void {
    if (this.#find(lun)?.leave(task, settled) === true) return;
    for (const itlNexus of this.#departing) if (itlNexus.leave(task, settled)) return;
  }

  /** Notifies the initiator that the transport has ended a task without a status (RFC 7143, 11.14.5). */
  taskCleared(lun: number | undefined): void {
    this.#find(lun)?.establish(Sense.commandsClearedByProtocolEvent);
  }

  /**
   * Carries out a task management function (SAM-5, 7).
   *
   * @param isAffected selects the tasks of this nexus that ABORT TASK SET and CLEAR TASK SET abort: all by default
   */
  manage(
    fn: TaskManagementFunction,
    lun: number | undefined,
    isAffected?: (task: Task) => boolean,
  ): TaskManagementResponse {
    switch (fn) {
      case "clearAca":
        return "functionNotSupported";
      case "targetWarmReset":
        return this.#resetAll(Sense.scsiBusResetOccurred);
      case "targetColdReset":
        // A cold reset is equivalent to power on, which also starts a stopped unit.
        for (const { logicalUnit } of this.#itlNexuses.values()) logicalUnit.start();
        return this.#resetAll(Sense.powerOnOccurred);
      case "nexusReset":
        for (const itlNexus of this.#itlNexuses.values()) itlNexus.lose();
        return "functionComplete";
      case "abortTaskSet":
      case "clearTaskSet":
      case "queryTaskSet":
      case "logicalUnitReset": {
        const itlNexus = this.#find(lun);
        return itlNexus === undefined ? "lunDoesNotExist" : this.#manageUnit(fn, itlNexus, isAffected);
      }
    }
  }

  /** Ends the I_T nexus (SAM-5, 6.3.4) and aborts its tasks. */
  close(): void {
    for (const itlNexus of [...this.#itlNexuses.values(), ...this.#departing]) this.#close(itlNexus);
    this.#itlNexuses.clear();
    this.#departing.clear();
    this.#onClose(this);
  }

  #close(itlNexus: ItlNexus): void {
    itlNexus.close();
    this.#otherTraffic.add(itlNexus.traffic);
  }

  /** Finds a logical unit here or, with more work, in the other nexuses of the initiator. */
  #reach(naa: string): ItlNexus | undefined {
    const own = this.#findUnit(naa);
    if (own !== undefined) return own;
    // Access is decided only for the nexus that has the unit: there may be a thousand others.
    for (const nexus of this.#others((nexus) => nexus.#findUnit(naa) !== undefined)) {
      const found = nexus.#findUnit(naa);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #findUnit(naa: string): ItlNexus | undefined {
    return this.#find(this.#lunOf(naa));
  }

  #find(lun: number | undefined): ItlNexus | undefined {
    return lun === undefined ? undefined : this.#itlNexuses.get(lun);
  }

  #manageUnit(
    fn: "abortTaskSet" | "clearTaskSet" | "queryTaskSet" | "logicalUnitReset",
    itlNexus: ItlNexus,
    isAffected?: (task: Task) => boolean,
  ): TaskManagementResponse {
    switch (fn) {
      case "abortTaskSet":
        itlNexus.abortTasks(isAffected);
        break;
      case "clearTaskSet":
        itlNexus.logicalUnit.clearTaskSet(itlNexus, isAffected);
        break;
      case "queryTaskSet":
        return itlNexus.hasTasks ? "functionSucceeded" : "functionComplete";
      case "logicalUnitReset":
        itlNexus.logicalUnit.reset(Sense.busDeviceResetFunctionOccurred);
        break;
    }
    return "functionComplete";
  }

  /** Performs a hard reset (SAM-5, 6.3.2), which resets every logical unit of the target device. */
  #resetAll(cause: Attention): TaskManagementResponse {
    for (const { logicalUnit } of this.#itlNexuses.values()) logicalUnit.reset(cause);
    return "functionComplete";
  }
}
