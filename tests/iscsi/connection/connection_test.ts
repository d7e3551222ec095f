/** Back-pressure, time limits and the ends of connections, through the whole node. */
import { assert, assertEquals, assertLess } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { ProtocolError } from "../../../lib/iscsi/pdu/protocol_error.ts";
import { Initiator } from "../../support/initiator.ts";
import { read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { Opcode } from "../../support/initiator_pdu.ts";
import { nopOut, RequestPdu, scsiCommand } from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { type ByteStream, createPipe } from "../../support/pipe.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { ENDS, nameOf, withHarness } from "../../support/harness.ts";
import { settle, until } from "../../support/until.ts";
import { assertSameBytes, contentOf, pattern } from "../../support/content.ts";
import { numbered } from "../../support/exchanges.ts";

const SIZE = 64 * 1024 * 1024;
const MIB = 1024 * 1024;

/** A read of 1 MiB, as it goes onto the wire. */
function readPdu(initiator: Initiator, isImmediate = false): RequestPdu {
  return scsiCommand({
    ...numbered(initiator, isImmediate),
    isFinal: true,
    reads: true,
    writes: false,
    lun: 0,
    expectedLength: MIB,
    cdb: read10(0, 2048),
  });
}

/** A store that reports each read before it is done. */
class WatchedStore extends MemoryStore {
  readonly #onRead: (lengthBytes: number) => void;

  constructor(onRead: (lengthBytes: number) => void) {
    super({ sizeBytes: SIZE });
    this.#onRead = onRead;
  }

  override readNow(offset: number, into: Uint8Array): boolean {
    this.#onRead(into.length);
    return super.readNow(offset, into);
  }
}

/** A stream that remembers how much space each read offered, and how often it was closed. */
class WatchedStream implements ByteStream {
  readonly spaces: number[] = [];
  closings = 0;
  readonly #inner: ByteStream;

  constructor(inner: ByteStream) {
    this.#inner = inner;
  }

  read(into: Uint8Array): Promise<number | null> {
    this.spaces.push(into.length);
    return this.#inner.read(into);
  }

  write(from: Uint8Array): Promise<number> {
    return this.#inner.write(from);
  }

  close(): void {
    this.closings++;
    this.#inner.close();
  }
}

Deno.test("a connection offers the space of its stage to each read, and closes its stream once", () =>
  withHarness({}, async ({ node }) => {
    const [ours, theirs] = createPipe();
    const stream = new WatchedStream(theirs);
    const served = node.serve(stream, ENDS);
    const initiator = new Initiator(ours, { firstCmdSn: 1 });
    await initiator.login({ targetName: nameOf() });
    await initiator.nop();
    assertEquals(stream.spaces[0], Limits.receiveBufferLoginBytes);
    assertEquals(Math.max(...stream.spaces), Limits.receiveBufferBytes);
    assertEquals(await initiator.logout(), 0);
    await served;
    await initiator.close();
    assertEquals(stream.closings, 1);
  }));

Deno.test("the longest segments of a login are taken, a longer one ends the connection at its header", () =>
  withHarness({}, async (harness) => {
    for (const [claimed, isTaken] of [[8192, true], [8193, false], [0xffffff, false]] as const) {
      const { initiator, served } = harness.open();
      const pdu = new RequestPdu(0x43, 0x44, new Uint8Array(8192).fill(0x41));
      pdu.header.set([claimed >> 16, claimed >> 8 & 0xff, claimed & 0xff], 5);
      await initiator.send(isTaken ? pdu : pdu.header);
      if (isTaken) assertEquals((await initiator.receive()).opcode, Opcode.loginResponse);
      else assertEquals(await initiator.receiveEnd(), []);
      await initiator.close();
      await served;
    }
    assert(harness.log.some((line) => line.includes("16777215")), "the log says why");
  }));

Deno.test("16 MiB before login are not taken in", () =>
  withHarness({}, async (harness) => {
    const { initiator, served, traffic } = harness.open();
    const pdu = new RequestPdu(0x43, 0x87, new Uint8Array(16 * MIB - 1));
    const sending = initiator.send(pdu).catch(() => "the connection is gone");
    assertEquals(await sending, "the connection is gone");
    await served;
    assertLess(traffic.taken, Limits.receiveBufferLoginBytes + 1);
  }));

Deno.test("a PDU in full-feature phase is as long as was declared, or ends the connection", () =>
  withHarness({}, async (harness) => {
    const { initiator, served } = harness.open();
    await initiator.login({ targetName: nameOf() });
    const { data } = await initiator.nop(pattern(Limits.dataSegmentBytes));
    await assertSameBytes(data, pattern(65_536));
    const long = nopOut({ ...numbered(initiator, true), data: new Uint8Array(Limits.dataSegmentBytes + 1) });
    await initiator.send(long).catch(() => {});
    assertEquals(await initiator.receiveEnd(), []);
    await served;
  }));

Deno.test("bytes that come one by one make a session like any other", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn({}, { deliveryBytesMax: 1 });
    assertEquals(
      (await initiator.command({ cdb: write10(0, 3), write: pattern(1536) })).status,
      ScsiStatus.good,
    );
    await assertSameBytes((await initiator.command({ cdb: read10(0, 3), read: 1536 })).data, pattern(1536));
    assertEquals(await initiator.logout(), 0);
  }));

