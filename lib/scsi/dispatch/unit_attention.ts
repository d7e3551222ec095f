import { Sense, type SenseCondition } from "../outcome/sense.ts";

/**
 * The conditions that are reported to an initiator before its next command is executed, in the order of their reports
 * (SAM-5, 5.14: resets first, the more sweeping before the lesser). The inventory of the target precedes the identity
 * of a unit, which precedes its settings, since each invalidates the next. A write error that was detected too late for
 * the status of its own command is reported in the same way, after all conditions that may have caused it.
 */
export const ATTENTIONS = [
  Sense.powerOnOccurred,
  Sense.powerOnResetOrBusDeviceResetOccurred,
  Sense.scsiBusResetOccurred,
  Sense.busDeviceResetFunctionOccurred,
  Sense.nexusLossOccurred,
  Sense.reportedLunsDataHasChanged,
  Sense.inquiryDataHasChanged,
  Sense.capacityDataHasChanged,
  Sense.notReadyToReadyChange,
  Sense.modeParametersChanged,
  Sense.reservationsPreempted,
  Sense.reservationsReleased,
  Sense.registrationsPreempted,
  Sense.commandsClearedByAnotherInitiator,
  Sense.commandsClearedByProtocolEvent,
  Sense.thinProvisioningSoftThresholdReached,
  Sense.deferredWriteError,
] as const;

/** ADDITIONAL SENSE CODE of all resets, and of the loss of a nexus. */
const RESET_CODE = 0x29;

/** One of the conditions that wait for an initiator. */
export type Attention = typeof ATTENTIONS[number];

/** The conditions that are pending on one I_T_L nexus, each once, even if it was established several times. */
export class UnitAttentionQueue {
  readonly #pending = new Set<Attention>();

  get isEmpty(): boolean {
    return this.#pending.size === 0;
  }

  /**
   * A condition with the additional sense code 29h (a reset, or the loss of the nexus) is pending. Such a condition
   * precedes a reservation conflict, and all others follow it (SAM-5, 5.3.3).
   */
  get hasReset(): boolean {
    return this.#pending.values().some(({ code }) => code >>> 8 === RESET_CODE);
  }

  /** Makes a condition pending. */
  establish(attention: Attention): void {
    this.#pending.add(attention);
  }

  /** Removes a condition that the initiator has detected in another way. */
  clear(attention: Attention): void {
    this.#pending.delete(attention);
  }

  /** Removes the first condition and returns it; undefined when none is pending. */
  take(): SenseCondition | undefined {
    return ATTENTIONS.find((attention) => this.#pending.delete(attention));
  }
}
