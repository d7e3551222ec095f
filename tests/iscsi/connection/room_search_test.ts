/** A host that comes back while its old sessions are still there, through the whole node. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { type DoubtfulConnection, RoomSearch } from "../../../lib/iscsi/connection/room_search.ts";
import { FakeClock } from "../../support/fake_clock.ts";
import type { Initiator } from "../../support/initiator.ts";
import { ConnectionClosed } from "../../support/initiator_connection.ts";
import { testUnitReady } from "../../support/initiator_cdb.ts";
import { type LoginOptions, LoginRefused } from "../../support/initiator_login.ts";
import { NO_TAG, Opcode } from "../../support/initiator_pdu.ts";
import { nopOut } from "../../support/initiator_request.ts";
import {
  type Harness,
  type HarnessOptions,
  nameOf,
  type Served,
  withHarness,
} from "../../support/harness.ts";
import { settle } from "../../support/until.ts";
import { numbered } from "../../support/exchanges.ts";

const DISK: LoginOptions = { targetName: nameOf() };

/** A connection that answers a ping after so many milliseconds. */
class Peer implements DoubtfulConnection {
  probes = 0;
  isGone = false;
  readonly #clock: FakeClock;
  readonly #answersAfterMs: number;

  constructor(clock: FakeClock, answersAfterMs: number) {
    this.#clock = clock;
    this.#answersAfterMs = answersAfterMs;
  }

  probe(): boolean {
    this.probes++;
    return true;
  }

  isDecided(sinceMs: number): boolean {
    return this.#clock.monotonicMs() - sinceMs >= this.#answersAfterMs;
  }

  presumeGone(): void {
    this.isGone = true;
  }
}

Deno.test("RoomSearch ends as soon as everybody has answered, and at last takes the others for gone", async () => {
  for (const [answers, endMs, gone] of [[[600, 100], 750, []], [[100, Infinity, 2900], 3000, [1]]] as const) {
    const clock = new FakeClock();
    const peers = answers.map((answer) => new Peer(clock, answer));
    let isOver = false;
    const search = new RoomSearch(clock, peers).begin()!.then(() => isOver = true);
    let passedMs = 0;
    for (; !isOver && passedMs < 10_000; passedMs += Limits.probeStepMs) {
      clock.advance(Limits.probeStepMs);
      await Promise.resolve();
      await Promise.resolve();
    }
    await search;
    assertEquals([passedMs, peers.flatMap(({ isGone }, index) => isGone ? [index] : [])], [endMs, [...gone]]);
    assertEquals(clock.waiting, 0);
  }
});

Deno.test("RoomSearch asks nobody twice at the same time, and again afterwards", async () => {
  const clock = new FakeClock();
  const peers = [new Peer(clock, 100)];
  const search = new RoomSearch(clock, peers);
  const first = search.begin();
  assertEquals([search.begin() === first, peers[0]!.probes], [true, 1]);
  clock.advance(Limits.probeStepMs);
  await first;
  assert(search.begin() !== first);
  assertEquals(peers[0]!.probes, 2);
});

Deno.test("RoomSearch has nothing to wait for where nobody is in doubt", () => {
  const there = { probe: () => false, isDecided: () => true, presumeGone: () => {} };
  assertEquals(new RoomSearch(new FakeClock(), [there]).begin(), undefined);
  assertEquals(new RoomSearch(new FakeClock(), []).begin(), undefined);
});

function isidOf(number: number): Uint8Array {
  return Uint8Array.of(0x80, 0, 0, 0, 3, number);
}

/** Opens a session whose initiator sends nothing after its login. */
async function leaveSilent(harness: Harness, options: LoginOptions, seconds = 5): Promise<Served> {
  const served = harness.open({ answersPings: false });
  await served.initiator.login(options);
  harness.clock.advance(1000 * seconds);
  return served;
}

interface Attempt {
  readonly initiator: Initiator;
  /** The status of the login, once it is over. */
  readonly status: Promise<number>;
}

function attempt(harness: Harness, options: LoginOptions): Attempt {
  const initiator = harness.connect();
  const status = initiator.login(options).then(() => 0, (error) => {
    if (error instanceof LoginRefused) return error.status;
    throw error;
  });
  return { initiator, status };
}

