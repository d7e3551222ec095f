import { assert, assertEquals, assertRejects } from "@std/assert";
import { readUint32, writeUint16 } from "../../../lib/bytes/big_endian.ts";
import type { LogicalUnit } from "../../../lib/scsi/logical_unit.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { type PersistentState, UNRESERVED } from "../../../lib/scsi/reservations/persistent_state.ts";
import type { ReservationStore } from "../../../lib/scsi/reservations/reservation_store.ts";
import { formatReservations, parseReservations } from "../../../lib/scsi/reservations/reservation_text.ts";
import { TaskAttribute } from "../../../lib/scsi/task_attribute.ts";
import type { TargetDevice } from "../../../lib/scsi/target_device.ts";
import { StoreError } from "../../../lib/store/block_store.ts";
import {
  assertFieldRefused,
  assertHex,
  cdb,
  complete,
  FakeTask,
  makeTarget,
  makeUnit,
  nameOfOutcome,
  run,
} from "../fixture.ts";
import {
  beginReserveOut,
  parameterList,
  type ReserveOut,
  reserveOut,
  reserveOutCdb,
  transportId,
} from "../reservations/_reserve_out.ts";

const ANNA = "iqn.2007-01.tld.a:anna,i,0x400001370000";
const BEN = "iqn.2007-01.tld.a:ben,i,0x400001370000";
const REGISTER = "REGISTER AND IGNORE EXISTING KEY";

/** A key that a `number` would round. */
const KEY = 0xffff_ffff_ffff_ff01n;

function open(target: TargetDevice, port: string): Nexus {
  const nexus = target.openNexus(port);
  nexus.execute(0, cdb("03 00 00 00 12 00"));
  return nexus;
}

/** A reservation store in memory that can fail or wait. */
class FakeStore implements ReservationStore {
  readonly saved: PersistentState | undefined;
  readonly needsRewrite: boolean;
  readonly states: PersistentState[] = [];
  isFull = false;
  #gate: Promise<void> | undefined;

  constructor(saved?: PersistentState, { needsRewrite = false } = {}) {
    this.saved = saved;
    this.needsRewrite = needsRewrite;
  }

  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return resolve;
  }

  async save(state: PersistentState): Promise<void> {
    await this.#gate;
    if (this.isFull) throw new StoreError("writeFailed", "full");
    this.states.push(state);
  }
}

/** Returns the state as the next process reads it. */
function savedIn({ states }: FakeStore): PersistentState {
  return parseReservations(formatReservations(states.at(-1)!));
}

function setUp(
  store?: ReservationStore,
): { target: TargetDevice; unit: LogicalUnit; anna: Nexus; ben: Nexus } {
  const unit = makeUnit(store === undefined ? {} : { reservationStore: store });
  const target = makeTarget(unit);
  return { target, unit, anna: open(target, ANNA), ben: open(target, BEN) };
}

async function reserveIn(
  nexus: Nexus,
  serviceAction: number,
  allocationLength = 0xffff,
): Promise<Uint8Array> {
  const block = cdb(`5e 0${serviceAction} 00 00 00 00 00 00`);
  writeUint16(block, 7, allocationLength);
  const { outcome, data } = await run(nexus, block);
  assertEquals(outcome, "good");
  return data;
}

async function outcomeOf(nexus: Nexus, action: string, request: ReserveOut): Promise<string> {
  const { outcome } = await complete(beginReserveOut(nexus, action, request));
  return outcome;
}

/** Returns the outcomes of TEST UNIT READY, repeated until it is good. */
function attentionsOf(nexus: Nexus): string[] {
  const names: string[] = [];
  for (let times = 0; times < 9; times++) {
    const operation = nexus.execute(0, cdb("00"));
    const name = operation.kind === "finished" ? nameOfOutcome(operation.outcome) : operation.kind;
    if (name === "good") break;
    names.push(name);
  }
  return names;
}