Deno.test("commands may come in one piece with the last login request", () =>
  withHarness({}, async (harness) => {
    const { initiator } = harness.open();
    const login = initiator.login({ targetName: nameOf(), hasSecurityStage: false });
    await initiator.send(
      nopOut({ isImmediate: true, initiatorTaskTag: 50, cmdSn: 1, expStatSn: 0, data: pattern(5000) }),
    );
    await login;
    const pdu = await initiator.receive();
    assertEquals([pdu.opcode, pdu.initiatorTaskTag, pdu.data.length], [Opcode.nopIn, 50, 5000]);
  }));

Deno.test("a peer that never reads its replies is held back, and only itself", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const { initiator, traffic, served } = harness.open({ capacityBytes: 4096 });
    await initiator.login({ targetName: nameOf() });
    const taken = traffic.taken;
    // Pings with 64 KiB each: 100 MiB of answers, if the target made them all.
    const pings = Array.from(
      { length: 1600 },
      () => nopOut({ ...numbered(initiator, true), data: pattern(65_536) }),
    );
    const sending = initiator.send(...pings).catch(() => "the connection is gone");
    await until(() => traffic.taken > taken + Limits.sendBufferBytes, "it has sent a lot");
    let before = -1;
    while (before !== traffic.taken) {
      before = traffic.taken;
      await settle();
    }
    const bound = Limits.sendBufferBytes * 2 + Limits.receiveBufferBytes + 200_000;
    assertLess(traffic.taken - taken, bound, "more is taken than may be held");
    const other = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 0, 9) });
    assertEquals((await other.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    await initiator.close();
    assertEquals(await sending, "the connection is gone");
    await served;
  });
});

Deno.test("a connection receives again as soon as its replies fit, although it is still sending", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const { initiator } = harness.open({ capacityBytes: 4096 });
    await initiator.login({ targetName: nameOf(), keys: { MaxRecvDataSegmentLength: "262144" } });
    await initiator.command({ cdb: testUnitReady() });
    const command = { isFinal: true, lun: 0 };
    // Data for one half of the send buffer, and answers to pings for the other.
    const expectedLength = Limits.sendBufferBytes;
    const cdb = read10(0, expectedLength / 512);
    const read = { ...command, reads: true, writes: false, expectedLength, cdb };
    const write = { ...command, reads: false, writes: true, expectedLength: 512, cdb: write10(0, 1) };
    const pings = Limits.sendBufferBytes / 65_536;
    const sending = initiator.send(
      scsiCommand({ ...numbered(initiator), ...read }),
      ...Array.from({ length: pings }, () => nopOut({ ...numbered(initiator, true), data: pattern(65_536) })),
      scsiCommand({ ...numbered(initiator), ...write, data: pattern(512) }),
    );
    for (let half = 0; half < 2; half++) assertEquals((await initiator.receive()).data.length, 262_144);
    for (let round = 0; round < 20; round++) await settle();
    assertEquals(store.writeCount, 1, "the answers to the pings are still on their way");
    for (let count = 0; count < pings; count++) {
      assertEquals((await initiator.receive()).opcode, Opcode.nopIn);
    }
    assertEquals((await initiator.receive()).opcode, Opcode.scsiResponse);
    await sending;
  });
});

Deno.test("data that nobody reads is not read from the medium either", async () => {
  let readBytes = 0;
  const store = new WatchedStore((lengthBytes) => readBytes += lengthBytes);
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const { initiator, served } = harness.open({ capacityBytes: 65_536 });
    await initiator.login({ targetName: nameOf() });
    await initiator.command({ cdb: testUnitReady() });
    await initiator.send(...Array.from({ length: 40 }, () => readPdu(initiator)));
    await until(() => readBytes >= Limits.sendBufferBytes, "it reads");
    await settle();
    assertLess(readBytes, 3 * MIB, "40 MiB were asked for");
    let bytes = 0;
    for (let statuses = 0; statuses < 40;) {
      const pdu = await initiator.receive();
      bytes += pdu.data.length;
      if (pdu.hasStatus) statuses++;
    }
    assertEquals(bytes, 40 * MIB);
    await initiator.close();
    await served;
  });
});

