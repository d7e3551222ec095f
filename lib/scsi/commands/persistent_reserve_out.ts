/**
 * PERSISTENT RESERVE OUT (SPC-4, 6.16). SCOPE and TYPE are in the CDB, the rest is in the parameter list:
 *
 * ```text
 *        basic (6.16.3)                          REGISTER AND MOVE (6.16.4)
 *    0-7 | RESERVATION KEY                         0-7 | RESERVATION KEY
 *   8-15 | SERVICE ACTION RESERVATION KEY         8-15 | SERVICE ACTION RESERVATION KEY
 *     20 | SPEC_I_PT, ALL_TG_PT, APTPL              17 | UNREG, APTPL
 *  24-27 | TRANSPORTID PARAMETER DATA LENGTH     18-19 | RELATIVE TARGET PORT IDENTIFIER
 *  28-   | TransportIDs                          20-23 | TRANSPORTID LENGTH
 *        |   (both with SPEC_I_PT only)          24-   | TransportID
 * ```
 *
 * The target device has one port, so ALL_TG_PT has no effect.
 */
import { readUint16, readUint32 } from "../../bytes/big_endian.ts";
import { ABSENT, bitsOf, bytesOf, type CdbFields, readField, refuseField } from "../dispatch/cdb_field.ts";
import {
  FINISHED_GOOD,
  refused,
  refusedForField,
  refusedForParameter,
  RESERVATION_CONFLICT,
} from "../outcome/finished.ts";
import type { ItlNexus } from "../itl_nexus.ts";
import type { Finished, Operation } from "../outcome/operation.ts";
import { refuseReserved, takeParameterList } from "../pages/parameter_list.ts";
import type { NexusIdentity } from "../reservations/nexus_identity.ts";
import { readKey } from "../reservations/reservation_key.ts";
import { findReservationType } from "../reservations/reservation_types.ts";
import type { ReservationResult } from "../reservations/reservations.ts";
import {
  isAuthorized,
  type ReservationRefusal,
  type ReservationRequest,
} from "../reservations/transition.ts";
import { decodeTransportId, initiatorNameOf } from "../reservations/transport_id.ts";
import { Sense } from "../outcome/sense.ts";
import type { Bits } from "../dispatch/set_bits.ts";

type Action = ReservationRequest["action"];

/** The fields of the service actions that reserve or release. */
export const RESERVE_OUT_FIELDS: CdbFields<"scope" | "type" | "listLength"> = {
  scope: bitsOf(2, 0xf0),
  type: bitsOf(2, 0x0f),
  listLength: bytesOf(5, 4),
};

/** The fields of the other service actions, which ignore SCOPE and TYPE. */
export const RESERVE_OUT_REGISTER_FIELDS: typeof RESERVE_OUT_FIELDS = {
  ...RESERVE_OUT_FIELDS,
  scope: ABSENT,
  type: ABSENT,
};

const LIST_LENGTH_BYTES = 24;
/** Longest parameter list: some hundred TransportIDs. */
const LIST_LENGTH_MAX_BYTES = 64 * 1024;
const TRANSPORT_ID_LENGTH_MIN_BYTES = 24;

/** The flags of the two layouts, and their bytes. */
const FLAGS_BYTE = 20;
const SPEC_I_PT = 0x08;
const APTPL = 0x01;
const MOVE_FLAGS_BYTE = 17;
const UNREG = 0x02;

/** Bytes 16 to 19 and 22 to 23 of the basic layout are obsolete, and ignored for a whole logical unit (SPC-2). */
const RESERVED_OF_BASIC: Bits = [FLAGS_BYTE, 0xf2, 21, 0xff];
const RESERVED_OF_MOVE: Bits = [16, 0xff, MOVE_FLAGS_BYTE, 0xfc];