/** Lets time go by until a login is over; returns the time that it takes, in ms, and its status. */
async function timeOf(harness: Harness, { status }: Attempt): Promise<{ passedMs: number; status: number }> {
  let ended: number | undefined;
  status.then((value) => ended = value, () => {});
  for (let passedMs = 0; passedMs <= 10_000; passedMs += 250) {
    await settle();
    if (ended !== undefined) return { passedMs, status: ended };
    harness.clock.advance(250);
  }
  throw new Error("The login does not end");
}

const LIMITS: readonly (readonly [string, HarnessOptions, LoginOptions])[] = [
  ["connections", { connections: 1 }, DISK],
  ["sessions", { sessions: 1 }, DISK],
];

for (const [what, limits, options] of LIMITS) {
  for (const hasSecurityStage of [true, false]) {
    const how = hasSecurityStage ? "with" : "without";
    Deno.test(`at the limit of ${what}, a login ${how} security stage finds the room of a silent session`, () =>
      withHarness(limits, async (harness) => {
        const { served, isClosed } = await leaveSilent(harness, options);
        const login = attempt(harness, { ...options, hasSecurityStage, isid: isidOf(1) });
        assertEquals(await timeOf(harness, login), { passedMs: Limits.probeMs, status: 0 });
        await served;
        assert(isClosed());
        const { sense } = await login.initiator.command({ cdb: testUnitReady() });
        assert(sense !== undefined, "it is a new session, with its unit attention");
        const told = "no answer to a ping within 3 s, while a login waits for room; closing the connection";
        assert(harness.log.some((line) => line.endsWith(told)), harness.log.join("\n"));
        assertEquals(harness.node.snapshot().refusals.totals.limit, 0);
      }));
  }
}

Deno.test("a login is refused as soon as silent sessions have answered", () =>
  withHarness({ connections: 2 }, async (harness) => {
    const silent = [
      await leaveSilent(harness, DISK),
      await leaveSilent(harness, { ...DISK, isid: isidOf(1) }),
    ];
    const login = attempt(harness, { ...DISK, isid: isidOf(2) });
    for (const { initiator } of silent) {
      const ping = await initiator.receive();
      assertEquals([ping.opcode, ping.initiatorTaskTag], [Opcode.nopIn, NO_TAG]);
      const { targetTransferTag, lun } = ping;
      await initiator.send(
        nopOut({ ...numbered(initiator, true), initiatorTaskTag: NO_TAG, targetTransferTag, lun }),
      );
    }
    assertEquals(await timeOf(harness, login), { passedMs: Limits.probeStepMs, status: 0x0302 });
    assertEquals(silent.map(({ isClosed }) => isClosed()), [false, false]);
    assertEquals(harness.node.snapshot().refusals.totals.limit, 1);
  }));

Deno.test("a login is refused at once where everybody has said something in the last 3 s", () =>
  withHarness({ connections: 1 }, async (harness) => {
    const { initiator } = await leaveSilent(harness, DISK, 2);
    assertEquals(await timeOf(harness, attempt(harness, { ...DISK, isid: isidOf(1) })), {
      passedMs: 0,
      status: 0x0302,
    });
    // The target has not sent a ping either.
    await initiator.nop();
    harness.clock.advance(2000);
    await initiator.nop();
    assertEquals((await attempt(harness, { ...DISK, isid: isidOf(1) }).status).toString(16), "302");
    await initiator.nop();
  }));

Deno.test("a flood of logins makes the target ask once, and as many as there is room for get in", () =>
  withHarness({ connections: 2 }, async (harness) => {
    const gone = await leaveSilent(harness, DISK);
    const there = await leaveSilent(harness, { ...DISK, isid: isidOf(1) });
    const logins = Array.from(
      { length: 20 },
      (_, index) => attempt(harness, { ...DISK, isid: isidOf(10 + index) }),
    );
    await settle();
    const { targetTransferTag } = await there.initiator.receive();
    const answer = { initiatorTaskTag: NO_TAG, targetTransferTag };
    await there.initiator.send(nopOut({ ...numbered(there.initiator, true), ...answer }));
    for (let passedMs = 0; passedMs < 4000; passedMs += 250) {
      await settle();
      harness.clock.advance(250);
    }
    const statuses = await Promise.all(logins.map(({ status }) => status));
    assertEquals(statuses.filter((status) => status === 0).length, 1);
    assertEquals(statuses.filter((status) => status === 0x0302).length, 19);
    await gone.served;
    // It has been asked once.
    await there.initiator.nop();
    assertEquals(there.isClosed(), false);
  }));