Deno.test("PERSISTENT RESERVE IN reports keys, the reservation and its holder", async () => {
  const { anna, ben } = setUp();
  assertHex(await reserveIn(anna, 0), "00 00 00 00 00 00 00 00");
  assertHex(await reserveIn(anna, 1), "00 00 00 00 00 00 00 00");
  assertHex(await reserveIn(anna, 3), "00 00 00 00 00 00 00 00");
  assertEquals(reserveOut(anna, REGISTER, { newKey: KEY }), "good");
  assertEquals(reserveOut(ben, REGISTER, { newKey: 2n }), "good");
  assertHex(
    await reserveIn(ben, 0),
    "00 00 00 02 00 00 00 10 ff ff ff ff ff ff ff 01 00 00 00 00 00 00 00 02",
  );
  assertHex(await reserveIn(ben, 0, 10), "00 00 00 02 00 00 00 10 ff ff");
  assertHex(await reserveIn(ben, 1), "00 00 00 02 00 00 00 00");
  assertEquals(reserveOut(anna, "RESERVE", { key: KEY, type: 5 }), "good");
  assertHex(
    await reserveIn(ben, 1),
    "00 00 00 02 00 00 00 10 ff ff ff ff ff ff ff 01 00 00 00 00 00 05 00 00",
  );
  assertHex(
    await reserveIn(ben, 3),
    `00 00 00 02 00 00 00 84
     ff ff ff ff ff ff ff 01 00 00 00 00 01 05 00 00 00 00 00 01 00 00 00 2c
     45 00 00 28 69 71 6e 2e 32 30 30 37 2d 30 31 2e 74 6c 64 2e 61 3a 61 6e 6e 61
     2c 69 2c 30 78 34 30 30 30 30 31 33 37 30 30 30 30 00
     00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 2c
     45 00 00 28 69 71 6e 2e 32 30 30 37 2d 30 31 2e 74 6c 64 2e 61 3a 62 65 6e
     2c 69 2c 30 78 34 30 30 30 30 31 33 37 30 30 30 30 00 00`.replace("84", "88"),
  );
});

Deno.test("READ RESERVATION returns no key if all registrants are holders", async () => {
  const { anna } = setUp();
  reserveOut(anna, REGISTER, { newKey: KEY });
  reserveOut(anna, "RESERVE", { key: KEY, type: 8 });
  assertHex((await reserveIn(anna, 1)).subarray(8), "00 00 00 00 00 00 00 00 00 00 00 00 00 08 00 00");
});

Deno.test("REPORT CAPABILITIES reports whether reservations can persist, and whether they do", async () => {
  assertHex(await reserveIn(setUp().anna, 2), "00 08 1c c0 ea 01 00 00");
  const { anna } = setUp(new FakeStore());
  assertHex(await reserveIn(anna, 2), "00 08 1d c0 ea 01 00 00");
  await outcomeOf(anna, REGISTER, { newKey: 1n, persists: true });
  assertHex(await reserveIn(anna, 2), "00 08 1d c1 ea 01 00 00");
  assertHex(await reserveIn(anna, 2, 3), "00 08 1d");
});

