/**
 * The transitions of persistent reservations by PERSISTENT RESERVE OUT (SPC-4, 5.13.7 to 5.13.11 and 6.16): from a
 * state and a request to the next state and the nexuses to notify.
 */
import { nexusId, type NexusIdentity } from "./nexus_identity.ts";
import {
  isHolder,
  type PersistentState,
  type Registration,
  removeRegistrations,
} from "./persistent_state.ts";
import { NO_KEY, type ReservationKey } from "./reservation_key.ts";
import { RESERVATION_TYPES, type ReservationType } from "./reservation_types.ts";

/** Most registrations of a logical unit. One initiator can register many nexuses (SPEC_I_PT). */
export const REGISTRATIONS_MAX = 1024;

/** A request that registers a nexus. */
interface Registering {
  /** RESERVATION KEY: the key under which the sender claims to be registered. */
  readonly key: ReservationKey;
  /** SERVICE ACTION RESERVATION KEY: `NO_KEY` to unregister. */
  readonly newKey: ReservationKey;
  /** APTPL. */
  readonly persists: boolean;
}

/** A request with a scope and a type of reservation. */
interface Reserving {
  readonly key: ReservationKey;
  /** SCOPE is the logical unit, the only one that is supported. */
  readonly isUnitScope: boolean;
  /** Undefined when TYPE is not supported. */
  readonly type: ReservationType | undefined;
}

/** A request, by its service action. */
export type ReservationRequest =
  /** `others` are registered besides the sender (SPEC_I_PT); undefined without SPEC_I_PT. */
  | { readonly action: "register"; readonly others: readonly NexusIdentity[] | undefined } & Registering
  | { readonly action: "registerAndIgnoreExistingKey" } & Registering
  /** `destination` is undefined when there is no such target port. */
  | {
    readonly action: "registerAndMove";
    readonly unregisters: boolean;
    readonly destination: NexusIdentity | undefined;
  } & Registering
  | { readonly action: "reserve" } & Reserving
  | { readonly action: "release" } & Reserving
  | { readonly action: "clear"; readonly key: ReservationKey }
  | { readonly action: "preempt" | "preemptAndAbort"; readonly victimKey: ReservationKey } & Reserving;

/** The reason that a request is refused. */
export type ReservationRefusal =
  | "conflict"
  | "invalidScope"
  | "invalidType"
  | "invalidServiceActionKey"
  | "invalidInitiatorPorts"
  | "invalidTargetPort"
  | "invalidDestination"
  | "nothingToMove"
  | "invalidRelease"
  | "tooManyRegistrations";

/** A unit attention condition to establish for a nexus. */
export interface Notice {
  readonly id: string;
  readonly attention: "reservationsPreempted" | "reservationsReleased" | "registrationsPreempted";
}

/** The result of a request. */
export type Transition =
  | {
    readonly kind: "accepted";
    readonly state: PersistentState;
    readonly notices: readonly Notice[];
    /** Nexuses whose commands must be aborted (PREEMPT AND ABORT). */
    readonly aborted: readonly string[];
  }
  | { readonly kind: "refused"; readonly refusal: ReservationRefusal };

function refuse(refusal: ReservationRefusal): Transition {
  return { kind: "refused", refusal };
}

function accept(
  state: PersistentState,
  notices: readonly Notice[] = [],
  aborted: readonly string[] = [],
): Transition {
  return { kind: "accepted", state, notices, aborted };
}

/** Increments PRGENERATION (SPC-4, 6.15.2), as every service action but RESERVE and RELEASE does. */
function incrementGeneration(state: PersistentState): PersistentState {
  return { ...state, generation: (state.generation + 1) >>> 0 };
}

/** Returns the same notice for all registered nexuses except some. */
function noticesFor(
  { registrations }: PersistentState,
  attention: Notice["attention"],
  isExcepted: (id: string) => boolean,
): Notice[] {
  return [...registrations.keys()].filter((id) => !isExcepted(id)).map((id) => ({ id, attention }));
}

/** Reports whether a release must be notified to other nexuses than the one holder (SPC-4, 5.13.11.2.2). */
function isShared(type: ReservationType): boolean {
  return RESERVATION_TYPES[type].admits !== "holder";
}

