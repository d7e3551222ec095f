import { Sense, type SenseCondition } from "../outcome/sense.ts";

/**
 * What an initiator must hear of before it is served again, in the order in which it is told (SAM-5, 5.14: resets
 * come first, the more sweeping before the lesser). What the target consists of comes before what a unit is, and that
 * before how it is set up, since each makes obsolete what is known of the next. A write error that was found too late
 * to be the status of its own command is told in the same way, and after everything that may have caused it.
 */
const ATTENTIONS = [
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

/** The conditions that wait on one I_T_L nexus: each at most once, however often it was established. */
export class UnitAttentionQueue {
  readonly #pending = new Set<Attention>();

  get isEmpty(): boolean {
    return this.#pending.size === 0;
  }

  /**
   * One of them is of the additional sense code 29h, a reset or the loss of the nexus: these come before a reservation
   * conflict, and all others after it (SAM-5, 5.3.3).
   */
  get tellOfReset(): boolean {
    return this.#pending.values().some(({ code }) => code >>> 8 === RESET_CODE);
  }

  establish(attention: Attention): void {
    this.#pending.add(attention);
  }

  /** Forgets a condition that the initiator has found out about in another way. */
  clear(attention: Attention): void {
    this.#pending.delete(attention);
  }

  /** The condition to tell of next, which is thereby cleared; undefined when there is none. */
  take(): SenseCondition | undefined {
    return ATTENTIONS.find((attention) => this.#pending.delete(attention));
  }
}