Deno.test("PERSISTENT RESERVE OUT requires a list of 24 bytes, or longer by its TransportIDs", async () => {
  const { anna, ben } = setUp();
  reserveOut(anna, REGISTER, { newKey: KEY });
  for (
    const action of ["REGISTER", REGISTER, "RESERVE", "RELEASE", "CLEAR", "PREEMPT", "PREEMPT AND ABORT"]
  ) {
    for (const length of [0, 23, 25, 28, 65_537]) {
      const { outcome } = await run(anna, reserveOutCdb(action, length, {}), {
        dataOut: new Uint8Array(length).fill(0xff, 0, 7).fill(0x01, 7, 8),
      });
      assertEquals(outcome, "parameterListLengthError", `${action}, ${length}`);
    }
  }
  const list = parameterList("REGISTER", { newKey: 1n, transportIds: [transportId(BEN)] });
  for (let length = 24; length < list.length; length++) {
    const block = reserveOutCdb("REGISTER", length, {});
    const { outcome } = await run(ben, block, { dataOut: list.subarray(0, length) });
    assertEquals(outcome, "parameterListLengthError", `${length}`);
  }
  const { outcome } = await run(ben, reserveOutCdb("REGISTER", 24, {}), { dataOut: new Uint8Array(8) });
  assertEquals(
    outcome,
    "invalidFieldInCommandInformationUnit",
    "the initiator sends less than its CDB announces",
  );
  assertHex(await reserveIn(anna, 0), "00 00 00 01 00 00 00 08 ff ff ff ff ff ff ff 01");
});

Deno.test("PERSISTENT RESERVE OUT refuses a list of more than 64 KiB before any of it arrives", async () => {
  const { anna } = setUp();
  assertEquals(anna.execute(0, reserveOutCdb("REGISTER", 65_536, {})).kind, "dataOut");
  const longer = anna.execute(0, reserveOutCdb("REGISTER", 65_537, {}));
  assertEquals([longer.kind, (await complete(longer)).outcome], ["finished", "parameterListLengthError"]);
});

Deno.test("PERSISTENT RESERVE OUT points at the invalid field, unless it conflicts", async () => {
  const { anna, ben } = setUp();
  reserveOut(anna, REGISTER, { newKey: 1n });
  const refused = async (action: string, request: ReserveOut): Promise<[string, number[]]> => {
    const { outcome, sense } = await complete(beginReserveOut(anna, action, { key: 1n, ...request }));
    return [outcome, [...sense!.subarray(15, 18)]];
  };
  assertFieldRefused(await complete(beginReserveOut(anna, "RESERVE", { key: 1n, type: 1, scope: 1 })), 2, 7);
  for (const type of [0, 2, 4, 9, 15]) {
    assertFieldRefused(await complete(beginReserveOut(anna, "RESERVE", { key: 1n, type })), 2, 3);
  }
  const list = "invalidFieldInParameterList";
  for (const action of ["RESERVE", "RELEASE", "CLEAR", "PREEMPT", REGISTER]) {
    assertEquals(await refused(action, { type: 1, transportIds: [] }), [list, [0x8b, 0, 20]], action);
  }
  assertEquals(await refused("REGISTER", { newKey: 1n, transportIds: [] }), [list, [0x8b, 0, 20]]);
  assertEquals(await refused("REGISTER", { newKey: 1n, persists: true }), [list, [0x88, 0, 20]]);
  assertEquals(await refused("PREEMPT", { type: 1 }), [list, [0x80, 0, 8]]);
  const transportIds = [transportId(BEN), transportId("iqn.2007-01.tld.a:carl,i,0x1").fill(0, 0, 1)];
  const second = [list, [0x80, 0, 28 + transportIds[0]!.length]];
  assertEquals(await refused("REGISTER", { newKey: 1n, transportIds }), second);
  const move = "REGISTER AND MOVE";
  assertFieldRefused(await complete(beginReserveOut(anna, move, { key: 1n, newKey: 2n, port: BEN })), 1, 4);
  reserveOut(anna, "RESERVE", { key: 1n, type: 1 });
  assertEquals(await refused(move, { newKey: 2n, port: BEN, persists: true }), [list, [0x88, 0, 17]]);
  assertEquals(await refused(move, { newKey: 2n, port: BEN, targetPort: 2 }), [list, [0x80, 0, 18]]);
  assertEquals(await refused(move, { newKey: 2n, port: ANNA }), [list, [0x80, 0, 24]]);
  assertEquals(await refused(move, { newKey: 2n, port: "iqn.2007-01.tld.a:ben" }), [list, [0x80, 0, 24]]);
  assertEquals(await refused(move, { newKey: 2n }), [list, [0x80, 0, 20]]);
  assertEquals(await refused(move, { port: BEN }), [list, [0x80, 0, 8]]);
  assertEquals((await refused("RELEASE", { type: 3 }))[0], "invalidReleaseOfPersistentReservation");
  assertEquals(reserveOut(ben, "CLEAR", { transportIds: [] }), "18");
  assertEquals(reserveOut(ben, move, {}), "18");
  assertFieldRefused(await run(anna, cdb("5f 08")), 1, 4);
});