/** The refusals, by the reason. */
const REFUSALS: Readonly<Record<ReservationRefusal | "cannotSave", Finished>> = {
  conflict: RESERVATION_CONFLICT,
  invalidScope: refuseField(RESERVE_OUT_FIELDS.scope),
  invalidType: refuseField(RESERVE_OUT_FIELDS.type),
  invalidServiceActionKey: refusedForParameter(8),
  invalidInitiatorPorts: refusedForParameter(FLAGS_BYTE, 3),
  invalidTargetPort: refusedForParameter(18),
  invalidDestination: refusedForParameter(24),
  nothingToMove: refusedForField(1, 4),
  invalidRelease: refused(Sense.invalidReleaseOfPersistentReservation),
  tooManyRegistrations: refused(Sense.insufficientRegistrationResources),
  cannotSave: refused(Sense.insufficientRegistrationResources),
};

const LENGTH_ERROR = refused(Sense.parameterListLengthError);

/** Returns the I_T nexuses that are logged in or registered, by the names of their initiators. */
function groupKnownNexuses({ logicalUnit, identity }: ItlNexus): ReadonlyMap<string, NexusIdentity[]> {
  const { nexuses, reservations } = logicalUnit;
  const known = [
    ...[...nexuses].map((nexus) => nexus.identity),
    ...reservations.state.registrations.values(),
  ].filter(({ targetPort }) => targetPort === identity.targetPort);
  return Map.groupBy(known, ({ initiatorPort }) => initiatorNameOf(initiatorPort));
}

/** Returns the nexuses that the TransportIDs of a list name (SPC-4, table 215), or a refusal. */
function readInitiatorPorts(nexus: ItlNexus, list: Uint8Array): NexusIdentity[] | Finished {
  if (list.length < LIST_LENGTH_BYTES + 4) return LENGTH_ERROR;
  const { targetPort } = nexus.identity;
  const start = LIST_LENGTH_BYTES + 4;
  const end = start + readUint32(list, LIST_LENGTH_BYTES);
  if (end > list.length) return LENGTH_ERROR;
  const known = groupKnownNexuses(nexus);
  // A list may name a nexus more than once.
  const ports = new Set<string>();
  const initiators = new Set<string>();
  for (let offset = start; offset < end;) {
    const decoded = decodeTransportId(list.subarray(offset, end));
    if (decoded === undefined) return refusedForParameter(offset);
    const { id, lengthBytes } = decoded;
    if (id.kind === "port") ports.add(id.initiatorPort);
    else initiators.add(id.initiatorName);
    offset += lengthBytes;
  }
  for (const name of initiators) {
    for (const { initiatorPort } of known.get(name) ?? []) ports.add(initiatorPort);
  }
  return [...ports].map((initiatorPort) => ({ initiatorPort, targetPort }));
}

/** Returns the nexus that a reservation is moved to, or a refusal; undefined when there is no such target port. */
function readDestination(nexus: ItlNexus, list: Uint8Array): NexusIdentity | undefined | Finished {
  const lengthBytes = readUint32(list, 20);
  if (LIST_LENGTH_BYTES + lengthBytes > list.length) return LENGTH_ERROR;
  if (lengthBytes < TRANSPORT_ID_LENGTH_MIN_BYTES || lengthBytes % 4 !== 0) return refusedForParameter(20);
  const decoded = decodeTransportId(list.subarray(LIST_LENGTH_BYTES, LIST_LENGTH_BYTES + lengthBytes));
  // The one holder of a reservation is a port, not an initiator with all of its ports.
  if (decoded?.id.kind !== "port") return refusedForParameter(LIST_LENGTH_BYTES);
  const targetPort = readUint16(list, 18);
  const { initiatorPort } = decoded.id;
  return targetPort === nexus.target.relativePortIdentifier ? { initiatorPort, targetPort } : undefined;
}

/** The SCOPE and TYPE of a CDB. */
interface ScopeAndType {
  readonly scope: number;
  readonly type: number;
}

