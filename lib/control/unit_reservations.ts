import type { ReservationType } from "../scsi/reservations/reservation_types.ts";

/** Everything that is reserved of a LUN: plain data. */
export interface UnitReservations {
  /** The target's name in the conf. */
  readonly target: string;
  readonly targetName: string;
  readonly lun: number;
  /** False when what was kept cannot be read: the LUN is not served then, and the rest is as if there was nothing. */
  readonly areKnown: boolean;
  /** PRGENERATION: counts the changes of registrations. */
  readonly generation: number;
  /** Registrations and reservation outlive a loss of power (APTPL). */
  readonly persists: boolean;
  /** In the order in which they came. */
  readonly registrations: readonly RegistrationFigures[];
  /** The type of the persistent reservation; null when there is none. */
  readonly type: ReservationType | null;
  /** Who holds the reservation of RESERVE; null when nobody does. */
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
  /** It holds the persistent reservation. */
  readonly holds: boolean;
  readonly isLoggedIn: boolean;
}
