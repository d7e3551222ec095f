import { assert, assertEquals } from "@std/assert";
import { nexusId, type NexusIdentity } from "../../../lib/scsi/reservations/nexus_identity.ts";
import {
  isHolder,
  type PersistentState,
  UNRESERVED,
} from "../../../lib/scsi/reservations/persistent_state.ts";
import { NO_KEY } from "../../../lib/scsi/reservations/reservation_key.ts";
import { formatReservations, parseReservations } from "../../../lib/scsi/reservations/reservation_text.ts";
import { RESERVATION_TYPES, type ReservationType } from "../../../lib/scsi/reservations/reservation_types.ts";
import {
  REGISTRATIONS_MAX,
  type ReservationRequest,
  type Transition,
  transition,
} from "../../../lib/scsi/reservations/transition.ts";

const [ANNA, BEN, CARL] = ["anna", "ben", "carl"].map((name, index): NexusIdentity => ({
  initiatorPort: `iqn.2007-01.tld.host:${name},i,0x00000000000${index}`,
  targetPort: 1,
})) as [NexusIdentity, NexusIdentity, NexusIdentity];
const NEXUSES = [ANNA, BEN, CARL];
const KEYS = ["000000000000000a", "000000000000000b"] as const;
const [A, B] = KEYS;
const TYPES = Object.keys(RESERVATION_TYPES) as ReservationType[];

type Accepted = Transition & { kind: "accepted" };

function accepted(state: PersistentState, sender: NexusIdentity, request: ReservationRequest): Accepted {
  const result = transition(state, sender, request);
  assert(result.kind === "accepted", `${request.action}: ${result.kind === "refused" ? result.refusal : ""}`);
  return result;
}

function refusalOf(state: PersistentState, sender: NexusIdentity, request: ReservationRequest): string {
  const result = transition(state, sender, request);
  return result.kind === "refused" ? result.refusal : result.kind;
}

function registered(...keys: readonly (string | undefined)[]): PersistentState {
  let state = UNRESERVED;
  keys.forEach((key, index) => {
    if (key === undefined) return;
    const request = {
      action: "registerAndIgnoreExistingKey",
      key: NO_KEY,
      newKey: key,
      persists: false,
    } as const;
    state = accepted(state, NEXUSES[index]!, request).state;
  });
  return state;
}

function reserved(type: ReservationType, ...keys: readonly (string | undefined)[]): PersistentState {
  const request = { action: "reserve", key: keys[0]!, isUnitScope: true, type } as const;
  return accepted(registered(...keys), ANNA, request).state;
}

function noticesOf({ notices }: Accepted): string[] {
  return notices.map(({ id, attention }) => `${id.match(/:(\w+),/)![1]}: ${attention}`).sort();
}

/** Returns every request that is possible with two keys. */
function allRequests(): ReservationRequest[] {
  const keys = [NO_KEY, ...KEYS];
  const requests: ReservationRequest[] = [];
  for (const key of keys) {
    requests.push({ action: "clear", key });
    for (const newKey of keys) {
      const registering = { key, newKey, persists: newKey === B };
      requests.push({ action: "register", others: undefined, ...registering });
      requests.push({ action: "register", others: [CARL], ...registering });
      requests.push({ action: "registerAndIgnoreExistingKey", ...registering });
      for (const unregisters of [false, true]) {
        requests.push({ action: "registerAndMove", unregisters, destination: BEN, ...registering });
      }
    }
    for (const type of TYPES) {
      requests.push({ action: "reserve", key, isUnitScope: true, type });
      requests.push({ action: "release", key, isUnitScope: true, type });
      for (const victimKey of keys) {
        requests.push({ action: "preempt", key, victimKey, isUnitScope: true, type });
        requests.push({ action: "preemptAndAbort", key, victimKey, isUnitScope: true, type });
      }
    }
  }
  return requests;
}

