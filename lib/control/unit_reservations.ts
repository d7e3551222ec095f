import type { ReservationType } from "../scsi/reservations/reservation_types.ts";

/** The reservations of a LUN, as plain data. */
export interface UnitReservations {
  /** The target's name in the conf. */
  readonly target: string;
  readonly targetName: string;
  readonly lun: number;
  /** False when the stored reservations are unreadable; then the LUN is not served and the other fields are empty. */
  readonly areKnown: boolean;
  /** PRGENERATION: counts the changes of registrations. */
  readonly generation: number;
  /** True if registrations and reservation persist through power loss (APTPL). */
  readonly persists: boolean;
  /** The registrations in their order of arrival. */
  readonly registrations: readonly RegistrationFigures[];
  /** The type of the persistent reservation; null when there is none. */
  readonly type: ReservationType | null;
  /** The holder of the reservation that RESERVE made; null when there is none. */
  readonly reservedBy: InitiatorPort | null;
}

/** An initiator port. */
export interface InitiatorPort {
  readonly initiatorName: string;
  /** 12 hexadecimal digits. */
  readonly isid: string;
}

/** An initiator port that has registered. */
export interface RegistrationFigures extends InitiatorPort {
  /** 16 hexadecimal digits. */
  readonly key: string;
  /** True if it holds the persistent reservation. */
  readonly holds: boolean;
  readonly isLoggedIn: boolean;
}
