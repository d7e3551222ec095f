/** Sessions with several connections (RFC 7143, 4.2.2, 4.2.5.1, 6.3 and 11.14), through the whole node. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { readUint32 } from "../../../lib/bytes/big_endian.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { RejectReason } from "../../../lib/iscsi/pdu/reject_reason.ts";
import { formatIsid } from "../../../lib/iscsi/session/session.ts";
import { Random } from "../../support/seeded_random.ts";
import type { Initiator } from "../../support/initiator.ts";
import { read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { LoginRefused } from "../../support/initiator_login.ts";
import { Opcode } from "../../support/initiator_pdu.ts";
import {
  dataOut,
  LogoutReason,
  type RequestPdu,
  scsiCommand,
  textRequest,
} from "../../support/initiator_request.ts";
import { ScsiStatus, SenseKey } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { type Harness, type MultipleConnections, nameOf, withHarness } from "../../support/harness.ts";
import { settle, until } from "../../support/until.ts";
import { assertSameBytes, contentOf, pattern } from "../../support/content.ts";
import {
  asynchronousMessage,
  beginSolicited,
  drain,
  numbered,
  sendSolicited,
} from "../../support/exchanges.ts";

const SIZE = 64 * 1024 * 1024;

/** Remembers the first byte of each piece written. */
class RecordingStore extends MemoryStore {
  readonly written: number[] = [];

  override writeNow(offset: number, from: Uint8Array): boolean {
    this.written.push(from[0]!);
    return super.writeNow(offset, from);
  }
}

/** A write of whole blocks with immediate data, as it goes onto the wire. */
function writePdu(
  initiator: Initiator,
  cmdSn: number,
  data: Uint8Array,
  initiatorTaskTag = initiator.nextTaskTag(),
): RequestPdu {
  return scsiCommand({
    initiatorTaskTag,
    cmdSn,
    expStatSn: initiator.expStatSn,
    isFinal: true,
    reads: false,
    writes: true,
    lun: 0,
    expectedLength: data.length,
    cdb: write10(0, data.length / 512),
    data,
  });
}

/** Runs a test with a session of several connections with a target whose LUN 0 is slow. */
async function withSlowSession(
  count: number,
  test: (session: MultipleConnections & { harness: Harness; store: SlowStore }) => Promise<void>,
): Promise<void> {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    await test({ ...await harness.logInSession(count), harness, store });
    store.releaseAll();
  });
}

/** Everything that comes until a connection ends is nothing. */
async function assertEnds(initiator: Initiator): Promise<void> {
  assertEquals(await initiator.receiveEnd(), []);
}

/** Sends 64 writes of one block, over 8 connections, which the network delivers in any order. */
async function writeShuffled(harness: Harness, store: RecordingStore, random: Random): Promise<void> {
  const { initiators } = await harness.logInSession(8, { connect: { deliveryBytesMax: 1 } });
  const queues: Uint8Array[][] = initiators.map(() => []);
  for (let index = 0; index < 64; index++) {
    const over = random.below(8);
    const initiator = initiators[over]!;
    const data = new Uint8Array(512).fill(index);
    queues[over]!.push(writePdu(initiator, initiator.takeCmdSn(), data).encode());
  }
  const waiting = queues.flatMap((queue, over) => queue.map(() => over));
  for (const over of random.shuffled(waiting)) {
    await initiators[over]!.send(queues[over]!.shift()!);
    if (random.oneIn(4)) await settle();
  }
  for (const [over, initiator] of initiators.entries()) {
    for (let count = waiting.filter((other) => other === over).length; count > 0; count--) {
      const pdu = await initiator.receive();
      assertEquals([pdu.opcode, pdu.status], [Opcode.scsiResponse, ScsiStatus.good]);
    }
    assertEquals(await drain(initiator), []);
  }
  assertEquals(store.written, Array.from({ length: 64 }, (_, index) => index));
}

for (const seed of [1, 2, 3]) {
  Deno.test(`commands over 8 connections are carried out in the order of CmdSN (seed ${seed})`, async () => {
    const store = new RecordingStore({ sizeBytes: SIZE });
    await withHarness(
      { targets: [{ stores: [store] }] },
      (harness) => writeShuffled(harness, store, new Random(seed)),
    );
  });
}