/** Asserts the invariants of a state, and of the step to it. */
function assertSound(
  before: PersistentState,
  sender: NexusIdentity,
  request: ReservationRequest,
  after: Accepted,
): void {
  const { state, notices, aborted } = after;
  const what = `${nexusId(sender)}: ${JSON.stringify(request)} of ${
    formatReservations({ ...before, persists: true })
  }`;
  const { registrations, reservation } = state;
  assert([...registrations.values()].every(({ key }) => key !== NO_KEY), what);
  if (reservation !== undefined) {
    const isAll = RESERVATION_TYPES[reservation.type].admits === "registrantsAsHolders";
    assertEquals(reservation.holder === undefined, isAll, what);
    assert(isAll ? registrations.size > 0 : registrations.has(reservation.holder!), `no holder: ${what}`);
  }
  const id = nexusId(sender);
  assert(notices.every((notice) => notice.id !== id), `the sender is notified: ${what}`);
  assert(
    notices.every((notice) => before.registrations.has(notice.id)),
    `an unregistered nexus is notified: ${what}`,
  );
  assert(!aborted.includes(id), what);
  assert(aborted.every((other) => before.registrations.has(other) && !registrations.has(other)), what);
  const counts = request.action !== "reserve" && request.action !== "release";
  const isIdle = !counts || (state === before);
  assertEquals(state.generation, before.generation + (isIdle ? 0 : 1), what);
  // A nexus that has lost its registration to another is notified.
  for (const other of before.registrations.keys()) {
    if (other === id || registrations.has(other)) continue;
    assert(
      notices.some((notice) => notice.id === other && /Preempted$/.test(notice.attention)),
      `${other}: ${what}`,
    );
  }
  const persistent = { ...state, generation: 0, persists: true };
  assertEquals(parseReservations(formatReservations(persistent)), persistent, what);
}

function keyOf(state: PersistentState): string {
  return formatReservations({ ...state, persists: true }) + state.persists;
}

Deno.test("every request of every nexus in every reachable state leads to a valid state", () => {
  const requests = allRequests();
  const seen = new Set([keyOf(UNRESERVED)]);
  const frontier: PersistentState[] = [UNRESERVED];
  let steps = 0;
  for (let state = frontier.pop(); state !== undefined; state = frontier.pop()) {
    const frozen = keyOf(state);
    for (const sender of [ANNA, BEN]) {
      for (const request of requests) {
        const result = transition(state, sender, request);
        steps++;
        if (result.kind === "refused") continue;
        assertSound(state, sender, request, result);
        const next = { ...result.state, generation: 0 };
        if (seen.has(keyOf(next))) continue;
        seen.add(keyOf(next));
        frontier.push(next);
      }
    }
    assertEquals(keyOf(state), frozen, "a state is a value");
  }
  assert(seen.size > 300, `${seen.size} states, ${steps} steps`);
});

Deno.test("REGISTER follows table 67", () => {
  const ask = (key: string, newKey: string, others?: readonly NexusIdentity[]): ReservationRequest => ({
    action: "register",
    key,
    newKey,
    persists: false,
    others,
  });
  assertEquals(accepted(UNRESERVED, ANNA, ask(NO_KEY, NO_KEY)).state, UNRESERVED, "nothing is done");
  assertEquals(
    accepted(UNRESERVED, ANNA, ask(NO_KEY, NO_KEY, [BEN])).state,
    UNRESERVED,
    "nor with SPEC_I_PT",
  );
  assertEquals(refusalOf(UNRESERVED, ANNA, ask(A, B)), "conflict");
  assertEquals(refusalOf(UNRESERVED, ANNA, ask(A, NO_KEY)), "conflict");
  const both = accepted(UNRESERVED, ANNA, ask(NO_KEY, A, [BEN, ANNA])).state;
  assertEquals([...both.registrations.values()].map(({ key }) => key), [A, A]);
  assertEquals(refusalOf(both, ANNA, ask(B, A)), "conflict");
  assertEquals(refusalOf(both, ANNA, ask(NO_KEY, A)), "conflict");
  assertEquals(refusalOf(both, ANNA, ask(A, B, [])), "invalidInitiatorPorts");
  assertEquals(refusalOf(both, CARL, ask(NO_KEY, B, [BEN])), "invalidInitiatorPorts", "Ben is registered");
  assertEquals(accepted(both, ANNA, ask(A, NO_KEY)).state.registrations.size, 1);
});

Deno.test("REGISTER AND IGNORE EXISTING KEY follows table 68, whatever key is sent", () => {
  const ask = (newKey: string): ReservationRequest => ({
    action: "registerAndIgnoreExistingKey",
    key: B,
    newKey,
    persists: true,
  });
  assertEquals(accepted(UNRESERVED, ANNA, ask(NO_KEY)).state, UNRESERVED);
  const { state } = accepted(registered(A), ANNA, ask(B));
  assertEquals([...state.registrations.values()].map(({ key }) => key), [B]);
  assert(state.persists);
  assertEquals(accepted(state, ANNA, ask(NO_KEY)).state.registrations.size, 0);
});

Deno.test("a new key leaves the reservation with its holder", () => {
  const request = { action: "register", key: A, newKey: B, persists: false, others: undefined } as const;
  const { state, notices } = accepted(reserved("exclusiveAccess", A), ANNA, request);
  assert(isHolder(state, nexusId(ANNA)));
  assertEquals(notices, []);
});

