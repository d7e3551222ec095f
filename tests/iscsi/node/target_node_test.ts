/**
 * Admission of initiators to targets, and the fate of sessions (RFC 7143, 4.4.3, 6.3.5 and Appendix C).
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { RejectReason } from "../../../lib/iscsi/pdu/reject_reason.ts";
import type { Session } from "../../../lib/iscsi/session/session.ts";
import { interfaceAddresses } from "../../../lib/access/interfaces.ts";
import { read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { INITIATOR_NAME, ISID, LoginRefused, Stage } from "../../support/initiator_login.ts";
import { NO_TAG, Opcode } from "../../support/initiator_pdu.ts";
import {
  loginRequest,
  LogoutReason,
  logoutRequest,
  type RequestPdu,
  textRequest,
} from "../../support/initiator_request.ts";
import { ScsiStatus, SenseKey } from "../../support/initiator_sense.ts";
import { encodeText } from "../../support/initiator_text.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import {
  type ConnectOptions,
  type Harness,
  nameOf,
  type Served,
  type TargetSpec,
  withHarness,
} from "../../support/harness.ts";
import type { ConnectionEnds } from "../../../lib/iscsi/byte_stream.ts";
import { settle, until } from "../../support/until.ts";
import { assertSameBytes, pattern } from "../../support/content.ts";
import { asynchronousMessage, numbered } from "../../support/exchanges.ts";

const OTHER_ISID = Uint8Array.of(0x80, 0, 0, 0, 0, 2);
const SIZE = 1024 * 1024;

/** All bytes that the node sends to who logs in like this, up to the end of the connection. */
async function refusalBytes(
  harness: Harness,
  login: { name?: string; target?: string },
  connect: ConnectOptions = {},
): Promise<string> {
  const { initiator, served } = harness.open(connect);
  const text = encodeText([["InitiatorName", login.name ?? "iqn.2000-01.a:b"], [
    "TargetName",
    nameOf(login.target),
  ]]);
  await initiator.send(loginRequest({
    isTransit: true,
    currentStage: Stage.operational,
    nextStage: Stage.fullFeature,
    isid: ISID,
    initiatorTaskTag: 1,
    cmdSn: 1,
    expStatSn: 0,
    text,
  }));
  const pdus = await initiator.receiveEnd();
  await served;
  return pdus.map(({ header, data }) => header.toHex() + data.toHex()).join(" ");
}

Deno.test("default deny: whoever is refused sees the same bytes, and the log tells why", () =>
  withHarness({
    targets: [
      { name: "listed", initiators: ["iqn.2000-01.a:friend"] },
      { name: "near", networks: ["192.168.0.0/16"] },
      { name: "both", initiators: ["iqn.2000-01.a:b"], networks: ["192.168.0.0/16"] },
    ],
  }, async (harness) => {
    const seen = [
      await refusalBytes(harness, { target: "unknown" }),
      await refusalBytes(harness, { target: "listed" }),
      await refusalBytes(harness, { target: "near" }),
      await refusalBytes(harness, { target: "both" }),
      await refusalBytes(harness, { target: "both" }, { ends: { localAddress: "192.168.0.1" } }),
      await refusalBytes(harness, { target: "near" }, { ends: { peerAddress: "192.168.0.9" } }),
    ];
    assertEquals(new Set(seen).size, 1, "all look the same");
    assert(seen[0]!.startsWith("23"), "it is a login response");
    const reasons = ["no target", "initiators of [listed]", "networks of [near]", "networks of [both]"];
    for (const reason of reasons) assert(harness.log.some((line) => line.includes(reason)), reason);
    assert(harness.log.every((line) => line.startsWith("warning: 10.0.0.2") || line.includes("192.168.0.9")));
  }));

Deno.test("a network admits who comes from it and connects to an address in it", () =>
  withHarness({ targets: [{ networks: ["192.168.0.0/16"] }] }, async (harness) => {
    const ends = { localAddress: "192.168.0.1", peerAddress: "192.168.0.9" };
    await harness.logIn({}, { ends });
    await assertRejects(() => harness.connect().login({ targetName: nameOf() }), LoginRefused);
  }));

const INTERFACES = interfaceAddresses([
  { name: "eth0", address: "10.0.0.1", cidr: "10.0.0.1/24" },
  { name: "eth1", address: "10.0.1.1", cidr: "10.0.1.1/24" },
  { name: "eth1", address: "fd00::1", cidr: "fd00::1/64" },
]);

