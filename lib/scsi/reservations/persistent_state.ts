/**
 * The registrations and the persistent reservation of a logical unit (SPC-4, 5.13) as a value, and functions that
 * evaluate it.
 */
import { ACCESS, type Access } from "../dispatch/access.ts";
import type { NexusIdentity } from "./nexus_identity.ts";
import type { ReservationKey } from "./reservation_key.ts";
import { RESERVATION_TYPES, type ReservationType } from "./reservation_types.ts";

/** A registered I_T nexus and its key, which is never `NO_KEY`. */
export interface Registration extends NexusIdentity {
  readonly key: ReservationKey;
}

/** A persistent reservation. */
export interface Reservation {
  readonly type: ReservationType;
  /** The `nexusId` of the holder; undefined when every registered nexus is a holder (all registrants types). */
  readonly holder: string | undefined;
}

/** The state. The holder of the reservation is registered; if all registrants are holders, there is at least one. */
export interface PersistentState {
  /** PRGENERATION: the number of changes of registrations since power on, modulo 2^32. */
  readonly generation: number;
  /** The last APTPL bit: registrations and reservation survive a loss of power. */
  readonly persists: boolean;
  /** By `nexusId`, in the order of registration. */
  readonly registrations: ReadonlyMap<string, Registration>;
  readonly reservation: Reservation | undefined;
}

/** The state in which no nexus has ever registered. */
export const UNRESERVED: PersistentState = Object.freeze({
  generation: 0,
  persists: false,
  registrations: new Map(),
  reservation: undefined,
});

/** Reports whether a nexus is a holder of the persistent reservation (SPC-4, 5.13.10). */
export function isHolder({ registrations, reservation }: PersistentState, id: string): boolean {
  if (reservation === undefined) return false;
  return reservation.holder === undefined ? registrations.has(id) : reservation.holder === id;
}

/** Reports whether the persistent reservation, if there is one, allows every command of a nexus. */
export function isAdmitted({ registrations, reservation }: PersistentState, id: string): boolean {
  if (reservation === undefined) return true;
  return RESERVATION_TYPES[reservation.type].admits === "holder"
    ? reservation.holder === id
    : registrations.has(id);
}

/** Reports whether a command of this class, from this nexus, conflicts with the reservation (SPC-4, table 65). */
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

/** Removes registrations from the state, and a reservation that has no holder left (SPC-4, table 71). */
export function removeRegistrations(state: PersistentState, ids: ReadonlySet<string>): PersistentState {
  const registrations = new Map(state.registrations);
  for (const id of ids) registrations.delete(id);
  const holder = state.reservation?.holder;
  const isHeld = holder === undefined ? registrations.size > 0 : registrations.has(holder);
  return { ...state, registrations, reservation: isHeld ? state.reservation : undefined };
}