/** Writes and reads back blocks of its own over one connection, with data of every kind of delivery. */
async function workOver(initiator: Initiator, index: number): Promise<void> {
  for (const [round, lengthBytes] of [512, 65_536, 300_032, 1024].entries()) {
    const lba = index * 4096 + round * 600;
    const data = pattern(lengthBytes, index * 4 + round);
    const blocks = lengthBytes / 512;
    const { status } = await initiator.command({ cdb: write10(lba, blocks), write: data });
    assertEquals(status, ScsiStatus.good);
    const read = await initiator.command({ cdb: read10(lba, blocks), read: lengthBytes });
    await assertSameBytes(read.data, data);
  }
}

Deno.test("commands of 8 connections, with data of every kind, do not disturb one another", async () => {
  for (const connect of [{}, { deliveryBytesMax: 997, capacityBytes: 5000 }]) {
    await withHarness({}, async (harness) => {
      const { initiators } = await harness.logInSession(8, { connect });
      await Promise.all(initiators.map(workOver));
      for (const initiator of initiators) assertEquals(await drain(initiator), []);
    });
  }
});

Deno.test("data over another connection than its command is rejected and does the command no harm (4.2.5.1)", () =>
  withHarness({}, async (harness) => {
    const [first, second] = (await harness.logInSession(2)).initiators as [Initiator, Initiator];
    const write = await beginSolicited(first);
    await sendSolicited(second, write);
    const reject = await second.receive();
    assertEquals([reject.opcode, reject.response], [Opcode.reject, RejectReason.protocolError]);
    await sendSolicited(first, write);
    const response = await first.receive();
    assertEquals([response.opcode, response.status], [Opcode.scsiResponse, ScsiStatus.good]);
    const { data } = await second.command({ cdb: read10(0, 8), read: 4096 });
    await assertSameBytes(data, pattern(4096));
  }));

Deno.test("data for a held command is not taken from another connection", () =>
  withHarness({}, async (harness) => {
    const [first, second] = (await harness.logInSession(2)).initiators as [Initiator, Initiator];
    const missing = first.takeCmdSn();
    const tag = first.nextTaskTag();
    const command = writePdu(first, first.takeCmdSn(), pattern(1024), tag);
    command.header[1]! &= 0x7f;
    const unsolicited = { isFinal: true, lun: 0, initiatorTaskTag: tag, expStatSn: 1, dataSn: 0 };
    const held = new Uint8Array(command.encode());
    held.set([0, 0, 2, 0], 4);
    await first.send(held.subarray(0, 48 + 512));
    await first.nop();
    await second.send(dataOut({ ...unsolicited, bufferOffset: 512, data: new Uint8Array(512).fill(9) }));
    await second.nop();
    await first.send(dataOut({ ...unsolicited, bufferOffset: 512, data: pattern(1024).subarray(512) }));
    await first.nop();
    await second.send(writePdu(second, missing, pattern(512, 7)));
    assertEquals([(await second.receive()).status, (await first.receive()).status], [0, 0]);
    const { data } = await second.command({ cdb: read10(0, 2), read: 1024 });
    await assertSameBytes(data, pattern(1024));
  }));

Deno.test("a task tag in use on one connection is in use on all", () =>
  withSlowSession(2, async ({ initiators, store }) => {
    const [first, second] = initiators as [Initiator, Initiator];
    const read = await first.begin({ cdb: read10(0, 1), read: 512 });
    await until(() => store.pending.length === 1, "the read is under way");
    await second.send(writePdu(second, second.takeCmdSn(), pattern(512), read.initiatorTaskTag));
    const reject = await second.receive();
    assertEquals([reject.opcode, reject.response], [Opcode.reject, RejectReason.taskInProgress]);
    store.releaseAll();
    assertEquals((await read.result()).status, ScsiStatus.good);
  }));