Deno.test("SPEC_I_PT registers other nexuses, by port and by the name of known initiators", async () => {
  const { target, anna, ben } = setUp();
  const second = BEN.replace("0x4", "0x5");
  open(target, second);
  const absent = "iqn.2007-01.tld.a:carl,i,0x000000000001";
  const transportIds = [transportId(absent), transportId("iqn.2007-01.tld.a:ben"), transportId(ANNA)];
  assertEquals(reserveOut(anna, "REGISTER", { newKey: 9n, transportIds }), "good");
  const status = new TextDecoder().decode(await reserveIn(ben, 3));
  assertEquals([...status.matchAll(/iqn[^\0]+/g)].map(([name]) => name), [ANNA, absent, BEN, second]);
  assertEquals(reserveOut(open(target, absent), "RESERVE", { key: 9n, type: 1 }), "good");
});

Deno.test("REGISTER AND MOVE moves the reservation to a nexus that is not logged in", async () => {
  const { target, anna } = setUp();
  reserveOut(anna, REGISTER, { newKey: 1n });
  reserveOut(anna, "RESERVE", { key: 1n, type: 3 });
  const absent = "iqn.2007-01.tld.a:carl,i,0x000000000001";
  assertEquals(
    reserveOut(anna, "REGISTER AND MOVE", { key: 1n, newKey: 7n, port: absent, unregisters: true }),
    "good",
  );
  assertEquals((await run(anna, cdb("28 00 00 00 00 00 00 00 01"))).outcome, "18");
  assertEquals((await run(open(target, absent), cdb("28 00 00 00 00 00 00 00 01"))).outcome, "good");
});

Deno.test("unit attentions notify the nexuses that are logged in, and never the sender", () => {
  const { anna, ben } = setUp();
  const prepare = (type: number): void => {
    reserveOut(anna, REGISTER, { newKey: 1n });
    reserveOut(ben, REGISTER, { newKey: 2n });
    reserveOut(anna, "RESERVE", { key: 1n, type });
  };
  prepare(6);
  assertEquals(reserveOut(anna, "RELEASE", { key: 1n, type: 6 }), "good");
  assertEquals([attentionsOf(anna), attentionsOf(ben)], [[], ["reservationsReleased"]]);
  prepare(1);
  assertEquals(reserveOut(anna, "CLEAR", { key: 1n }), "good");
  assertEquals([attentionsOf(anna), attentionsOf(ben)], [[], ["reservationsPreempted"]]);
  prepare(1);
  assertEquals(reserveOut(ben, "PREEMPT", { key: 2n, newKey: 1n, type: 3 }), "good");
  assertEquals([attentionsOf(anna), attentionsOf(ben)], [["registrationsPreempted"], []]);
});

Deno.test("registrations and reservation survive logout, resets and I_T NEXUS RESET", async () => {
  const { target, anna, ben } = setUp();
  reserveOut(anna, REGISTER, { newKey: KEY });
  reserveOut(anna, "RESERVE", { key: KEY, type: 3 });
  ben.manage("logicalUnitReset", 0);
  ben.manage("targetWarmReset", 0);
  ben.manage("targetColdReset", 0);
  anna.manage("nexusReset", undefined);
  anna.close();
  attentionsOf(ben);
  assertEquals((await run(ben, cdb("28 00 00 00 00 00 00 00 01"))).outcome, "18");
  const again = open(target, ANNA);
  assertEquals((await run(again, cdb("28 00 00 00 00 00 00 00 01"))).outcome, "good");
  assertEquals(reserveOut(again, "RELEASE", { key: KEY, type: 3 }), "good");
});

