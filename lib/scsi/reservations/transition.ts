/**
 * What PERSISTENT RESERVE OUT makes of a logical unit's persistent reservations (SPC-4, 5.13.7 to 5.13.11 and 6.16): a
 * state and a request in, the next state and who must hear of it out.
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

/** Most registrations of one logical unit. One initiator can register many nexuses (SPEC_I_PT). */
export const REGISTRATIONS_MAX = 1024;

/** What a registering nexus asks for. */
interface Registering {
  /** RESERVATION KEY: who the sender says it is. */
  readonly key: ReservationKey;
  /** SERVICE ACTION RESERVATION KEY: `NO_KEY` to unregister. */
  readonly newKey: ReservationKey;
  /** APTPL. */
  readonly persists: boolean;
}

/** What a nexus asks for that needs a scope and a type of reservation. */
interface Reserving {
  readonly key: ReservationKey;
  /** SCOPE is that of the logical unit, the only one there is. */
  readonly isUnitScope: boolean;
  /** Undefined when TYPE names none. */
  readonly type: ReservationType | undefined;
}

/** A request, by its service action. */
export type ReservationRequest =
  /** `others` besides the sender (SPEC_I_PT); undefined when none are asked for. */
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

/** Why a request is refused. */
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

/** What a nexus must hear of, by the names of the unit attention conditions. */
export interface Notice {
  readonly id: string;
  readonly attention: "reservationsPreempted" | "reservationsReleased" | "registrationsPreempted";
}

/** What becomes of a request. */
export type Transition =
  | {
    readonly kind: "accepted";
    readonly state: PersistentState;
    readonly notices: readonly Notice[];
    /** Nexuses whose commands are to be aborted (PREEMPT AND ABORT). */
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

/** The state with its PRGENERATION counted on (SPC-4, 6.15.2): by every service action but RESERVE and RELEASE. */
function countOn(state: PersistentState): PersistentState {
  return { ...state, generation: (state.generation + 1) >>> 0 };
}

/** The same notice for all registered nexuses except some. */
function noticesFor(
  { registrations }: PersistentState,
  attention: Notice["attention"],
  isExcepted: (id: string) => boolean,
): Notice[] {
  return [...registrations.keys()].filter((id) => !isExcepted(id)).map((id) => ({ id, attention }));
}

/** Whether others than its one holder must hear that a reservation is released (SPC-4, 5.13.11.2.2). */
function isShared(type: ReservationType): boolean {
  return RESERVATION_TYPES[type].admits !== "holder";
}

/**
 * Whether the sender is who it says it is (SPC-4, 5.13.7 and 6.16.3): registered with the key that it sends, except
 * for who registers first, with no key, and for who asks to ignore it.
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

/** What a request from `sender` makes of a state. */
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
        countOn({ ...state, registrations: new Map(), reservation: undefined }),
        noticesFor(state, "reservationsPreempted", (other) => other === id),
      );
    case "preempt":
    case "preemptAndAbort":
      return preempt(state, id, request);
  }
}

/**
 * What it makes of a state that an administrator clears it: the same as CLEAR (SPC-4, 5.13.11.2.7), of which every
 * nexus is told that had registered, as none of them has asked for it. Nothing is left to outlive a loss of power.
 */
export function clearByAdministrator(state: PersistentState): Transition & { kind: "accepted" } {
  const next = { ...state, registrations: new Map(), reservation: undefined, persists: false };
  const notices = noticesFor(state, "reservationsPreempted", () => false);
  return { kind: "accepted", state: countOn(next), notices, aborted: [] };
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
  return accept(countOn({ ...state, registrations, persists }));
}

function toRegistration({ initiatorPort, targetPort }: NexusIdentity, key: ReservationKey): Registration {
  return { initiatorPort, targetPort, key };
}

/** SPC-4, 5.13.11.2.3: a reservation of which the sender was the only holder is released. */
function unregister(state: PersistentState, id: string, persists: boolean): Transition {
  const next = countOn({ ...removeRegistrations(state, new Set([id])), persists });
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
  return accept(countOn({ ...state, registrations, persists, reservation: { ...reservation, holder } }));
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

/** SPC-4, 5.13.11.2.2. Who holds nothing has nothing to release, which is no error. */
function release(state: PersistentState, id: string, { isUnitScope, type }: Reserving): Transition {
  if (!isUnitScope) return refuse("invalidScope");
  const { reservation } = state;
  if (reservation === undefined || !isHolder(state, id)) return accept(state);
  if (reservation.type !== type) return refuse("invalidRelease");
  const notices = isShared(type) ? noticesFor(state, "reservationsReleased", (other) => other === id) : [];
  return accept({ ...state, reservation: undefined }, notices);
}

/**
 * Table 72. The sender's own commands are never aborted: of the holder that preempts itself SPC-4 says that it keeps
 * its registration (5.13.11.2.4.3), and one that removes its own has no need to abort what it can wait for.
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
    countOn(removeRegistrations(state, victims)),
    noticesFor(state, "registrationsPreempted", (other) => other === id || !victims.has(other)),
    request.action === "preemptAndAbort" ? [...victims].filter((victim) => victim !== id) : [],
  );
}

function registeredWith({ registrations }: PersistentState, key: ReservationKey): Set<string> {
  return new Set([...registrations].filter(([, registration]) => registration.key === key).map(([id]) => id));
}

/** SPC-4, 5.13.11.2.4.3: the sender's reservation takes the place of the one that it preempts. */
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
  return accept(countOn(next), [...preempted, ...released], action === "preemptAndAbort" ? [...victims] : []);
}