Deno.test("unregistering the only holder releases its reservation, and notifies others of a shared type", () => {
  const leave = { action: "register", key: A, newKey: NO_KEY, persists: false, others: undefined } as const;
  for (const type of TYPES) {
    const result = accepted(reserved(type, A, B), ANNA, leave);
    const { admits } = RESERVATION_TYPES[type];
    assertEquals(result.state.reservation !== undefined, admits === "registrantsAsHolders", type);
    assertEquals(noticesOf(result), admits === "registrants" ? ["ben: reservationsReleased"] : [], type);
    assertEquals(
      accepted(reserved(type, A), ANNA, leave).state.reservation,
      undefined,
      "the last one leaves",
    );
  }
});

Deno.test("RELEASE releases for the holder, in its own type, and notifies others of a shared one", () => {
  for (const type of TYPES) {
    const state = reserved(type, A, B);
    const isAll = RESERVATION_TYPES[type].admits === "registrantsAsHolders";
    const ask = (
      key: string,
      asked: ReservationType | undefined,
      isUnitScope = true,
    ): ReservationRequest => ({
      action: "release",
      key,
      isUnitScope,
      type: asked,
    });
    assertEquals(refusalOf(state, ANNA, ask(B, type)), "conflict");
    assertEquals(refusalOf(state, CARL, ask(A, type)), "conflict");
    const other = TYPES.find((name) => name !== type);
    for (const wrong of [other, undefined]) {
      assertEquals(refusalOf(state, ANNA, ask(A, wrong)), "invalidRelease");
      assertEquals(refusalOf(state, BEN, ask(B, wrong)), isAll ? "invalidRelease" : "accepted");
    }
    assertEquals(refusalOf(state, ANNA, ask(A, type, false)), "invalidScope");
    const byBen = accepted(state, BEN, ask(B, type));
    assertEquals(byBen.state.reservation === undefined, isAll, "only a holder releases");
    const byAnna = accepted(state, ANNA, ask(A, type));
    assertEquals(byAnna.state.reservation, undefined);
    assertEquals(byAnna.state.generation, state.generation);
    const isShared = RESERVATION_TYPES[type].admits !== "holder";
    assertEquals(noticesOf(byAnna), isShared ? ["ben: reservationsReleased"] : [], type);
  }
});

Deno.test("CLEAR leaves nothing, and notifies all others", () => {
  const result = accepted(reserved("writeExclusive", A, B, B), BEN, { action: "clear", key: B });
  assertEquals([result.state.registrations.size, result.state.reservation], [0, undefined]);
  assertEquals(noticesOf(result), ["anna: reservationsPreempted", "carl: reservationsPreempted"]);
});

function preempting(
  key: string,
  victimKey: string,
  type: ReservationType | undefined,
  isUnitScope = true,
): ReservationRequest {
  return { action: "preemptAndAbort", key, victimKey, type, isUnitScope };
}

Deno.test("PREEMPT of the holder's key takes its place (SPC-4, 5.13.11.2.4.3)", () => {
  const state = reserved("writeExclusive", A, B, A);
  const same = accepted(state, BEN, preempting(B, A, "writeExclusive"));
  assertEquals([...same.state.registrations.keys()], [nexusId(BEN)]);
  assert(isHolder(same.state, nexusId(BEN)));
  assertEquals(noticesOf(same), ["anna: registrationsPreempted", "carl: registrationsPreempted"]);
  assertEquals([...same.aborted].sort(), [nexusId(ANNA), nexusId(CARL)].sort());
  assertEquals(
    accepted(state, BEN, { ...preempting(B, A, "writeExclusive"), action: "preempt" } as never).aborted,
    [],
  );
  const carlStays = reserved("writeExclusive", A, B, B);
  const changed = accepted(carlStays, BEN, preempting(B, A, "exclusiveAccess"));
  assertEquals(noticesOf(changed), ["anna: registrationsPreempted", "carl: reservationsReleased"]);
  assertEquals(refusalOf(state, BEN, preempting(B, A, undefined)), "invalidType");
  assertEquals(refusalOf(state, BEN, preempting(B, A, "writeExclusive", false)), "invalidScope");
  assertEquals(refusalOf(state, BEN, preempting(A, A, "writeExclusive")), "conflict");
});

Deno.test("PREEMPT by the holder of itself changes the type and keeps its registration", () => {
  const { state, notices } = accepted(
    reserved("writeExclusive", A, B),
    ANNA,
    preempting(A, A, "exclusiveAccessRegistrantsOnly"),
  );
  assertEquals(state.reservation, { type: "exclusiveAccessRegistrantsOnly", holder: nexusId(ANNA) });
  assertEquals(state.registrations.size, 2);
  assertEquals(notices, [{ id: nexusId(BEN), attention: "reservationsReleased" }]);
});