Deno.test("PREEMPT AND ABORT ends when the preempted commands cannot change the medium further", async () => {
  const { unit, anna, ben } = setUp();
  reserveOut(anna, REGISTER, { newKey: 1n });
  reserveOut(ben, REGISTER, { newKey: 2n });
  const { promise, resolve } = Promise.withResolvers<void>();
  const aborted: string[] = [];
  const abort = (name: string) => (): Promise<void> => {
    aborted.push(name);
    return promise;
  };
  anna.enter(0, new FakeTask(TaskAttribute.simple, abort("anna")));
  ben.enter(0, new FakeTask(TaskAttribute.simple, abort("ben")));
  assertEquals(reserveOut(ben, "PREEMPT", { key: 2n, newKey: 1n }), "good");
  assertEquals(aborted, []);
  assertEquals(attentionsOf(anna), ["registrationsPreempted"]);
  reserveOut(anna, REGISTER, { newKey: 1n });
  const operation = beginReserveOut(ben, "PREEMPT AND ABORT", { key: 2n, newKey: 1n });
  assertEquals(aborted, ["anna"]);
  assert(operation.kind === "later");
  let isOver = false;
  const ended = complete(operation).finally(() => isOver = true);
  await new Promise((done) => setTimeout(done, 0));
  assertEquals(isOver, false);
  resolve();
  assertEquals((await ended).outcome, "good");
  assertEquals(attentionsOf(anna), ["registrationsPreempted", "commandsClearedByAnotherInitiator"]);
  anna.execute(0, cdb("1e 00 00 00 01"));
  reserveOut(anna, REGISTER, { newKey: 1n });
  assert(unit.removalPrevented);
  assertEquals(reserveOut(ben, "PREEMPT AND ABORT", { key: 2n, newKey: 1n }), "good");
  assert(!unit.removalPrevented, "who is preempted does not keep the medium in");
});

Deno.test("APTPL is saved before it takes effect, and a unit made from it has the same reservations", async () => {
  const store = new FakeStore();
  const { anna, ben } = setUp(store);
  assertEquals(reserveOut(ben, REGISTER, { newKey: 2n }), "good", "nothing is to be kept");
  assertEquals(store.states.length, 0);
  assertEquals(await outcomeOf(anna, REGISTER, { newKey: KEY, persists: true }), "good");
  assertEquals(await outcomeOf(anna, "RESERVE", { key: KEY, type: 3 }), "good");
  assertEquals(store.states.length, 2);
  const after = setUp(new FakeStore(savedIn(store)));
  assertHex((await reserveIn(after.anna, 0)).subarray(8), "00 00 00 00 00 00 00 02 ff ff ff ff ff ff ff 01");
  assertHex((await reserveIn(after.ben, 1)).subarray(8, 16), "ff ff ff ff ff ff ff 01");
  assertEquals((await run(after.ben, cdb("28 00 00 00 00 00 00 00 01"))).outcome, "18");
  assertEquals(await outcomeOf(anna, REGISTER, { newKey: 3n }), "good", "APTPL is zero now");
  const forgotten = setUp(new FakeStore(savedIn(store)));
  assertHex(await reserveIn(forgotten.anna, 0), "00 00 00 00 00 00 00 00");
});

Deno.test("a request that cannot be saved changes nothing", async () => {
  const store = new FakeStore();
  const { anna, ben } = setUp(store);
  await outcomeOf(anna, REGISTER, { newKey: 1n, persists: true });
  await outcomeOf(ben, REGISTER, { newKey: 2n, persists: true });
  const before = await reserveIn(anna, 3);
  store.isFull = true;
  assertEquals(await outcomeOf(anna, "CLEAR", { key: 1n }), "insufficientRegistrationResources");
  assertEquals(await outcomeOf(anna, REGISTER, { newKey: 5n }), "insufficientRegistrationResources");
  assertEquals(await reserveIn(anna, 3), before);
  assertEquals(attentionsOf(ben), []);
});