Deno.test("the loss of a connection ends its tasks and leaves the session to the others", () =>
  withSlowSession(3, async ({ initiators, connections, harness, store }) => {
    const [first, second, third] = initiators as [Initiator, Initiator, Initiator];
    await first.begin({ cdb: write10(0, 1), write: pattern(512) });
    const kept = await second.begin({ cdb: write10(1, 1), write: pattern(512, 2) });
    await until(() => store.pending.length === 2, "both writes are under way");
    // This one waits for a command that has not been sent.
    const missing = first.takeCmdSn();
    const dropped = first.takeCmdSn();
    await first.send(writePdu(first, dropped, pattern(512, 3)));
    await first.nop();
    await first.close();
    await connections[0]!.served;
    assertEquals([...[...harness.node.sessions()][0]!.connections.keys()], [1, 2]);
    store.releaseAll();
    assertEquals((await kept.result()).status, ScsiStatus.good);
    const attention = await third.command({ cdb: testUnitReady(), isImmediate: true });
    assertEquals(attention.sense?.code, 0x477f, "the initiator hears that its write has no status (11.14.5)");
    // 11.14: what was dropped with its connection leaves a hole, which the initiator fills over another one.
    await second.send(writePdu(second, dropped, pattern(512, 5)));
    await second.nop();
    assertEquals(store.pending.length, 0);
    await third.send(writePdu(third, missing, pattern(512, 4)));
    await until(() => store.pending.length === 2, "both are under way");
    store.releaseAll();
    for (const initiator of [second, third]) {
      while ((await initiator.receive()).opcode !== Opcode.scsiResponse);
      await initiator.nop();
    }
    const ended = second.close();
    await third.close();
    await ended;
    await until(() => [...harness.node.sessions()].length === 0, "the last connection ends the session");
    assert(harness.log.some((line) => line.endsWith("session ends")));
  }));