Deno.test("SendTargets tells of the targets that this initiator may use from here, each with its portals", () =>
  withHarness({
    targets: [
      { name: "open", alias: "second" },
      { name: "theirs", initiators: ["iqn.2000-01.a:friend"] },
      { name: "mine", initiators: ["iqn.2011-07.com.example:89abcdef"] },
      { name: "wide", networks: ["10.0.0.0/16", "fd00::/64"] },
      { name: "far", networks: ["192.168.0.0/16"] },
    ],
    interfaces: INTERFACES,
  }, async (harness) => {
    const initiator = harness.connect();
    await initiator.login();
    const here = "10.0.0.1:3260,1";
    const targets = [
      { name: nameOf("open"), addresses: [here] },
      { name: nameOf("mine"), addresses: [here] },
      { name: nameOf("wide"), addresses: [here, "10.0.1.1:3260,1", "[fd00::1]:3260,1"] },
    ];
    assertEquals(await initiator.sendTargets("All"), targets);
    assertEquals(await initiator.sendTargets(nameOf("open")), [targets[0]!]);
    assertEquals(await initiator.sendTargets(nameOf("second").toUpperCase()), [
      { name: nameOf("second"), addresses: [here] },
    ]);
    for (const name of ["theirs", "far", "unknown"]) {
      assertEquals(await initiator.sendTargets(nameOf(name)), []);
    }
    assertEquals(await initiator.text([["SendTargets", ""]]), [["SendTargets", "Reject"]]);
  }));

Deno.test("SendTargets tells an initiator that no target lists of nothing", () =>
  withHarness({ targets: [{ initiators: ["iqn.2000-01.a:friend"] }] }, async (harness) => {
    const initiator = harness.connect();
    await initiator.login();
    assertEquals(await initiator.sendTargets("All"), []);
  }));

Deno.test("SendTargets in a normal session tells of its own target only (Appendix C)", () =>
  withHarness({ targets: [{ alias: "second" }, { name: "other" }] }, async (harness) => {
    const initiator = await harness.logIn({ targetName: nameOf("second") });
    const own = [{ name: nameOf("second"), addresses: ["10.0.0.1:3260,1"] }];
    assertEquals(await initiator.sendTargets(""), own);
    assertEquals(await initiator.sendTargets(nameOf("second")), own);
    for (const what of ["All", nameOf("other"), nameOf("unknown")]) {
      assertEquals(await initiator.text([["SendTargets", what]]), [["SendTargets", "Reject"]]);
    }
  }));

Deno.test("SendTargets tells of 1,000 targets in as many PDUs as it takes", () =>
  withHarness({
    targets: Array.from({ length: 1000 }, (_, index): TargetSpec => ({ name: `t${index}` })),
  }, async (harness) => {
    const initiator = harness.connect();
    await initiator.login({ keys: { MaxRecvDataSegmentLength: "8192" } });
    const targets = await initiator.sendTargets("All");
    assertEquals(
      targets.map(({ name }) => name),
      Array.from({ length: 1000 }, (_, index) => nameOf(`t${index}`)),
    );
    assertEquals((await initiator.sendTargets("All")).length, 1000);
  }));

Deno.test("session reinstatement ends the old connection and its tasks before it is answered (6.3.5)", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const first = harness.open();
    await first.initiator.login({ targetName: nameOf() });
    await first.initiator.command({ cdb: testUnitReady() });
    await first.initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await first.initiator.begin({ cdb: write10(1, 1), write: pattern(512, 2) });
    await until(() => store.pending.length === 2, "both writes are under way");
    const second = harness.open();
    let isAnswered = false;
    const login = second.initiator.login({ targetName: nameOf() }).then(() => isAnswered = true);
    assertEquals(await first.initiator.receiveEnd(), []);
    await settle();
    assertEquals(isAnswered, false);
    store.release(1);
    await settle();
    assertEquals(isAnswered, false, "one write is still under way");
    store.release(0);
    await login;
    await first.served;
    assert(harness.log.some((line) => line.includes("reinstated")));
    const { status, sense } = await second.initiator.command({ cdb: testUnitReady() });
    assertEquals([status, sense?.key], [ScsiStatus.checkCondition, SenseKey.unitAttention]);
  });
});