/**
 * Reports whether the sender is registered with the key that it sends (SPC-4, 5.13.7 and 6.16.3). A sender that is not
 * registered may register with key zero; REGISTER AND IGNORE EXISTING KEY needs no key.
 */
export function isAuthorized(
  { registrations }: PersistentState,
  id: string,
  { action, key }: Pick<ReservationRequest, "action" | "key">,
): boolean {
  const ownKey = registrations.get(id)?.key;
  if (action === "registerAndIgnoreExistingKey") return true;
  return (action === "register" ? ownKey ?? NO_KEY : ownKey) === key;
}

/** Applies a request from `sender` to a state. */
export function transition(
  state: PersistentState,
  sender: NexusIdentity,
  request: ReservationRequest,
): Transition {
  const id = nexusId(sender);
  if (!isAuthorized(state, id, request)) return refuse("conflict");
  switch (request.action) {
    case "register":
      return request.others !== undefined && state.registrations.has(id)
        ? refuse("invalidInitiatorPorts")
        : register(state, sender, request, request.others ?? []);
    case "registerAndIgnoreExistingKey":
      return register(state, sender, request, []);
    case "registerAndMove":
      return registerAndMove(state, sender, request);
    case "reserve":
      return reserve(state, id, request);
    case "release":
      return release(state, id, request);
    case "clear":
      return accept(
        incrementGeneration({ ...state, registrations: new Map(), reservation: undefined }),
        noticesFor(state, "reservationsPreempted", (other) => other === id),
      );
    case "preempt":
    case "preemptAndAbort":
      return preempt(state, id, request);
  }
}

/**
 * Clears a state for an administrator, like CLEAR (SPC-4, 5.13.11.2.7). Every registered nexus is notified, since none
 * of them has requested it. The new state does not persist.
 */
export function clearByAdministrator(state: PersistentState): Transition & { kind: "accepted" } {
  const next = { ...state, registrations: new Map(), reservation: undefined, persists: false };
  const notices = noticesFor(state, "reservationsPreempted", () => false);
  return { kind: "accepted", state: incrementGeneration(next), notices, aborted: [] };
}

/** Tables 67 and 68. */
function register(
  state: PersistentState,
  sender: NexusIdentity,
  { newKey, persists }: Registering,
  others: readonly NexusIdentity[],
): Transition {
  const id = nexusId(sender);
  if (newKey === NO_KEY) return state.registrations.has(id) ? unregister(state, id, persists) : accept(state);
  if (others.some((other) => state.registrations.has(nexusId(other)))) return refuse("invalidInitiatorPorts");
  const registrations = new Map(state.registrations);
  for (const nexus of [sender, ...others]) registrations.set(nexusId(nexus), toRegistration(nexus, newKey));
  if (registrations.size > REGISTRATIONS_MAX) return refuse("tooManyRegistrations");
  return accept(incrementGeneration({ ...state, registrations, persists }));
}

function toRegistration({ initiatorPort, targetPort }: NexusIdentity, key: ReservationKey): Registration {
  return { initiatorPort, targetPort, key };
}

/** SPC-4, 5.13.11.2.3: also releases a reservation of which the sender was the only holder. */
function unregister(state: PersistentState, id: string, persists: boolean): Transition {
  const next = incrementGeneration({ ...removeRegistrations(state, new Set([id])), persists });
  const released = next.reservation === undefined ? state.reservation : undefined;
  const notices = released !== undefined && isShared(released.type)
    ? noticesFor(next, "reservationsReleased", () => false)
    : [];
  return accept(next, notices);
}

/** Table 70. */
function registerAndMove(
  state: PersistentState,
  sender: NexusIdentity,
  request: ReservationRequest & { action: "registerAndMove" },
): Transition {
  const id = nexusId(sender);
  const { newKey, persists, unregisters, destination } = request;
  const { reservation } = state;
  if (reservation === undefined) return refuse("nothingToMove");
  if (reservation.holder !== id) return refuse("conflict");
  if (newKey === NO_KEY) return refuse("invalidServiceActionKey");
  if (destination === undefined) return refuse("invalidTargetPort");
  if (destination.initiatorPort === sender.initiatorPort) return refuse("invalidDestination");
  const holder = nexusId(destination);
  const registrations = new Map(state.registrations).set(holder, toRegistration(destination, newKey));
  if (unregisters) registrations.delete(id);
  if (registrations.size > REGISTRATIONS_MAX) return refuse("tooManyRegistrations");
  return accept(
    incrementGeneration({ ...state, registrations, persists, reservation: { ...reservation, holder } }),
  );
}