/** Returns the request of a CDB and its parameter list, or a refusal. */
function readRequest(
  nexus: ItlNexus,
  action: Action,
  { scope, type }: ScopeAndType,
  list: Uint8Array,
): ReservationRequest | Finished {
  const refusal = refuseReserved(list, action === "registerAndMove" ? RESERVED_OF_MOVE : RESERVED_OF_BASIC);
  if (refusal !== undefined) return refusal;
  const key = readKey(list, 0);
  const newKey = readKey(list, 8);
  if (action === "registerAndMove") {
    const destination = readDestination(nexus, list);
    if (destination !== undefined && "kind" in destination) return destination;
    const flags = list[MOVE_FLAGS_BYTE]!;
    const [unregisters, persists] = [(flags & UNREG) !== 0, (flags & APTPL) !== 0];
    return { action, key, newKey, unregisters, persists, destination };
  }
  const flags = list[FLAGS_BYTE]!;
  const persists = (flags & APTPL) !== 0;
  const specifiesPorts = (flags & SPEC_I_PT) !== 0;
  if (specifiesPorts && action !== "register") return refusedForParameter(FLAGS_BYTE, 3);
  if (!specifiesPorts && list.length !== LIST_LENGTH_BYTES) return LENGTH_ERROR;
  const reserving = {
    key,
    isUnitScope: scope === 0,
    type: findReservationType(type),
  };
  switch (action) {
    case "register": {
      const others = specifiesPorts ? readInitiatorPorts(nexus, list) : undefined;
      return others !== undefined && "kind" in others ? others : { action, key, newKey, persists, others };
    }
    case "registerAndIgnoreExistingKey":
      return { action, key, newKey, persists };
    case "clear":
      return { action, key };
    case "reserve":
    case "release":
      return { action, ...reserving };
    case "preempt":
    case "preemptAndAbort":
      return { action, victimKey: newKey, ...reserving };
  }
}

/** Refuses APTPL if reservations cannot survive a loss of power; undefined when the request is possible. */
function refusePersistence({ logicalUnit }: ItlNexus, request: ReservationRequest): Finished | undefined {
  if (!("persists" in request) || !request.persists || logicalUnit.reservations.canPersist) return undefined;
  return refusedForParameter(request.action === "registerAndMove" ? MOVE_FLAGS_BYTE : FLAGS_BYTE, 0);
}

/** Ends the command. PREEMPT AND ABORT ends only when no aborted command can still change the medium. */
function finish(result: ReservationResult): Operation {
  if (result.kind === "refused") return REFUSALS[result.refusal];
  if (result.settled === undefined) return FINISHED_GOOD;
  return { kind: "later", operation: result.settled.then(() => FINISHED_GOOD), changesNothing: true };
}

function perform(nexus: ItlNexus, action: Action, scopeAndType: ScopeAndType, list: Uint8Array): Operation {
  const { identity, id, logicalUnit: { reservations } } = nexus;
  const request = readRequest(nexus, action, scopeAndType, list);
  const refusal = "kind" in request ? request : refusePersistence(nexus, request);
  if (refusal === undefined) return reservations.perform(identity, request as ReservationRequest, finish);
  // SAM-5, 5.3.3: a conflict precedes every other error.
  const isConflict = reservations.isReserved ||
    !isAuthorized(reservations.state, id, { action, key: readKey(list, 0) });
  return isConflict ? RESERVATION_CONFLICT : refusal;
}

/** Returns the function of PERSISTENT RESERVE OUT with the service action for `action`. */
export function persistentReserveOut(
  action: Action,
): (nexus: ItlNexus, cdb: Uint8Array, fields: typeof RESERVE_OUT_FIELDS) => Operation {
  return (nexus, cdb, fields) => {
    const lengthBytes = readField(cdb, fields.listLength);
    const scopeAndType = { scope: readField(cdb, fields.scope), type: readField(cdb, fields.type) };
    if (lengthBytes < LIST_LENGTH_BYTES || lengthBytes > LIST_LENGTH_MAX_BYTES) return LENGTH_ERROR;
    return takeParameterList(lengthBytes, (list) => perform(nexus, action, scopeAndType, list));
  };
}