Deno.test("a session is reinstated over another portal than that of its predecessor (6.3.5)", () =>
  withHarness({}, async (harness) => {
    let before = harness.open();
    await before.initiator.login({ targetName: nameOf() });
    for (const ends of [{ localAddress: "10.0.1.1" }, { localPort: 860 }]) {
      const after = harness.open({ ends });
      await after.initiator.login({ targetName: nameOf() });
      assertEquals(await before.initiator.receiveEnd(), []);
      assertEquals([...harness.node.sessions()].length, 1);
      before = after;
    }
  }));

Deno.test("a discovery session is reinstated by one of the same initiator port, and by no normal one (7.4.2)", () =>
  withHarness({}, async (harness) => {
    const first = harness.open();
    await first.initiator.login();
    const other = harness.open();
    await other.initiator.login({ isid: OTHER_ISID });
    const normal = await harness.logIn();
    assertEquals((await first.initiator.sendTargets()).length, 1);
    const second = harness.open();
    await second.initiator.login();
    await first.served;
    assert(first.isClosed() && !other.isClosed(), "only the session of the same port has ended");
    await normal.nop();
    assertEquals((await second.initiator.sendTargets()).length, 1);
  }));

/** A discovery session by where it comes in and what it says. */
type Way = Readonly<{ ends: Partial<ConnectionEnds>; discoveredName?: string }>;

Deno.test("discovery sessions over other portals, or that name other targets, are independent (7.4.2.1, 7.4.2.2)", () =>
  withHarness({}, async (harness) => {
    const ways: Way[] = [
      { ends: {} },
      { ends: { localAddress: "10.0.1.1" } },
      { ends: { localPort: 860 } },
      { ends: {}, discoveredName: nameOf() },
      { ends: {}, discoveredName: nameOf("other") },
    ];
    const logIn = async ({ ends, ...login }: Way): Promise<Served> => {
      const served = harness.open({ ends });
      await served.initiator.login(login);
      return served;
    };
    const before = [];
    for (const way of ways) before.push(await logIn(way));
    assertEquals(before.map(({ isClosed }) => isClosed()), ways.map(() => false));
    for (const [index, way] of ways.entries()) {
      const after = await logIn(way);
      await before[index]!.served;
      assertEquals((await after.initiator.sendTargets()).length, 1);
      assertEquals(before.slice(index + 1).some(({ isClosed }) => isClosed()), false);
    }
    // One that names its target is that target's, over whatever portal it comes (7.4.2.2).
    const named = await logIn({ ends: {}, discoveredName: nameOf("third") });
    await logIn({ ends: { localPort: 860 }, discoveredName: nameOf("third").toUpperCase() });
    await named.served;
  }));

Deno.test("a login waits until nothing of a connection that broke can reach the medium any more", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const { initiator: broken, served } = harness.open();
    await broken.login({ targetName: nameOf() });
    await broken.command({ cdb: testUnitReady() });
    await broken.begin({ cdb: write10(0, 1), write: pattern(512, 1) });
    await until(() => store.pending.length === 1, "its write is under way");
    await broken.close();
    await served;
    let isIn = false;
    const login = harness.connect().login({ targetName: nameOf() }).then(() => isIn = true);
    await settle();
    assertEquals(isIn, false);
    store.releaseAll();
    await login;
  });
});

Deno.test("a logout is answered when nothing of the session can reach the medium any more", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    let isOut = false;
    const logout = initiator.logout().then((response) => {
      isOut = true;
      return response;
    });
    await settle();
    assertEquals(isOut, false);
    store.releaseAll();
    assertEquals(await logout, 0);
  });
});

Deno.test("a login waits for no other target's medium", async () => {
  const slow = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [slow] }, { name: "other" }] }, async (harness) => {
    const initiator = await harness.logIn();
    await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => slow.pending.length === 1, "the write is under way");
    const other = await harness.logIn({ targetName: nameOf("other") });
    assertEquals(await other.logout(), 0);
    await harness.logIn({ targetName: nameOf("other") });
    slow.releaseAll();
  });
});