function toReservation(type: ReservationType, id: string): PersistentState["reservation"] {
  return { type, holder: RESERVATION_TYPES[type].admits === "registrantsAsHolders" ? undefined : id };
}

/** SPC-4, 5.13.9. */
function reserve(state: PersistentState, id: string, { isUnitScope, type }: Reserving): Transition {
  const { reservation } = state;
  if (reservation !== undefined && !isHolder(state, id)) return refuse("conflict");
  if (!isUnitScope) return refuse("invalidScope");
  if (type === undefined) return refuse("invalidType");
  if (reservation === undefined) return accept({ ...state, reservation: toReservation(type, id) });
  return reservation.type === type ? accept(state) : refuse("conflict");
}

/** SPC-4, 5.13.11.2.2. A sender that is no holder releases nothing, without an error. */
function release(state: PersistentState, id: string, { isUnitScope, type }: Reserving): Transition {
  if (!isUnitScope) return refuse("invalidScope");
  const { reservation } = state;
  if (reservation === undefined || !isHolder(state, id)) return accept(state);
  if (reservation.type !== type) return refuse("invalidRelease");
  const notices = isShared(type) ? noticesFor(state, "reservationsReleased", (other) => other === id) : [];
  return accept({ ...state, reservation: undefined }, notices);
}

/**
 * Table 72. Commands of the sender are never aborted. A holder that preempts itself keeps its registration (SPC-4,
 * 5.13.11.2.4.3), and a sender that removes its own registration can wait for its commands.
 */
function preempt(
  state: PersistentState,
  id: string,
  request: ReservationRequest & { action: "preempt" | "preemptAndAbort" },
): Transition {
  const { victimKey } = request;
  const { registrations, reservation } = state;
  const holderKey = reservation?.holder === undefined
    ? undefined
    : registrations.get(reservation.holder)?.key;
  const isHeldByAll = reservation !== undefined && reservation.holder === undefined;
  if (victimKey === NO_KEY && !isHeldByAll) return refuse("invalidServiceActionKey");
  if (victimKey === NO_KEY || victimKey === holderKey) return preemptReservation(state, id, request);
  const victims = registeredWith(state, victimKey);
  if (victims.size === 0) return refuse("conflict");
  return accept(
    incrementGeneration(removeRegistrations(state, victims)),
    noticesFor(state, "registrationsPreempted", (other) => other === id || !victims.has(other)),
    request.action === "preemptAndAbort" ? [...victims].filter((victim) => victim !== id) : [],
  );
}

function registeredWith({ registrations }: PersistentState, key: ReservationKey): Set<string> {
  return new Set([...registrations].filter(([, registration]) => registration.key === key).map(([id]) => id));
}

/** SPC-4, 5.13.11.2.4.3: the reservation of the sender replaces the one that it preempts. */
function preemptReservation(
  state: PersistentState,
  id: string,
  { action, victimKey, isUnitScope, type }: ReservationRequest & { action: "preempt" | "preemptAndAbort" },
): Transition {
  if (!isUnitScope) return refuse("invalidScope");
  if (type === undefined) return refuse("invalidType");
  const victims = victimKey === NO_KEY
    ? new Set(state.registrations.keys())
    : registeredWith(state, victimKey);
  victims.delete(id);
  const next = { ...removeRegistrations(state, victims), reservation: toReservation(type, id) };
  const released = state.reservation?.type === type
    ? []
    : noticesFor(next, "reservationsReleased", (other) => other === id);
  const preempted = noticesFor(state, "registrationsPreempted", (other) => !victims.has(other));
  return accept(
    incrementGeneration(next),
    [...preempted, ...released],
    action === "preemptAndAbort" ? [...victims] : [],
  );
}
