/**
 * PERSISTENT RESERVE IN (SPC-4, 6.15). All parameter data except that of REPORT CAPABILITIES begins with a common
 * header:
 *
 * ```text
 *  0-3 | PRGENERATION
 *  4-7 | ADDITIONAL LENGTH, whatever the allocation length
 * ```
 */
import { writeUint16, writeUint32 } from "../../bytes/big_endian.ts";
import { bytesOf, type CdbFields, readField } from "../dispatch/cdb_field.ts";
import { RESERVATION_CONFLICT } from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Operation } from "../outcome/operation.ts";
import { sendList, sendParameterData } from "../pages/parameter_data.ts";
import { isHolder, type PersistentState, type Registration } from "../reservations/persistent_state.ts";
import { NO_KEY, writeKey } from "../reservations/reservation_key.ts";
import { RESERVATION_TYPES } from "../reservations/reservation_types.ts";
import { encodeTransportId, transportIdLength } from "../reservations/transport_id.ts";

/** The fields of every service action. */
export const RESERVE_IN_FIELDS: CdbFields<"allocationLength"> = { allocationLength: bytesOf(7, 2) };

/** Ends the command with the answer for the current state, unless RESERVE holds the logical unit (SPC-2, 5.5.1). */
function report(
  { logicalUnit: { reservations } }: ItlNexus,
  answer: (state: PersistentState) => Operation,
): Operation {
  return reservations.isReserved ? RESERVATION_CONFLICT : answer(reservations.state);
}

function encodeHeader({ generation }: PersistentState, additionalLengthBytes: number): Uint8Array {
  const header = new Uint8Array(8);
  writeUint32(header, 0, generation);
  writeUint32(header, 4, additionalLengthBytes);
  return header;
}

/** Returns SCOPE, which is always the logical unit (0h), and TYPE; zero without a reservation. */
function scopeAndType({ reservation }: PersistentState): number {
  return reservation === undefined ? 0 : RESERVATION_TYPES[reservation.type].code;
}

const KEY_LENGTH_BYTES = 8;

/** READ KEYS: the key of every registration, eight bytes each. */
export function readKeys(nexus: ItlNexus, cdb: Uint8Array, fields: typeof RESERVE_IN_FIELDS): Operation {
  return report(nexus, (state) => {
    const itemsLengthBytes = state.registrations.size * KEY_LENGTH_BYTES;
    const list = {
      header: encodeHeader(state, itemsLengthBytes),
      items: state.registrations.values(),
      itemsLengthBytes,
      encode: ({ key }: Registration) => Uint8Array.fromHex(key),
    };
    return sendList(list, readField(cdb, fields.allocationLength));
  });
}

/**
 * READ RESERVATION (6.15.3): only the header without a reservation, otherwise also
 *
 * ```text
 *   8-15 | the holder's RESERVATION KEY; zero when every registrant is a holder
 *     21 | SCOPE, TYPE
 * ```
 */
export function readReservation(
  nexus: ItlNexus,
  cdb: Uint8Array,
  fields: typeof RESERVE_IN_FIELDS,
): Operation {
  return report(nexus, (state) => {
    const { reservation, registrations } = state;
    if (reservation === undefined) {
      return sendParameterData(encodeHeader(state, 0), readField(cdb, fields.allocationLength));
    }
    const data = new Uint8Array(24);
    const { holder } = reservation;
    data.set(encodeHeader(state, 16));
    writeKey(data, 8, holder === undefined ? NO_KEY : registrations.get(holder)!.key);
    data[21] = scopeAndType(state);
    return sendParameterData(data, readField(cdb, fields.allocationLength));
  });
}

/** Byte 2 of the capabilities: RESERVE and RELEASE as in SPC-4, SPEC_I_PT, ALL_TG_PT, APTPL. */
const CRH = 0x10;
const SIP_C = 0x08;
const ATP_C = 0x04;
const PTPL_C = 0x01;
/**
 * Byte 3. ALLOW COMMANDS 100b: TEST UNIT READY and RECEIVE COPY RESULTS are allowed with every type of reservation,
 * MODE SENSE and its like with all that exclude only writing, as in `ACCESS`.
 */
const TMV = 0x80;
const ALLOW_COMMANDS = 0b100 << 4;
const PTPL_A = 0x01;

/**
 * REPORT CAPABILITIES (6.15.4).
 *
 * ```text
 *  0-1 | LENGTH: 8
 *  2-3 | flags
 *  4-5 | PERSISTENT RESERVATION TYPE MASK: bit TYPE of byte 4, for type 8h bit 0 of byte 5
 * ```
 */
export function reportCapabilities(
  nexus: ItlNexus,
  cdb: Uint8Array,
  fields: typeof RESERVE_IN_FIELDS,
): Operation {
  const { canPersist } = nexus.logicalUnit.reservations;
  return report(nexus, ({ persists }) => {
    const data = new Uint8Array(8);
    writeUint16(data, 0, data.length);
    data[2] = CRH | SIP_C | ATP_C | (canPersist ? PTPL_C : 0);
    data[3] = TMV | ALLOW_COMMANDS | (persists ? PTPL_A : 0);
    for (const { code } of Object.values(RESERVATION_TYPES)) data[4 + (code >>> 3)]! |= 1 << (code & 7);
    return sendParameterData(data, readField(cdb, fields.allocationLength));
  });
}

const R_HOLDER = 0x01;

/** Length of a full status descriptor without its TransportID. */
const DESCRIPTOR_LENGTH_BYTES = 24;

/**
 * READ FULL STATUS (6.15.5): a descriptor for each registration. None of them is for all target ports.
 *
 * ```text
 *    0-7 | RESERVATION KEY
 *     12 | ALL_TG_PT 0, R_HOLDER
 *     13 | SCOPE, TYPE, of a holder
 *  18-19 | RELATIVE TARGET PORT IDENTIFIER
 *  20-23 | ADDITIONAL DESCRIPTOR LENGTH
 *  24-   | TransportID
 * ```
 */
export function readFullStatus(
  nexus: ItlNexus,
  cdb: Uint8Array,
  fields: typeof RESERVE_IN_FIELDS,
): Operation {
  return report(nexus, (state) => {
    const itemsLengthBytes = state.registrations.values().reduce(
      (sum, { initiatorPort }) => sum + DESCRIPTOR_LENGTH_BYTES + transportIdLength(initiatorPort),
      0,
    );
    const list = {
      header: encodeHeader(state, itemsLengthBytes),
      items: state.registrations,
      itemsLengthBytes,
      encode: ([id, registration]: [string, Registration]) =>
        encodeFullStatus(registration, isHolder(state, id) ? scopeAndType(state) : undefined),
    };
    return sendList(list, readField(cdb, fields.allocationLength));
  });
}

/** @param held SCOPE and TYPE; undefined for a registration that is no holder */
function encodeFullStatus(
  { key, initiatorPort, targetPort }: Registration,
  held: number | undefined,
): Uint8Array {
  const transportId = encodeTransportId(initiatorPort);
  const descriptor = new Uint8Array(DESCRIPTOR_LENGTH_BYTES + transportId.length);
  writeKey(descriptor, 0, key);
  if (held !== undefined) {
    descriptor[12] = R_HOLDER;
    descriptor[13] = held;
  }
  writeUint16(descriptor, 18, targetPort);
  writeUint32(descriptor, 20, transportId.length);
  descriptor.set(transportId, DESCRIPTOR_LENGTH_BYTES);
  return descriptor;
}