Deno.test("of logins that wait for a medium which never answers only the last one is kept", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    let before: Promise<void> = Promise.resolve();
    for (let round = 0; round < 5; round++) {
      const { initiator: again, served } = harness.open();
      const login = assertRejects(() => again.login({ targetName: nameOf() }));
      await settle();
      await before;
      before = served;
      await again.close();
      await login;
    }
    store.releaseAll();
    await before;
  });
});

/** The only session that there is. */
function onlySession({ node }: Harness): Session {
  const [session, ...others] = [...node.sessions()];
  assertEquals(others, []);
  return session!;
}

Deno.test("sessions() tells who is logged in to what, since when and from where", () =>
  withHarness({}, async (harness) => {
    harness.clock.advance(1000);
    await harness.connect().login();
    const initiator = await harness.logIn();
    const seen = [...harness.node.sessions()].map((
      { target, identity, connections, ends, beganAtMs },
    ) => [
      target?.config.name,
      identity.initiatorName,
      [...connections.keys()],
      ends.peerAddress,
      new Date(beganAtMs).toISOString(),
    ]);
    const common = [INITIATOR_NAME, [0], "10.0.0.2", "2026-01-01T00:00:01.000Z"];
    assertEquals(seen, [[undefined, ...common], ["disk", ...common]]);
    assertEquals(await initiator.logout(), 0);
    assertEquals([...harness.node.sessions()].length, 1);
  }));

Deno.test("endSession() ends its tasks, its nexus and its connection", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    harness.node.endSession(onlySession(harness));
    assertEquals(await initiator.receiveEnd(), []);
    assertEquals([...harness.node.sessions()], []);
    store.releaseAll();
  });
});

Deno.test("requestLogout() asks, lets everything go on, and waits no longer than it said (11.9.1)", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    harness.node.requestLogout(onlySession(harness), 10);
    harness.node.requestLogout(onlySession(harness), 10);
    assertEquals(asynchronousMessage(await initiator.receive()), [1, 0, 0, 10]);
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    harness.clock.advance(9999);
    await initiator.nop();
    harness.clock.advance(1);
    // The connection with identifier 0 is dropped; Time2Wait is 2, Time2Retain 0.
    assertEquals((await initiator.receiveEnd()).map(asynchronousMessage), [[2, 0, 2, 0]]);
    assertEquals([...harness.node.sessions()], []);
    assert(harness.log.some((line) => line.includes("no logout within 10 s")));
  }));

Deno.test("who is to log out begins no negotiation any more, but goes on with all else (11.9.1)", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    const declare = (targetTransferTag?: number): RequestPdu =>
      textRequest({
        ...numbered(initiator, true),
        isFinal: targetTransferTag !== undefined,
        targetTransferTag: targetTransferTag ?? NO_TAG,
        text: encodeText(targetTransferTag === undefined ? [["MaxRecvDataSegmentLength", "512"]] : []),
      });
    await initiator.send(declare());
    const { targetTransferTag } = await initiator.receive();
    harness.node.requestLogout(onlySession(harness), 10);
    assertEquals(asynchronousMessage(await initiator.receive()), [1, 0, 0, 10]);
    const rejected = declare();
    await initiator.send(rejected);
    const reject = await initiator.receive();
    assertEquals([reject.opcode, reject.response], [Opcode.reject, RejectReason.waitingForLogout]);
    assertEquals(reject.data, rejected.header);
    // What was begun before comes to its end.
    await initiator.send(declare(targetTransferTag));
    assertEquals((await initiator.receive()).isFinal, true);
    const write = pattern(512);
    assertEquals((await initiator.command({ cdb: write10(0, 1), write })).status, ScsiStatus.good);
    // One that is not immediate leaves its number to the logout (7.3).
    const last = numbered(initiator);
    await initiator.send(textRequest({ ...last, isFinal: true }));
    assertEquals((await initiator.receive()).response, RejectReason.waitingForLogout);
    await initiator.send(logoutRequest({ ...last, reason: LogoutReason.closeSession }));
    assertEquals((await initiator.receiveEnd()).map(({ opcode }) => opcode), [Opcode.logoutResponse]);
  }));