Deno.test("requests wait for the one that is being saved, and an aborted one does nothing", async () => {
  const store = new FakeStore();
  const { anna, ben } = setUp(store);
  const release = store.hold();
  const first = complete(beginReserveOut(anna, REGISTER, { newKey: 1n, persists: true }));
  const second = complete(beginReserveOut(ben, REGISTER, { newKey: 2n, persists: true }));
  const third = beginReserveOut(ben, "CLEAR", { key: 2n });
  const reserve = complete(ben.execute(0, cdb("16")));
  assert(third.kind === "later");
  third.cancel?.();
  assertHex(await reserveIn(anna, 0), "00 00 00 00 00 00 00 00");
  release();
  assertEquals([(await first).outcome, (await second).outcome, (await reserve).outcome], [
    "good",
    "good",
    "18",
  ]);
  assertEquals((await complete(third)).outcome, "commandsClearedByDeviceServer");
  assertEquals(store.states.length, 2);
  assertHex((await reserveIn(anna, 0)).subarray(0, 8), "00 00 00 02 00 00 00 10");
});

Deno.test("a saved state in an old format is saved again before any change, even if that fails", async () => {
  const store = new FakeStore(UNRESERVED, { needsRewrite: true });
  const release = store.hold();
  const { anna, ben } = setUp(store);
  const first = outcomeOf(anna, REGISTER, { newKey: 1n, persists: true });
  release();
  assertEquals(await first, "good");
  assertEquals(store.states.map(({ registrations }) => registrations.size), [0, 1]);
  const full = new FakeStore(store.states.at(-1), { needsRewrite: true });
  full.isFull = true;
  const next = setUp(full);
  await Promise.resolve();
  full.isFull = false;
  assertHex((await reserveIn(next.anna, 0)).subarray(8), "00 00 00 00 00 00 00 01");
  assertEquals(await outcomeOf(next.ben, REGISTER, { newKey: 2n, persists: true }), "good");
  assertEquals([full.states.length, attentionsOf(ben)], [1, []]);
});

Deno.test("clear() removes reservations of both kinds, also the saved ones, and notifies all nexuses", async () => {
  const store = new FakeStore();
  const { unit, anna, ben } = setUp(store);
  attentionsOf(anna);
  attentionsOf(ben);
  assertEquals(await outcomeOf(anna, REGISTER, { newKey: KEY, persists: true }), "good");
  assertEquals(await outcomeOf(ben, REGISTER, { newKey: 2n, persists: true }), "good");
  assertEquals(await outcomeOf(anna, "RESERVE", { key: KEY, type: 3 }), "good");
  await unit.reservations.clear();
  assertEquals(attentionsOf(anna), ["reservationsPreempted"]);
  assertEquals(attentionsOf(ben), ["reservationsPreempted"]);
  assertEquals(unit.reservations.state, { ...UNRESERVED, generation: 3 });
  assertEquals(savedIn(store), UNRESERVED);
  assertEquals((await run(anna, cdb("16 00 00 00 00 00"))).outcome, "good");
  assertEquals(unit.reservations.reserver?.initiatorPort, ANNA);
  await unit.reservations.clear();
  assertEquals(unit.reservations.reserver, undefined);
  assertEquals(attentionsOf(anna), ["reservationsReleased"]);
  assertEquals(attentionsOf(ben), []);
});