Deno.test("PREEMPT of another key removes registrations only, and does not look at scope and type", () => {
  const state = reserved("exclusiveAccess", A, B, B);
  const result = accepted(state, ANNA, preempting(A, B, undefined, false));
  assertEquals(result.state.reservation, state.reservation);
  assertEquals(noticesOf(result), ["ben: registrationsPreempted", "carl: registrationsPreempted"]);
  const itself = accepted(state, BEN, preempting(B, B, undefined));
  assertEquals([...itself.state.registrations.keys()], [nexusId(ANNA)]);
  assertEquals(noticesOf(itself), ["carl: registrationsPreempted"]);
  assertEquals(itself.aborted, [nexusId(CARL)]);
  assertEquals(
    refusalOf(state, ANNA, preempting(A, "00000000000000ff", undefined)),
    "conflict",
    "no nexus has it",
  );
  assertEquals(refusalOf(registered(A), ANNA, preempting(A, B, undefined)), "conflict");
});

Deno.test("PREEMPT with no key is for all registrants types only (table 72)", () => {
  assertEquals(
    refusalOf(registered(A), ANNA, preempting(A, NO_KEY, "writeExclusive")),
    "invalidServiceActionKey",
  );
  for (const type of TYPES) {
    const state = reserved(type, A, B, B);
    const ask = preempting(B, NO_KEY, "exclusiveAccess");
    if (RESERVATION_TYPES[type].admits !== "registrantsAsHolders") {
      assertEquals(refusalOf(state, BEN, ask), "invalidServiceActionKey", type);
      continue;
    }
    const result = accepted(state, BEN, ask);
    assertEquals(result.state.reservation, { type: "exclusiveAccess", holder: nexusId(BEN) });
    assertEquals(noticesOf(result), ["anna: registrationsPreempted", "carl: registrationsPreempted"]);
    const removed = accepted(state, BEN, preempting(B, A, undefined));
    assertEquals(removed.state.reservation, state.reservation, "its key removes Anna's registration only");
  }
});

Deno.test("REGISTER AND MOVE follows table 70", () => {
  const ask = (
    key: string,
    newKey: string,
    destination?: NexusIdentity,
    unregisters = false,
  ): ReservationRequest => ({
    action: "registerAndMove",
    key,
    newKey,
    persists: true,
    unregisters,
    destination,
  });
  const state = reserved("writeExclusiveRegistrantsOnly", A, B);
  assertEquals(refusalOf(state, CARL, ask(A, B, BEN)), "conflict");
  assertEquals(refusalOf(state, BEN, ask(B, B, CARL)), "conflict");
  assertEquals(refusalOf(state, ANNA, ask(B, B, CARL)), "conflict");
  assertEquals(refusalOf(state, ANNA, ask(A, NO_KEY, CARL)), "invalidServiceActionKey");
  assertEquals(refusalOf(state, ANNA, ask(A, B, ANNA)), "invalidDestination");
  assertEquals(refusalOf(state, ANNA, ask(A, B)), "invalidTargetPort");
  assertEquals(refusalOf(registered(A), ANNA, ask(A, B, BEN)), "nothingToMove");
  assertEquals(refusalOf(reserved("exclusiveAccessAllRegistrants", A), ANNA, ask(A, B, BEN)), "conflict");
  const moved = accepted(state, ANNA, ask(A, A, CARL));
  assertEquals(moved.state.reservation, { type: "writeExclusiveRegistrantsOnly", holder: nexusId(CARL) });
  assertEquals([moved.state.registrations.size, moved.state.persists], [3, true]);
  const left = accepted(state, ANNA, ask(A, A, BEN, true));
  assertEquals([...left.state.registrations.values()].map(({ key }) => key), [A]);
  assertEquals(left.notices, [], "nothing was released");
});

Deno.test("registrations have a limit, and PRGENERATION wraps around", () => {
  const others = Array.from({ length: REGISTRATIONS_MAX }, (_, index): NexusIdentity => ({
    initiatorPort: `iqn.2007-01.tld.host:h,i,0x${index.toString(16).padStart(12, "0")}`,
    targetPort: 1,
  }));
  const ask = (ports: readonly NexusIdentity[]): ReservationRequest => ({
    action: "register",
    key: NO_KEY,
    newKey: A,
    persists: false,
    others: ports,
  });
  assertEquals(refusalOf(UNRESERVED, ANNA, ask(others)), "tooManyRegistrations");
  assertEquals(accepted(UNRESERVED, ANNA, ask(others.slice(1))).state.registrations.size, REGISTRATIONS_MAX);
  assertEquals(accepted({ ...UNRESERVED, generation: 0xffff_ffff }, ANNA, ask([])).state.generation, 0);
});