Deno.test("a peer that writes everything before it reads anything gets everything", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const keys = { InitialR2T: "No", FirstBurstLength: "262144", MaxBurstLength: "1048576" };
    const { initiator } = harness.open({ capacityBytes: 16_384 });
    await initiator.login({ targetName: nameOf(), keys });
    await initiator.command({ cdb: testUnitReady() });
    const commands = [];
    for (let index = 0; index < 16; index++) {
      const lba = (index >> 1) * 2048;
      const write = pattern(MIB, index);
      commands.push(
        await initiator.begin(
          index % 2 === 0
            ? { cdb: write10(lba, 2048), write, unsolicitedBytes: 262_144 }
            : { cdb: read10(lba, 2048), read: MIB },
        ),
      );
    }
    // Nothing was received so far: the replies wait at the target, and the requests behind them in the pipe.
    for (const command of commands) assertEquals((await command.result()).status, ScsiStatus.good);
    for (let index = 0; index < 16; index += 2) {
      await assertSameBytes(contentOf(store, index / 2 * MIB, MIB), pattern(MIB, index), `write ${index}`);
    }
  });
});

Deno.test("a slow medium makes the target hold little, and pings are answered meanwhile", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const { initiator } = harness.open();
    const keys = {
      InitialR2T: "Yes",
      ImmediateData: "No",
      MaxBurstLength: "1048576",
      MaxOutstandingR2T: "8",
    };
    await initiator.login({ targetName: nameOf(), keys });
    await initiator.command({ cdb: testUnitReady() });
    const commands = [];
    for (let index = 0; index < 40; index++) {
      commands.push(await initiator.begin({ cdb: write10(index * 2048, 2048), write: pattern(MIB, index) }));
    }
    for (let round = 0; round < 30; round++) await initiator.nop(pattern(100));
    const staged = store.pending.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    assertLess(staged, Limits.stagedBytes + Limits.solicitedBytes + 1);
    const finished = Promise.all(commands.map((command) => command.result(60_000)));
    let isFinished = false;
    finished.finally(() => isFinished = true);
    await until(() => {
      store.releaseAll();
      return isFinished;
    }, "all writes are done");
    assert((await finished).every(({ status }) => status === ScsiStatus.good));
  });
});

Deno.test("a connection that a slow medium holds up is over at once when its session ends", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const { initiator, served, traffic } = harness.open();
    await initiator.login({ targetName: nameOf(), keys: { FirstBurstLength: "262144" } });
    await initiator.command({ cdb: testUnitReady() });
    const writes = Array.from({ length: 40 }, (_, index) =>
      scsiCommand({
        ...numbered(initiator),
        isFinal: true,
        reads: false,
        writes: true,
        lun: 0,
        expectedLength: 262_144,
        cdb: write10(512 * index, 512),
        data: pattern(262_144),
      }));
    const sending = initiator.send(...writes).catch(() => "the connection is gone");
    await until(() => traffic.taken > 6 * MIB, "much is on its way to the medium");
    for (let round = 0; round < 10; round++) await settle();
    harness.node.endSession([...harness.node.sessions()][0]!);
    assertEquals(await sending, "the connection is gone");
    await settle();
    assertEquals(harness.node.holdings.connections, 0);
    await served;
    store.releaseAll();
  });
});

Deno.test("slow reads make the target hold little, and go on when they are fetched", async () => {
  const inner = new MemoryStore({ sizeBytes: SIZE });
  inner.writeNow(0, pattern(MIB));
  const store = new SlowStore(inner);
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const { initiator } = harness.open();
    await initiator.login({ targetName: nameOf(), keys: { MaxRecvDataSegmentLength: "262144" } });
    await initiator.command({ cdb: testUnitReady() });
    await initiator.send(...Array.from({ length: 20 }, () => readPdu(initiator)));
    await settle();
    const staged = (): number => store.pending.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    await until(() => staged() >= MIB, "reads are under way");
    await settle();
    assertLess(staged(), Limits.stagedBytes + 262_145);
    let bytes = 0;
    for (let statuses = 0; statuses < 20;) {
      if (store.pending.length > 0) store.releaseAll();
      const pdu = await initiator.receive();
      bytes += pdu.data.length;
      if (pdu.hasStatus) statuses++;
      assertLess(staged(), Limits.stagedBytes + 262_145);
      await settle();
    }
    assertEquals(bytes, 20 * MIB);
  });
});

