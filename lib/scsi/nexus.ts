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

/** What a nexus has to do with others. */
export interface NexusOptions {
  /** The nexuses of the same initiator whose logical units it may copy to and from, as they are then. */
  readonly others?: () => Iterable<Nexus>;
  /** iSCSIProtocolLevel (RFC 7143, 13.24): 1 unless another one was settled. */
  readonly protocolLevel?: number;
  readonly onClose?: (nexus: Nexus) => void;
}

/** VERSION DESCRIPTOR of iSCSI where no version is claimed, to which the protocol level is added (RFC 7144, 4.2). */
const ISCSI_VERSION_DESCRIPTOR = 0x0960;

/** What an initiator has reserved of a logical unit. */
export interface NexusReservation {
  readonly lun: number;
  /** It has registered a key for persistent reservations. */
  readonly isRegistered: boolean;
  /** By its type; "reserve" by RESERVE; null when it holds none. */
  readonly holds: ReservationType | "reserve" | null;
}

/**
 * An I_T nexus (SAM-5): an initiator port and a target port that know each other, from login to logout. It leads
 * each command to the I_T_L nexus that it is meant for.
 */
export class Nexus {
  readonly initiatorPortName: string;
  /** Memory for the data of commands that are not begun before all of it is there, or that wait for their turn. */
  readonly collected = new ByteBudget(COLLECTED_BYTES_MAX);
  readonly #target: TargetDescription;
  readonly #others: () => Iterable<Nexus>;
  readonly #onClose: (nexus: Nexus) => void;
  readonly #itlNexuses = new Map<number, ItlNexus>();
  /** Those of logical units that were taken away, until their last task has ended. */
  readonly #departing = new Set<ItlNexus>();
  /** What is not that of a logical unit: of commands to where there is none, and of those that are closed. */
  readonly #otherTraffic = new Traffic();

  constructor(device: DeviceDescription, initiatorPortName: string, options: NexusOptions = {}) {
    const { others = () => [], onClose = () => {}, protocolLevel = 1 } = options;
    this.initiatorPortName = initiatorPortName;
    this.#target = { ...device, protocolVersion: ISCSI_VERSION_DESCRIPTOR + protocolLevel };
    this.#others = others;
    this.#onClose = onClose;
    for (const [lun, logicalUnit] of device.logicalUnits) this.#attach(lun, logicalUnit);
  }

  /** The target has one more logical unit, of which the initiator is told. */
  add(lun: number, logicalUnit: LogicalUnit): void {
    this.#attach(lun, logicalUnit);
    this.#tellOfLuns();
  }

  /**
   * The target has a logical unit no more, of which the initiator is told. No more commands are led to it; those that
   * are under way end as they would.
   *
   * @returns what resolves when they have
   */
  async remove(lun: number, logicalUnit: LogicalUnit): Promise<void> {
    const itlNexus = this.#itlNexuses.get(lun);
    if (itlNexus?.logicalUnit !== logicalUnit) return;
    this.#itlNexuses.delete(lun);
    itlNexus.depart();
    this.#tellOfLuns();
    this.#departing.add(itlNexus);
    await itlNexus.tasksEnded();
    if (this.#departing.delete(itlNexus)) this.#close(itlNexus);
  }

  /** The list of logical units has changed (SPC-4, 6.33): the initiator is told, on every one that there is. */
  #tellOfLuns(): void {
    for (const itlNexus of this.#itlNexuses.values()) itlNexus.establish(Sense.reportedLunsDataHasChanged);
  }

  #attach(lun: number, logicalUnit: LogicalUnit): void {
    const reach = (naa: string): ItlNexus | undefined => this.#reach(naa, this.#others());
    const onLunsReported = (): void => this.#forgetLuns();
    const common = { initiatorPort: this.initiatorPortName, collected: this.collected };
    this.#itlNexuses.set(lun, new ItlNexus(this.#target, logicalUnit, { ...common, reach, onLunsReported }));
  }

  /** SPC-4, 6.33: whoever has asked for the list need not be told that it has changed, on whatever unit. */
  #forgetLuns(): void {
    for (const { attentions } of this.#itlNexuses.values()) {
      attentions.clear(Sense.reportedLunsDataHasChanged);
    }
  }

  /**
   * Says what becomes of a command.
   *
   * @param lun undefined when the field that should hold it names none
   * @param cdb 16 bytes or more, whatever the command's length; only read during the call
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

  /** Where the transport counts what it does for a logical unit. */
  trafficOf(lun: number | undefined): Traffic {
    return this.#find(lun)?.traffic ?? this.#otherTraffic;
  }

  /** What the initiator has done through this nexus, over all logical units. */
  traffic(): Traffic {
    const itlNexuses = [...this.#itlNexuses.values(), ...this.#departing];
    return totalTraffic([this.#otherTraffic, ...itlNexuses.map(({ traffic }) => traffic)]);
  }

  /** What the initiator has reserved of each logical unit where it has, and whether it has registered there. */
  reservations(): NexusReservation[] {
    return [...this.#itlNexuses].flatMap(([lun, nexus]) => {
      const { reservations } = nexus.logicalUnit;
      const holds = reservations.heldBy(nexus);
      const isRegistered = reservations.state.registrations.has(nexus.id);
      return holds === null && !isRegistered ? [] : [{ lun, isRegistered, holds }];
    });
  }

  /** An outcome in the words of its logical unit: with D_SENSE in its control mode page, in descriptor format. */
  present(lun: number | undefined, outcome: Outcome): Outcome {
    const { status, sense } = outcome;
    if (sense === undefined || this.#find(lun)?.logicalUnit.modes.usesDescriptorSense !== true) {
      return outcome;
    }
    return { status, sense: toDescriptorFormat(sense) };
  }

  /** A task that did not finish during `execute` joins the task set of its logical unit, if there is one. */
  enter(lun: number | undefined, task: Task): void {
    this.#find(lun)?.enter(task);
  }

  /**
   * A task that has ended leaves the task set of its logical unit.
   *
   * @param settled resolves when nothing of it reaches the medium any more; undefined when nothing does already
   */
  leave(lun: number | undefined, task: Task, settled?: Promise<unknown>): void {
    this.#find(lun)?.leave(task, settled);
    for (const itlNexus of this.#departing) itlNexus.leave(task, settled);
  }

  /** The transport has ended a task without a status: the initiator is told of it (RFC 7143, 11.14.5). */
  taskCleared(lun: number | undefined): void {
    this.#find(lun)?.establish(Sense.commandsClearedByProtocolEvent);
  }

  /**
   * Carries out a task management function (SAM-5, 7).
   *
   * @param isAffected tells apart the tasks of this nexus that ABORT TASK SET and CLEAR TASK SET end: all by default
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
        // A cold reset amounts to power on, after which a stopped unit is started again.
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

  /** The I_T nexus is lost (SAM-5, 6.3.4): its tasks are aborted. */
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

  #reach(naa: string, others: Iterable<Nexus>): ItlNexus | undefined {
    for (const nexus of [this, ...others]) {
      const found = nexus.#itlNexuses.values().find(({ logicalUnit }) => logicalUnit.naa === naa);
      if (found !== undefined) return found;
    }
    return undefined;
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

  /** A hard reset (SAM-5, 6.3.2) resets every logical unit of the target device. */
  #resetAll(cause: Attention): TaskManagementResponse {
    for (const { logicalUnit } of this.#itlNexuses.values()) logicalUnit.reset(cause);
    return "functionComplete";
  }
}