Deno.test("who has logged out as asked waits for its answer as long as the medium takes", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const { initiator } = harness.open({ answersPings: false });
    await initiator.login({ targetName: nameOf() });
    await initiator.command({ cdb: testUnitReady() });
    await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    harness.node.requestLogout(onlySession(harness), 10);
    assertEquals((await initiator.receive()).opcode, Opcode.asynchronousMessage);
    const logout = initiator.logout();
    await until(() => [...harness.node.sessions()].length === 0, "the session is over");
    harness.clock.advance(1_000_000);
    store.releaseAll();
    assertEquals(await logout, 0);
    assertEquals(await initiator.receiveEnd(), [], "nobody has asked whether it is there");
  });
});

Deno.test("who logs out as asked is not closed by the clock", () =>
  withHarness({}, async (harness) => {
    const { initiator, served } = harness.open();
    await initiator.login({ targetName: nameOf() });
    harness.node.requestLogout(onlySession(harness), 10);
    assertEquals((await initiator.receive()).opcode, Opcode.asynchronousMessage);
    assertEquals(await initiator.logout(), 0);
    await served;
    assertEquals(harness.clock.waiting, 0);
    assert(!harness.log.some((line) => line.startsWith("warning")));
  }));

Deno.test("two sessions of one initiator have units, tasks and attentions of their own (multipath)", () =>
  withHarness({}, async (harness) => {
    const first = await harness.logIn();
    const second = await harness.logIn({ isid: OTHER_ISID });
    assertEquals((await first.command({ cdb: write10(0, 1), write: pattern(512) })).status, ScsiStatus.good);
    const { data } = await second.command({ cdb: read10(0, 1), read: 512 });
    await assertSameBytes(data, pattern(512));
    assertEquals(await first.logout(), 0);
    assertEquals((await second.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }));

Deno.test("sessions of two initiators, and of one initiator with two targets, do not replace one another", () =>
  withHarness({ targets: [{}, { name: "other" }] }, async (harness) => {
    const sessions = [
      await harness.logIn(),
      await harness.logIn({ initiatorName: "iqn.2000-01.a:b" }),
      await harness.logIn({ targetName: nameOf("other") }),
      harness.connect(),
    ];
    await sessions[3]!.login();
    for (const session of sessions) await session.text([]);
    for (const session of sessions) assertEquals(await session.logout(), 0);
  }));

Deno.test("drained() resolves when a target has no session left, and nothing is under way at it", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }, { name: "other" }] }, async (harness) => {
    const [first, second] = [await harness.logIn(), await harness.logIn({ isid: OTHER_ISID })];
    const other = await harness.logIn({ targetName: nameOf("other") });
    const [target, , unused] = [...harness.node.sessions()].map((session) => session.target!);
    const sessionCount = (): number => [...harness.node.sessions()].length;
    let isDrained = false;
    const drained = harness.node.drained(target!).then(() => isDrained = true);
    await first.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    await first.close();
    await until(() => sessionCount() === 2, "one session has ended");
    await settle();
    assertEquals(isDrained, false, "another is left");
    await second.close();
    await until(() => sessionCount() === 1, "both sessions have ended");
    await settle();
    assertEquals(isDrained, false, "the write is under way");
    store.releaseAll();
    await drained;
    await harness.node.drained(target!);
    let isUnused = false;
    const left = harness.node.drained(unused!).then(() => isUnused = true);
    await settle();
    assertEquals(isUnused, false, "its session goes on");
    await other.close();
    await left;
  });
});

Deno.test("workDone() resolves when what is under way at a target is done, though its sessions go on", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const target = onlySession(harness).target!;
    await harness.node.workDone(target);
    const write = await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    let isDone = false;
    const done = harness.node.workDone(target).then(() => isDone = true);
    await settle();
    assertEquals(isDone, false);
    store.releaseAll();
    await done;
    assertEquals((await write.result()).status, ScsiStatus.good);
  });
});

Deno.test("TSIHs are not zero and differ", () =>
  withHarness({}, async (harness) => {
    const seen = new Set<number>();
    for (let index = 0; index < 10; index++) {
      const isid = Uint8Array.of(0x80, 0, 0, 0, 9, index);
      seen.add((await harness.connect().login({ targetName: nameOf(), isid })).tsih);
    }
    assertEquals([seen.size, seen.has(0)], [10, false]);
  }));

Deno.test("a target that is read-only says so and keeps its bytes", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  await withHarness({ targets: [{ stores: [store], readOnly: true }] }, async (harness) => {
    const initiator = await harness.logIn();
    const { sense, residual } = await initiator.command({ cdb: write10(0, 8), write: pattern(4096) });
    assertEquals([sense?.key, sense?.code, residual], [SenseKey.dataProtect, 0x2700, -4096]);
    assertEquals(store.writeCount, 0);
  });
});