Deno.test("reads of a slow medium are under way together, and hold up neither pings nor another medium", async () => {
  const slow = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  const quick = new MemoryStore({ sizeBytes: SIZE });
  await withHarness({ targets: [{ stores: [slow, quick] }] }, async (harness) => {
    const busy = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 2, 0) });
    const other = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 2, 1) });
    await other.command({ lun: 1, cdb: testUnitReady() });
    const reads = [];
    for (let index = 0; index < 32; index++) {
      reads.push(await busy.begin({ cdb: read10(index * 8, 8), read: 4096 }));
    }
    // All take as long as one: the medium has all of them at once.
    await until(() => slow.pending.length === 32, "32 reads are under way");
    await busy.nop(pattern(100));
    for (let index = 0; index < 8; index++) {
      const { status } = await other.command({ lun: 1, cdb: read10(index * 8, 8), read: 4096 });
      assertEquals(status, ScsiStatus.good);
    }
    assertEquals(slow.pending.length, 32, "the pings and the other medium did not wait for them");
    slow.releaseAll();
    for (const read of reads) assertEquals((await read.result()).status, ScsiStatus.good);
  });
});

Deno.test("reads of a slow medium that end together leave in one write", async () => {
  const slow = new SlowStore(new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores: [slow] }] }, async (harness) => {
    const { initiator, traffic } = harness.open();
    await initiator.login({ targetName: nameOf() });
    await initiator.command({ cdb: testUnitReady() });
    const reads = [];
    for (let index = 0; index < 8; index++) {
      reads.push(await initiator.begin({ cdb: read10(index * 8, 8), read: 4096 }));
    }
    await until(() => slow.pending.length === 8, "8 reads are under way");
    const { writes } = traffic;
    slow.releaseAll();
    for (const read of reads) assertEquals((await read.result()).status, ScsiStatus.good);
    assertEquals(traffic.writes - writes, 1);
  });
});

Deno.test("a login that is not complete in time ends the connection", () =>
  withHarness({}, async (harness) => {
    const { clock } = harness;
    const [silent, slow, quick] = [harness.open(), harness.open(), harness.open()];
    await slow.initiator.send(new RequestPdu(0x43, 0x40, new Uint8Array(100).fill(0x41)));
    assertEquals((await slow.initiator.receive()).opcode, Opcode.loginResponse);
    await quick.initiator.login({ targetName: nameOf() });
    clock.advance(Limits.loginMs - 1);
    assert(!silent.isClosed() && !slow.isClosed(), "there is time left");
    clock.advance(1);
    assertEquals(await silent.initiator.receiveEnd(), []);
    assertEquals(await slow.initiator.receiveEnd(), []);
    await Promise.all([silent.served, slow.served]);
    await quick.initiator.nop();
    assertEquals(harness.log.filter((line) => line.includes("15 s")).length, 2);
    await quick.initiator.close();
    await quick.served;
    assertEquals(clock.waiting, 0);
  }));

Deno.test("a peer that does not read its last replies loses them in time", () =>
  withHarness({}, async (harness) => {
    const { initiator, served, isClosed } = harness.open({ capacityBytes: 4096 });
    await initiator.login({ targetName: nameOf() });
    // The initiator may have begun to receive one PDU; not a second one.
    for (let count = 0; count < 3; count++) {
      await initiator.send(nopOut({ ...numbered(initiator, true), data: pattern(60_000) }));
    }
    await settle();
    const stopped = harness.node.stop();
    await settle();
    assert(!isClosed(), "there is something to read");
    harness.clock.advance(Limits.finishMs);
    assert(isClosed(), "the time is over");
    await served;
    await stopped;
    assertEquals(harness.clock.waiting, 0);
  }));

Deno.test("a peer that sends no more but reads gets what waits for it", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn({}, { capacityBytes: 4096 });
    await initiator.send(nopOut({ ...numbered(initiator, true), data: pattern(60_000) }));
    await settle();
    const stopped = harness.node.stop();
    const [pdu] = await initiator.receiveEnd();
    assertEquals(pdu?.data.length, 60_000);
    await stopped;
  }));

Deno.test("a fault of ours is not taken for one of the peer's: serve() rejects", () =>
  withHarness({}, async (harness) => {
    const broken = new WatchedStore(() => {
      throw new RangeError("a fault of ours");
    });
    await withHarness({ targets: [{ stores: [broken] }] }, async (inner) => {
      const { initiator, served } = inner.open();
      await initiator.login({ targetName: nameOf() });
      await initiator.command({ cdb: testUnitReady() });
      await initiator.send(readPdu(initiator));
      const error = await served.then(() => undefined, (reason: unknown) => reason);
      assert(error instanceof RangeError && !(error instanceof ProtocolError), "our own fault comes out");
      await initiator.close();
    }).catch((error: unknown) => assert(error instanceof RangeError));
    await (await harness.logIn()).nop();
  }));