Deno.test("a connection that joins finds the room of a silent one, of its session or of another", () =>
  withHarness({ connections: 2 }, async (harness) => {
    const keys = { MaxConnections: "2" };
    const leading = harness.open();
    const { tsih } = await leading.initiator.login({ ...DISK, keys });
    const silent = await leaveSilent(harness, { ...DISK, isid: isidOf(1) });
    await leading.initiator.nop();
    const join = async (connectionId: number): Promise<Served> => {
      const joined = harness.join(leading.initiator, { ...DISK, tsih, connectionId }, {
        answersPings: false,
      });
      return await harness.passTimeUntil(joined);
    };
    const first = await join(1);
    await silent.served;
    // The session has as many connections as it may: that is another status, and as curable.
    harness.clock.advance(5000);
    await leading.initiator.nop();
    await join(2);
    await first.served;
    assertEquals(leading.isClosed(), false);
  }));

Deno.test("a discovery session finds the room of silent ones", () =>
  withHarness({}, async (harness) => {
    const crowd: Served[] = [];
    for (let count = 0; count < Limits.discoverySessions; count++) {
      crowd.push(await leaveSilent(harness, { isid: isidOf(count) }, 0));
    }
    harness.clock.advance(4000);
    const login = attempt(harness, { isid: isidOf(99) });
    assertEquals(await timeOf(harness, login), { passedMs: Limits.probeMs, status: 0 });
    for (const { served } of crowd) await served;
  }));

Deno.test("a login waits for room once: who falls silent meanwhile is asked at its next attempt", () =>
  withHarness({ connections: 2 }, async (harness) => {
    await leaveSilent(harness, DISK, 4);
    await leaveSilent(harness, { ...DISK, isid: isidOf(1) }, 1);
    const [first, second] = [2, 3].map((number) => attempt(harness, { ...DISK, isid: isidOf(number) }));
    assertEquals(await timeOf(harness, first!), { passedMs: Limits.probeMs, status: 0 });
    assertEquals(await timeOf(harness, second!), { passedMs: 0, status: 0x0302 });
    const next = attempt(harness, { ...DISK, isid: isidOf(3) });
    assertEquals(await timeOf(harness, next), { passedMs: Limits.probeMs, status: 0 });
  }));

Deno.test("a login takes the room of a connection that ends while it is asked", () =>
  withHarness({ connections: 1 }, async (harness) => {
    const silent = await leaveSilent(harness, DISK);
    const login = attempt(harness, { ...DISK, isid: isidOf(1) });
    await settle();
    await silent.initiator.close();
    assertEquals(await timeOf(harness, login), { passedMs: Limits.probeStepMs, status: 0 });
    assert(!harness.log.some((line) => line.includes("no answer to a ping")), harness.log.join("\n"));
  }));

Deno.test("a login that goes while it waits for room leaves nothing behind", () =>
  withHarness({ connections: 1 }, async (harness) => {
    await leaveSilent(harness, DISK);
    const served = harness.open();
    const login = served.initiator.login({ ...DISK, isid: isidOf(1) }).catch(() => "gone");
    await settle();
    await served.initiator.close();
    assertEquals(await login, "gone");
    harness.clock.advance(Limits.probeMs);
    await settle();
    assertEquals([...harness.node.sessions()].length, 0);
  }));

Deno.test("a server that ends does not wait for a login that waits for room", () =>
  withHarness({ connections: 1 }, async (harness) => {
    const silent = await leaveSilent(harness, DISK);
    const served = harness.open();
    const login = assertRejects(() => served.initiator.login({ ...DISK, isid: isidOf(1) }), ConnectionClosed);
    await settle();
    const stopped = harness.node.stop();
    await silent.initiator.close();
    await stopped;
    await login;
    await served.served;
  }));