Deno.test("clear() changes nothing if it cannot save, and waits for earlier requests", async () => {
  const store = new FakeStore();
  const { unit, anna } = setUp(store);
  const release = store.hold();
  const registering = outcomeOf(anna, REGISTER, { newKey: KEY, persists: true });
  const clearing = unit.reservations.clear();
  release();
  assertEquals(await registering, "good");
  await clearing;
  assertEquals([unit.reservations.state.registrations.size, unit.reservations.state.generation], [0, 2]);
  assertEquals(attentionsOf(anna).at(-1), "reservationsPreempted");
  assertEquals(await outcomeOf(anna, REGISTER, { newKey: KEY, persists: true }), "good");
  store.isFull = true;
  await assertRejects(() => unit.reservations.clear(), StoreError);
  assertEquals(unit.reservations.state.registrations.size, 1);
});

/** Makes a unit with this number of registrations, each of which counts the reads of its key. */
async function setUpCrowd(count: number): Promise<{ anna: Nexus; unit: LogicalUnit; looks: () => number }> {
  const { target, unit, anna } = setUp();
  for (let index = 0; index < count; index++) {
    const port = `iqn.2007-01.tld.a:crowd,i,0x${index.toString(16).padStart(12, "0")}`;
    assertEquals(reserveOut(open(target, port), REGISTER, { newKey: BigInt(index + 1) }), "good");
  }
  let looks = 0;
  for (const registration of unit.reservations.state.registrations.values()) {
    const { key } = registration;
    const get = (): string => {
      looks++;
      return key;
    };
    Object.defineProperty(registration, "key", { get });
  }
  assertEquals((await reserveIn(anna, 0, 8)).length, 8);
  return { anna, unit, looks: () => looks };
}

Deno.test("READ KEYS and READ FULL STATUS encode no more than the allocation length", async () => {
  const { anna, looks } = await setUpCrowd(820);
  const transportIdBytes = 4 + 44;
  const descriptorBytes = 24 + transportIdBytes;
  for (const [serviceAction, itemBytes] of [[0, 8], [3, descriptorBytes]] as const) {
    for (const allocationLength of [0, 4, 8, 9, 8 + itemBytes, 9 + itemBytes, 8 + 10 * itemBytes]) {
      const before = looks();
      const data = await reserveIn(anna, serviceAction, allocationLength);
      assertEquals(data.length, allocationLength);
      if (data.length >= 8) assertEquals(readUint32(data, 4), 820 * itemBytes);
      assertEquals(looks() - before, Math.max(Math.ceil((allocationLength - 8) / itemBytes), 0));
    }
  }
});

Deno.test("REGISTER with SPEC_I_PT reads each nexus a few times, however often its list names it", async () => {
  const { target, unit, anna } = setUp();
  const NEXUSES = 200;
  let looks = 0;
  for (let index = 0; index < NEXUSES; index++) {
    open(target, `iqn.2007-01.tld.a:crowd,i,0x${index.toString(16).padStart(12, "0")}`);
  }
  for (const { identity } of unit.nexuses) {
    const { initiatorPort } = identity;
    const get = (): string => {
      looks++;
      return initiatorPort;
    };
    Object.defineProperty(identity, "initiatorPort", { get });
  }
  const name = new TextEncoder().encode("iqn.2007-01.tld.a:crowd");
  const id = Uint8Array.of(0x05, 0, 0, 24, ...name, 0);
  const ids = Uint8Array.from(Array.from({ length: 1000 }, () => [...id]).flat());
  const list = new Uint8Array(28 + ids.length);
  list[15] = 1;
  list[20] = 0x08;
  list.set([0, 0, ids.length >> 8, ids.length & 0xff], 24);
  list.set(ids, 28);
  const block = cdb("5f");
  block.set([0, 0, list.length >> 8, list.length & 0xff], 5);
  assertEquals((await run(anna, block, { dataOut: list })).outcome, "good");
  assertEquals(unit.reservations.state.registrations.size, NEXUSES + 1);
  assert(looks < NEXUSES * 10, `${looks} looks`);
});
