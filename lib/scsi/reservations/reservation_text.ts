/**
 * A logical unit's persistent reservations as text, to outlive a loss of power: JSON, a registration an entry. Keys and
 * names are texts there too, so that nothing of 64 bits goes through a number. PRGENERATION is not kept: power on sets
 * it to zero (SPC-4, 6.15.2).
 */
import { nexusId } from "./nexus_identity.ts";
import { type PersistentState, type Registration, type Reservation, UNRESERVED } from "./persistent_state.ts";
import { NO_KEY } from "./reservation_key.ts";
import { isReservationType, RESERVATION_TYPES } from "./reservation_types.ts";
import { toInitiatorPort } from "./transport_id.ts";

const VERSION = 1;

/** The text to keep; of a state that is not to persist, that there is none (SPC-4, 5.13.5.1). */
export function formatReservations(state: PersistentState): string {
  const { persists, registrations, reservation } = state.persists ? state : UNRESERVED;
  const ids = [...registrations.keys()];
  return JSON.stringify(
    {
      version: VERSION,
      persists,
      registrations: [...registrations.values()],
      reservation: reservation === undefined ? null : {
        type: reservation.type,
        holder: reservation.holder === undefined ? null : ids.indexOf(reservation.holder),
      },
    },
    null,
    2,
  ) + "\n";
}

/**
 * Reads a text back.
 *
 * Everything is checked: a reservation that is misread would let those write who have been fenced off.
 *
 * @throws {SyntaxError} that says what is wrong with the text
 */
export function parseReservations(text: string): PersistentState {
  const document: unknown = JSON.parse(text);
  if (!isRecord(document)) throw new SyntaxError("it is not a JSON object");
  const { version, persists } = document;
  if (version !== VERSION) throw new SyntaxError(`its version is ${JSON.stringify(version)}, not ${VERSION}`);
  if (typeof persists !== "boolean") throw new SyntaxError('it has no "persists"');
  const list = document["registrations"];
  if (!Array.isArray(list)) throw new SyntaxError('it has no list "registrations"');
  const registrations = new Map<string, Registration>();
  for (const item of list) {
    const registration = toRegistration(item);
    registrations.set(nexusId(registration), registration);
  }
  if (registrations.size !== list.length) throw new SyntaxError("a nexus is registered twice");
  const reservation = toReservation(document["reservation"], [...registrations.keys()]);
  if (!persists && list.length > 0) throw new SyntaxError("it has registrations that were not to be kept");
  return { generation: 0, persists, registrations, reservation };
}

function toRegistration(value: unknown): Registration {
  const { initiatorPort, targetPort, key } = isRecord(value) ? value : {};
  if (typeof initiatorPort !== "string" || toInitiatorPort(initiatorPort) !== initiatorPort) {
    throw new SyntaxError(`${JSON.stringify(initiatorPort)} is no initiator port`);
  }
  if (
    typeof targetPort !== "number" || !Number.isInteger(targetPort) || targetPort < 1 || targetPort > 0xffff
  ) {
    throw new SyntaxError(`${JSON.stringify(targetPort)} is no target port`);
  }
  if (typeof key !== "string" || !/^[0-9a-f]{16}$/.test(key) || key === NO_KEY) {
    throw new SyntaxError(`${JSON.stringify(key)} is no reservation key`);
  }
  return { initiatorPort, targetPort, key };
}

function toReservation(value: unknown, ids: readonly string[]): Reservation | undefined {
  if (value === null) return undefined;
  const { type, holder } = isRecord(value) ? value : {};
  if (!isReservationType(type)) throw new SyntaxError(`${JSON.stringify(type)} is no type of reservation`);
  const isHeldByAll = RESERVATION_TYPES[type].admits === "registrantsAsHolders";
  const id = typeof holder === "number" ? ids[holder] : undefined;
  const isConsistent = isHeldByAll ? holder === null && ids.length > 0 : id !== undefined;
  if (!isConsistent) throw new SyntaxError("its reservation is held by nobody who is registered");
  return { type, holder: id };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