for (const ending of ["logout over another connection", "loss", "reinstatement"] as const) {
  Deno.test(`commands that end with their connection are told of by a unit attention: ${ending} (11.14.5)`, () =>
    withSlowSession(2, async ({ tsih, initiators, connections, harness, store }) => {
      const [first, second] = initiators as [Initiator, Initiator];
      await second.begin({ cdb: write10(0, 1), write: pattern(512) });
      await until(() => store.pending.length === 1, "the write is under way");
      const isOver = {
        "logout over another connection": async () => {
          const loggedOut = first.logout(LogoutReason.closeConnection, 1);
          store.releaseAll();
          assertEquals(await loggedOut, 0);
        },
        loss: async () => {
          await second.close();
          await connections[1]!.served;
        },
        reinstatement: async () => {
          const joining = harness.join(first, { tsih, connectionId: 1 });
          await assertEnds(second);
          store.releaseAll();
          await joining;
        },
      };
      await isOver[ending]();
      const { status, sense } = await first.command({ cdb: testUnitReady() });
      assertEquals([status, sense?.key, sense?.code], [
        ScsiStatus.checkCondition,
        SenseKey.unitAttention,
        0x477f,
      ]);
      assertEquals((await first.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
      await second.close();
    }));
}

Deno.test("a connection is reinstated when its tasks have ended, and the session goes on (6.3.4)", () =>
  withSlowSession(2, async ({ tsih, initiators, connections, harness, store }) => {
    const [first, second] = initiators as [Initiator, Initiator];
    await second.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    let isAnswered = false;
    const joining = harness.join(first, { tsih, connectionId: 1 }).then((served) => {
      isAnswered = true;
      return served.initiator;
    });
    await assertEnds(second);
    await connections[1]!.served;
    await first.nop();
    assertEquals(isAnswered, false);
    store.releaseAll();
    const again = await joining;
    assertEquals([...[...harness.node.sessions()][0]!.connections.keys()], [0, 1]);
    // A unit attention reports that the write has ended without a status (11.14.5).
    assertEquals((await again.command({ cdb: testUnitReady() })).status, ScsiStatus.checkCondition);
    assertEquals((await first.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    assert(harness.log.some((line) => line.endsWith("connection 1 is reinstated from 10.0.0.2")));
    assertEquals(await drain(first), []);
  }));

Deno.test("the only connection of a session is reinstated: the session and its nexus go on (6.3.4)", () =>
  withHarness({}, async (harness) => {
    const leading = harness.open();
    const { tsih } = await leading.initiator.login({ targetName: nameOf() });
    await leading.initiator.command({ cdb: testUnitReady() });
    const again = await harness.join(leading.initiator, { tsih });
    await assertEnds(leading.initiator);
    // There is no unit attention: the nexus is the one that there was.
    assertEquals((await again.initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    assert(!harness.log.some((line) => line.endsWith("session ends")));
  }));

Deno.test("a session that is reinstated loses all its connections and tasks (6.3.5)", () =>
  withSlowSession(3, async ({ initiators, connections, harness, store }) => {
    for (const [index, initiator] of initiators.entries()) {
      await initiator.begin({ cdb: write10(index, 1), write: pattern(512) });
    }
    await until(() => store.pending.length === 3, "all writes are under way");
    const login = harness.logIn();
    for (const initiator of initiators) await assertEnds(initiator);
    for (const { served } of connections) await served;
    store.releaseAll();
    const again = await login;
    assertEquals((await again.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    assertEquals([...harness.node.sessions()].map((session) => session.connections.size), [1]);
  }));

Deno.test("a logout for the session closes all its connections (11.14)", () =>
  withSlowSession(3, async ({ initiators, connections, harness, store }) => {
    const [first, second, third] = initiators as [Initiator, Initiator, Initiator];
    await second.begin({ cdb: write10(0, 1), write: pattern(512) });
    await until(() => store.pending.length === 1, "the write is under way");
    const logout = first.logout(LogoutReason.closeSession);
    await until(() => [...harness.node.sessions()].length === 0, "the session is over");
    await third.send(writePdu(third, third.takeCmdSn(), pattern(512)));
    await settle();
    assert(connections.every(({ isClosed }) => !isClosed()), "the write is still under way");
    store.releaseAll();
    assertEquals(await logout, 0);
    for (const initiator of initiators) await assertEnds(initiator);
    for (const { served } of connections) await served;
    assertEquals(store.pending.length, 0);
  }));

Deno.test("a logout for a connection, over itself or another, ends its tasks and closes it (11.14)", async () => {
  for (const over of [1, 2]) {
    await withSlowSession(3, async ({ initiators, connections, harness, store }) => {
      const [first, second, third] = initiators as [Initiator, Initiator, Initiator];
      await second.begin({ cdb: write10(0, 1), write: pattern(512) });
      const kept = await third.begin({ cdb: write10(1, 1), write: pattern(512) });
      await until(() => store.pending.length === 2, "both writes are under way");
      const logout = initiators[over]!.logout(LogoutReason.closeConnection, 1);
      await first.nop();
      assert(!connections[1]!.isClosed(), "the write is still under way");
      store.releaseAll();
      assertEquals(await logout, 0);
      await assertEnds(second);
      await connections[1]!.served;
      assertEquals((await kept.result()).status, ScsiStatus.good);
      assertEquals([...[...harness.node.sessions()][0]!.connections.keys()], [0, 2]);
      assertEquals(await first.logout(LogoutReason.closeConnection, 1), 1, "there is no such connection now");
      assertEquals(await first.logout(LogoutReason.removeForRecovery, 2), 2);
      assertEquals(await third.logout(LogoutReason.closeConnection, 2), 0);
      assertEquals(await first.logout(LogoutReason.closeConnection, 0), 0, "the last one ends the session");
      assertEquals([...harness.node.sessions()], []);
    });
  }
});

Deno.test("the others are told of a connection that is dropped (11.9.1), and of none that has logged out", () =>
  withHarness({ ping: { pingSeconds: 30, pingTimeoutSeconds: 10 } }, async (harness) => {
    const { tsih, initiators } = await harness.logInSession(4, { connect: { answersPings: false } });
    const [first, second, third, fourth] = initiators as [Initiator, Initiator, Initiator, Initiator];
    assertEquals(await first.logout(LogoutReason.closeConnection, 1), 0);
    const again = await harness.join(first, { tsih, connectionId: 2 });
    await assertEnds(second);
    await assertEnds(third);
    for (const initiator of [first, again.initiator, fourth]) assertEquals(await drain(initiator), []);
    // A broken connection is noticed at once, one that is silent in time.
    await again.initiator.close();
    for (const initiator of [first, fourth]) {
      assertEquals(asynchronousMessage(await initiator.receive()), [2, 2, 2, 0]);
    }
    for (let seconds = 0; seconds < 42; seconds++) {
      harness.clock.advance(1000);
      await first.nop();
    }
    assertEquals(asynchronousMessage(await first.receive()), [2, 3, 2, 0]);
    assertEquals((await fourth.receiveEnd()).map(({ name }) => name), ["nopIn"]);
  }));

Deno.test("an initiator is asked to log out on each connection, and may do so one by one", () =>
  withHarness({}, async (harness) => {
    const { initiators, connections } = await harness.logInSession(3);
    harness.node.requestLogout([...harness.node.sessions()][0]!, 10);
    for (const initiator of initiators) {
      assertEquals(asynchronousMessage(await initiator.receive()), [1, 0, 0, 10]);
    }
    for (const [connectionId, initiator] of initiators.entries()) {
      assertEquals(await initiator.logout(LogoutReason.closeConnection, connectionId), 0);
      await connections[connectionId]!.served;
    }
    assertEquals([...harness.node.sessions()], []);
    assertEquals(harness.clock.waiting, 0);
  }));

Deno.test("a session with several connections that does not log out is closed as a whole", () =>
  withHarness({}, async (harness) => {
    const { initiators } = await harness.logInSession(2);
    harness.node.requestLogout([...harness.node.sessions()][0]!, 10);
    harness.clock.advance(10_000);
    for (const [cid, initiator] of initiators.entries()) {
      const events = (await initiator.receiveEnd()).map(asynchronousMessage);
      assertEquals(events.slice(0, 2), [[1, 0, 0, 10], [2, cid, 2, 0]]);
    }
    assertEquals([...harness.node.sessions()], []);
  }));

Deno.test("the end of the server is told over every connection before it is closed (11.9.1)", () =>
  withHarness({}, async (harness) => {
    const { initiators } = await harness.logInSession(3, { keys: { DefaultTime2Wait: "7" } });
    const stopped = harness.node.stop();
    for (const initiator of initiators) {
      assertEquals((await initiator.receiveEnd()).map(asynchronousMessage), [[3, 0, 7, 0]]);
    }
    await stopped;
  }));

Deno.test("an identifier is free again when its connection has logged out", () =>
  withHarness({}, async (harness) => {
    const { tsih, initiators } = await harness.logInSession(2, { keys: { MaxConnections: "2" } });
    assertEquals(await initiators[1]!.logout(LogoutReason.closeConnection, 1), 0);
    const again = await harness.join(initiators[0]!, { tsih, connectionId: 1 });
    await again.initiator.nop();
  }));

Deno.test("the limit of connections holds over all sessions, and a reinstatement needs no room", () =>
  withHarness({ connections: 4 }, async (harness) => {
    const { tsih, initiators } = await harness.logInSession(3);
    const other = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 0, 2) });
    const join = (): Promise<unknown> => harness.join(initiators[0]!, { tsih, connectionId: 3 });
    assertEquals((await assertRejects(join, LoginRefused)).status, 0x0302);
    await harness.join(initiators[0]!, { tsih, connectionId: 2 });
    assertEquals(await other.logout(), 0);
    await join();
  }));

Deno.test("what is sent ahead of another connection's command waits on its own, and nothing is lost", () =>
  withHarness({}, async (harness) => {
    const keys = { FirstBurstLength: "262144" };
    const { connections, initiators } = await harness.logInSession(2, { keys });
    const [first, second] = initiators as [Initiator, Initiator];
    const missing = writePdu(first, first.takeCmdSn(), pattern(512));
    const ahead = Array.from({ length: 40 }, () => writePdu(second, second.takeCmdSn(), pattern(262_144)));
    const sending = second.send(...ahead);
    const { traffic } = connections[1]!;
    await until(() => traffic.taken > Limits.heldCommandBytes, "much is held");
    for (let round = 0; round < 10; round++) await settle();
    assert(traffic.taken < Limits.heldCommandBytes + 2 * Limits.receiveBufferBytes, "the rest is not taken");
    await first.nop();
    await first.send(missing);
    assertEquals((await first.receive()).status, ScsiStatus.good);
    for (let count = 0; count < 40; count++) assertEquals((await second.receive()).status, ScsiStatus.good);
    await sending;
  }));

Deno.test("when all connections have sent ahead of a rejected command, one ends, and the gap can be filled", () =>
  withHarness({}, async (harness) => {
    const keys = { FirstBurstLength: "262144" };
    const { connections, initiators } = await harness.logInSession(2, { keys });
    const [first, second] = initiators as [Initiator, Initiator];
    const bad = textRequest({ ...numbered(first), isFinal: true, isContinued: true });
    await first.send(bad, writePdu(first, first.takeCmdSn(), pattern(512)));
    assertEquals((await first.receive()).opcode, Opcode.reject);
    await first.nop();
    const ahead = Array.from({ length: 20 }, () => writePdu(second, second.takeCmdSn(), pattern(262_144)));
    const sending = second.send(...ahead).catch(() => "the connection is gone");
    assertEquals(await second.receiveEnd(), []);
    assertEquals(await sending, "the connection is gone");
    await connections[1]!.served;
    assertEquals((await first.receive()).opcode, Opcode.asynchronousMessage);
    await first.send(writePdu(first, first.expCmdSn!, pattern(512)));
    for (let count = 0; count < 2; count++) assertEquals((await first.receive()).status, ScsiStatus.good);
  }));

Deno.test("a number that was rejected over one connection is filled over another (7.3)", () =>
  withHarness({}, async (harness) => {
    const [first, second] = (await harness.logInSession(2)).initiators as [Initiator, Initiator];
    const bad = textRequest({ ...numbered(first), isFinal: true, isContinued: true });
    const behind = writePdu(second, second.takeCmdSn(), pattern(512));
    await second.send(behind);
    assertEquals(await drain(second), []);
    await first.send(bad);
    assertEquals((await first.receive()).opcode, Opcode.reject);
    assertEquals([await drain(first), await drain(second)], [[], []]);
    const again = writePdu(second, first.expCmdSn!, pattern(512));
    await second.send(again);
    const tags = [(await second.receive()).initiatorTaskTag, (await second.receive()).initiatorTaskTag];
    assertEquals(tags, [again, behind].map(({ header }) => readUint32(header, 16)));
    assertEquals((await first.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }));

Deno.test("a login that joins acknowledges nothing that is still on its way over another connection", () =>
  withHarness({}, async (harness) => {
    const { tsih, initiators: [leading] } = await harness.logInSession(1);
    const onItsWay = leading!.takeCmdSn();
    const joined = harness.open({ numbers: leading!.numbers });
    const { responses } = await joined.initiator.join(leading!, {
      targetName: nameOf(),
      tsih,
      connectionId: 1,
    });
    const maxCmdSn = onItsWay + Limits.commandWindow - 1 >>> 0;
    assertEquals(
      responses.map((pdu) => [pdu.expCmdSn, pdu.maxCmdSn]),
      responses.map(() => [onItsWay, maxCmdSn]),
    );
    await leading!.send(writePdu(leading!, onItsWay, pattern(512)));
    assertEquals((await leading!.receive()).status, ScsiStatus.good);
    assertEquals((await joined.initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }));

Deno.test("a session of 8 connections is reinstated in the middle of its work", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const before = await harness.logInSession(8);
    const working = before.initiators.map((initiator, index) => workOver(initiator, index).catch(() => {}));
    await settle();
    const after = await harness.logInSession(8);
    await Promise.all(working);
    await Promise.all(after.initiators.map(workOver));
    const last = pattern(1024, 7 * 4 + 3);
    await assertSameBytes(contentOf(store, (7 * 4096 + 1800) * 512, 1024), last);
  });
});

Deno.test("formatIsid() gives 12 hexadecimal digits, whatever the number", () => {
  const isids = [0, 1, 0x80123456abcd, 0xffffffffffff].map(formatIsid);
  assertEquals(isids, ["000000000000", "000000000001", "80123456abcd", "ffffffffffff"]);
});