Deno.test("of too many connections that have not logged in the oldest gives way, and newcomers log in", () =>
  withHarness({}, async (harness) => {
    const open = (peerAddress: string): Served => harness.open({ ends: { peerAddress } });
    const flood = Array.from({ length: Limits.connectionsInLoginPerAddress + 5 }, () => open("10.0.0.9"));
    assertEquals(flood.map(({ isClosed }) => isClosed()), flood.map((_, index) => index < 5));
    const rest = Limits.connectionsInLogin - Limits.connectionsInLoginPerAddress;
    const others = Array.from({ length: rest }, (_, index) => open(`10.0.1.${index}`));
    // From now on there are too many: a connection from the largest crowd gives way.
    await open("10.0.0.2").initiator.login({ targetName: nameOf() });
    assert(flood[5]!.isClosed(), "one of the largest crowd gave way");
    assert(others.every(({ isClosed }) => !isClosed()), "nobody else did");
    await open("10.0.0.9").initiator.login({ targetName: nameOf(), isid: OTHER_ISID });
    for (const { initiator } of others) await initiator.login({ initiatorName: "iqn.2000-01.a:o" });
    const told = harness.log.filter((line) => line.includes("too many connections are logging in"));
    assertEquals(told.length, 3, "the log tells of the 1st, 2nd and 4th only");
  }));

Deno.test("stop() tells who is logging in that it is no use (0301)", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const [early, late] = [harness.connect(), harness.connect()];
    await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    const request = (text: Uint8Array, isTransit: boolean): RequestPdu =>
      loginRequest({
        isTransit,
        currentStage: Stage.operational,
        nextStage: isTransit ? Stage.fullFeature : 0,
        isid: OTHER_ISID,
        initiatorTaskTag: 1,
        cmdSn: 1,
        expStatSn: 0,
        text,
      });
    const names = encodeText([["InitiatorName", "iqn.2000-01.a:b"], ["TargetName", nameOf()]]);
    await early.send(request(names, false));
    assertEquals((await early.receive()).statusClass, 0);
    const stopped = harness.node.stop();
    await early.send(request(new Uint8Array(0), true));
    await late.send(request(names, true));
    for (const each of [early, late]) {
      const pdus = await each.receiveEnd();
      assertEquals(pdus.map(({ statusClass, statusDetail }) => [statusClass, statusDetail]), [[3, 1]]);
    }
    store.releaseAll();
    await stopped;
  });
});

Deno.test("stop() ends every connection, lets writes settle, and takes no more", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const inLogin = harness.open();
    await initiator.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    let isStopped = false;
    const stopped = harness.node.stop().then(() => isStopped = true);
    assertEquals((await initiator.receiveEnd()).map(asynchronousMessage), [[3, 0, 2, 0]]);
    await settle();
    assertEquals(isStopped, false);
    assert(harness.open().isClosed(), "nobody is let in any more");
    store.releaseAll();
    await stopped;
    assert(inLogin.isClosed(), "who had not logged in is gone as well");
  });
});

Deno.test("events say for programs, too, who it was, at which target, and what refused", () =>
  withHarness(
    { targets: [{}, { name: "listed", initiators: ["iqn.2000-01.a:friend"] }] },
    async (harness) => {
      const initiator = await harness.logIn();
      await initiator.logout();
      await assertRejects(() => harness.connect().login({ targetName: nameOf("listed") }), LoginRefused);
      await harness.connect().login();
      await until(() => harness.events.length === 4, "all is told");
      const peer = "10.0.0.2";
      const name = "iqn.2011-07.com.example:89abcdef";
      const told = harness.events.map(({ level, details }) => ({ level, ...details }));
      assertEquals(told, [
        { level: "info", event: "sessionBegins", peer, initiator: name, target: nameOf() },
        { level: "info", event: "sessionEnds", peer, initiator: name, target: nameOf() },
        {
          level: "warning",
          event: "loginRefused",
          peer,
          initiator: name,
          target: nameOf("listed"),
          reason: "initiators",
        },
        { level: "debug", event: "sessionBegins", peer, initiator: name, target: undefined },
      ]);
    },
  ));
