/**
 * The text of a state file that holds the persistent reservations of a logical unit, one entry for each registration.
 * Keys are strings there too, since a number cannot hold 64 bits. PRGENERATION is not saved: power on sets it to zero
 * (SPC-4, 6.15.2).
 */
import { formatState, parseState } from "../../store/state_text.ts";
import { nexusId } from "./nexus_identity.ts";
import { type PersistentState, type Registration, type Reservation, UNRESERVED } from "./persistent_state.ts";
import { NO_KEY } from "./reservation_key.ts";
import { isReservationType, RESERVATION_TYPES } from "./reservation_types.ts";
import { REGISTRATIONS_MAX } from "./transition.ts";
import { toInitiatorPort } from "./transport_id.ts";
import { isRecord } from "../../base/is_record.ts";

const VERSION = 2;

/** A reservation, as in the text. */
interface ReservationEntry {
  readonly type: string;
  /** The index of the holder's registration; null when all registrants are holders. */
  readonly holder: number | null;
}

/** The reservation with the longest text. */
const LONGEST_RESERVATION: ReservationEntry = {
  type: Object.keys(RESERVATION_TYPES).reduce((a, b) => a.length >= b.length ? a : b),
  holder: REGISTRATIONS_MAX - 1,
};

/**
 * Formats a state; one that does not persist is saved as empty (SPC-4, 5.13.5.1).
 *
 * The length of the text depends only on the registrations, not on the reservation. A request that adds no registration
 * does not make the text longer, and so needs no further space.
 */
export function formatReservations(state: PersistentState): string {
  const { persists, registrations, reservation } = state.persists ? state : UNRESERVED;
  const ids = [...registrations.keys()];
  const entry = reservation === undefined ? null : {
    type: reservation.type,
    holder: reservation.holder === undefined ? null : ids.indexOf(reservation.holder),
  };
  const list = [...registrations.values()];
  return layOut(persists, list, entry).padEnd(layOut(false, list, LONGEST_RESERVATION).length);
}

function layOut(
  persists: boolean,
  registrations: readonly Registration[],
  reservation: ReservationEntry | null,
): string {
  return formatState({ version: VERSION, body: { persists, registrations, reservation } });
}

/**
 * Parses a text.
 *
 * Everything is checked, because a misread reservation would admit fenced-off initiators.
 *
 * @throws {SyntaxError} when the text is invalid, with the reason
 * @throws {NewerStateError} when a newer version of this program has written the text
 */
export function parseReservations(text: string): PersistentState {
  const { persists, registrations: list, reservation: entry } = parseState(text, VERSION).body;
  if (typeof persists !== "boolean") throw new SyntaxError('it has no "persists"');
  if (!Array.isArray(list)) throw new SyntaxError('it has no list "registrations"');
  const registrations = new Map<string, Registration>();
  for (const item of list) {
    const registration = toRegistration(item);
    registrations.set(nexusId(registration), registration);
  }
  if (registrations.size !== list.length) throw new SyntaxError("a nexus is registered twice");
  const reservation = toReservation(entry, [...registrations.keys()]);
  if (!persists && list.length > 0) throw new SyntaxError('it has registrations, but "persists" is false');
  return { generation: 0, persists, registrations, reservation };
}

function toRegistration(value: unknown): Registration {
  const { initiatorPort, targetPort, key } = isRecord(value) ? value : {};
  if (typeof initiatorPort !== "string" || toInitiatorPort(initiatorPort) !== initiatorPort) {
    throw new SyntaxError(`${JSON.stringify(initiatorPort)} is not an initiator port`);
  }
  if (
    typeof targetPort !== "number" || !Number.isInteger(targetPort) || targetPort < 1 || targetPort > 0xffff
  ) {
    throw new SyntaxError(`${JSON.stringify(targetPort)} is not a target port`);
  }
  if (typeof key !== "string" || !/^[0-9a-f]{16}$/.test(key) || key === NO_KEY) {
    throw new SyntaxError(`${JSON.stringify(key)} is not a reservation key`);
  }
  return { initiatorPort, targetPort, key };
}

function toReservation(value: unknown, ids: readonly string[]): Reservation | undefined {
  if (value === null) return undefined;
  const { type, holder } = isRecord(value) ? value : {};
  if (!isReservationType(type)) throw new SyntaxError(`${JSON.stringify(type)} is not a type of reservation`);
  const isHeldByAll = RESERVATION_TYPES[type].admits === "registrantsAsHolders";
  const id = typeof holder === "number" ? ids[holder] : undefined;
  const isConsistent = isHeldByAll ? holder === null && ids.length > 0 : id !== undefined;
  if (!isConsistent) throw new SyntaxError("its reservation has no registered holder");
  return { type, holder: id };
}
