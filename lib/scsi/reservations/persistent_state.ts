/**
 * Who has registered with a logical unit and who holds its persistent reservation (SPC-4, 5.13): the state as a value,
 * and what can be asked of it.
 */
import { ACCESS, type Access } from "../dispatch/access.ts";
import { type NexusIdentity } from "./nexus_identity.ts";
import type { ReservationKey } from "./reservation_key.ts";
import { RESERVATION_TYPES, type ReservationType } from "./reservation_types.ts";

/** An I_T nexus that has registered, and its key, which is never `NO_KEY`. */
export interface Registration extends NexusIdentity {
  readonly key: ReservationKey;
}

/** A persistent reservation. */
export interface Reservation {
  readonly type: ReservationType;
  /** The one holder, by its `nexusId`; undefined when every registered nexus is a holder (all registrants types). */
  readonly holder: string | undefined;
}

/**
 * The state. The reservation's holder is registered; where all registrants hold it there is one at least.
 */
export interface PersistentState {
  /** PRGENERATION: 32 bits, counts the changes of registrations since power on. */
  readonly generation: number;
  /** The last APTPL bit: registrations and reservation survive a loss of power. */
  readonly persists: boolean;
  /** By `nexusId`, in the order in which they came. */
  readonly registrations: ReadonlyMap<string, Registration>;
  readonly reservation: Reservation | undefined;
}

/** Nobody has registered, and never has. */
export const UNRESERVED: PersistentState = Object.freeze({
  generation: 0,
  persists: false,
  registrations: new Map(),
  reservation: undefined,
});

/** Whether a nexus is a holder of the persistent reservation (SPC-4, 5.13.10). */
export function isHolder({ registrations, reservation }: PersistentState, id: string): boolean {
  if (reservation === undefined) return false;
  return reservation.holder === undefined ? registrations.has(id) : reservation.holder === id;
}

/** Whether the persistent reservation lets a nexus do everything, if there is one. */
export function isAdmitted({ registrations, reservation }: PersistentState, id: string): boolean {
  if (reservation === undefined) return true;
  return RESERVATION_TYPES[reservation.type].admits === "holder"
    ? reservation.holder === id
    : registrations.has(id);
}

/** Whether a command of this class, from this nexus, conflicts with the persistent reservation (SPC-4, table 65). */
export function conflicts(state: PersistentState, id: string, access: Access): boolean {
  const { reservation } = state;
  if (reservation === undefined || isAdmitted(state, id)) return false;
  switch (ACCESS[access].conflictsWith) {
    case "nothing":
      return false;
    case "exclusiveAccess":
      return RESERVATION_TYPES[reservation.type].excludes === "access";
    case "everyType":
      return true;
  }
}

/** The state without some registrations, and without a reservation that nobody holds any more (SPC-4, table 71). */
export function removeRegistrations(state: PersistentState, ids: ReadonlySet<string>): PersistentState {
  const registrations = new Map([...state.registrations].filter(([id]) => !ids.has(id)));
  const holder = state.reservation?.holder;
  const isHeld = holder === undefined ? registrations.size > 0 : registrations.has(holder);
  return { ...state, registrations, reservation: isHeld ? state.reservation : undefined };
}
