/** Commands that wait for their initiators (RFC 7143, 7.1.4.1), and what others wait for meanwhile. */
import { assert, assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import type { ScsiTask } from "../../../lib/iscsi/task/scsi_task.ts";
import { TransferWatch } from "../../../lib/iscsi/task/transfer_watch.ts";
import type { Initiator } from "../../support/initiator.ts";
import { compareAndWrite, read10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import { dataOut, nopOut, type RequestPdu, scsiCommand } from "../../support/initiator_request.ts";
import { ScsiStatus, senseOfResponse } from "../../support/initiator_sense.ts";
import type { PendingCommand } from "../../support/initiator.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import {
  type Harness,
  type HarnessOptions,
  nameOf,
  type Served,
  withHarness,
} from "../../support/harness.ts";
import { nextTurn, settle } from "../../support/until.ts";
import { pattern } from "../../support/content.ts";
import { drain, numbered } from "../../support/exchanges.ts";

const BLOCK = 512;
const SIZE = 64 * 1024 * 1024;
const SOLICITED = { InitialR2T: "Yes", ImmediateData: "Yes" };
const NO_DATA_IN_TIME = 0x4705;
const NOT_TAKEN_IN_TIME = 0x4b06;

/** Data that is owed, or waits to be taken, as the watch sees it. */
function task(options: {
  readonly owes?: boolean;
  readonly isToTake?: boolean;
  readonly blocksOthers?: () => boolean;
  readonly writesUnderWay?: number;
}): ScsiTask {
  const { owes = false, isToTake = false, blocksOthers, writesUnderWay = 0 } = options;
  const operation = { blocksOthers };
  const dataOut = owes &&
    { operation, unsolicited: true, readyToTransfers: [], writesUnderWay, receivedBytes: 0 };
  const dataIn = isToTake && { operation, isReading: false };
  return { dataOut: dataOut || undefined, dataIn: dataIn || undefined } as unknown as ScsiTask;
}

/** Checks tasks that get no data so many times, and returns the outcome of the last check. */
function lookFor(watch: TransferWatch, seconds: number, tasks: readonly ScsiTask[]): readonly string[] {
  for (let second = 1; second < seconds; second++) {
    assertEquals(watch.check(tasks, 0).size, 0, `second ${second}`);
  }
  return [...watch.check(tasks, 0).values()];
}

Deno.test("TransferWatch gives up what others wait for after 4 s in a row, in either direction", () => {
  for (const direction of [{ owes: true }, { isToTake: true }]) {
    let isBlocking = true;
    const blocking = task({ ...direction, blocksOthers: () => isBlocking });
    const watch = new TransferWatch();
    assertEquals(lookFor(watch, Limits.blockingSeconds - 1, [blocking]), []);
    isBlocking = false;
    assertEquals(lookFor(watch, 1, [blocking]), []);
    isBlocking = true;
    assertEquals(lookFor(watch, Limits.blockingSeconds, [blocking]), ["blocking"]);
  }
});

Deno.test("TransferWatch waits for data for 15 s without any, and data of one command is data", () => {
  const [one, other] = [task({ owes: true }), task({ owes: true })];
  const watch = new TransferWatch();
  assertEquals(lookFor(watch, Limits.dataOutSilenceSeconds - 1, [one, other]), []);
  assertEquals(watch.check([one, other], 1).size, 0);
  for (let second = 1; second < Limits.dataOutSilenceSeconds; second++) {
    assertEquals(watch.check([one, other], 1).size, 0);
  }
  assertEquals([...watch.check([one, other], 1).values()], ["silence", "silence"]);
});

Deno.test("TransferWatch does not count a second in which no data is owed, or a medium is waited for", () => {
  const writing = task({ owes: true, writesUnderWay: 1, blocksOthers: () => true });
  const taking = task({ isToTake: true });
  assertEquals(lookFor(new TransferWatch(), 1000, [writing, taking]), []);
});

Deno.test("TransferWatch waits for the data of one command for 60 s, and longer the more of it has come", () => {
  for (
    const [receivedBytes, allowedSeconds] of [[0, 60], [65_535, 60], [65_536, 61], [16_777_216, 316]] as const
  ) {
    const slow = task({ owes: true });
    slow.dataOut!.receivedBytes = receivedBytes;
    const watch = new TransferWatch();
    for (let second = 1; second <= allowedSeconds; second++) {
      assertEquals(watch.check([slow], second).size, 0, `${receivedBytes} bytes, second ${second}`);
    }
    assertEquals([...watch.check([slow], allowedSeconds + 1).values()], ["slowness"]);
  }
});

Deno.test("TransferWatch forgets a command that is over, and begins anew with the next", () => {
  const watch = new TransferWatch();
  for (let count = 0; count < 10; count++) {
    assertEquals(
      lookFor(watch, Limits.blockingSeconds - 1, [task({ isToTake: true, blocksOthers: () => true })]),
      [],
    );
  }
});

/** Lets seconds go by, one after another, and then all that comes of the last. */
async function pass(harness: Harness, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    harness.clock.advance(1000);
    await nextTurn();
  }
  await settle();
}

interface Stalled {
  readonly tag: number;
  readonly r2t: Pdu;
}

/** Begins a write of eight blocks at block 0, of which the first comes with it, and returns the R2T for the others. */
async function stall(initiator: Initiator): Promise<Stalled> {
  const request = numbered(initiator);
  const write = {
    isFinal: true,
    reads: false,
    writes: true,
    lun: 0,
    expectedLength: 8 * BLOCK,
    cdb: write10(0, 8),
  };
  await initiator.send(scsiCommand({ ...request, ...write, data: pattern(BLOCK) }));
  const r2t = await initiator.receive();
  assertEquals([r2t.opcode, r2t.desiredLength], [Opcode.readyToTransfer, 7 * BLOCK]);
  return { tag: request.initiatorTaskTag, r2t };
}

function answer(initiator: Initiator, { tag, r2t }: Stalled, offset: number, length: number): RequestPdu {
  return dataOut({
    isFinal: offset + length === 8 * BLOCK,
    lun: 0,
    initiatorTaskTag: tag,
    targetTransferTag: r2t.targetTransferTag,
    expStatSn: initiator.expStatSn,
    dataSn: 0,
    bufferOffset: offset,
    data: pattern(length),
  });
}

/** COMPARE AND WRITE of block 7 by another session, which nothing but a hold keeps from being done at once. */
async function beginComparison(
  harness: Harness,
): Promise<{ pending: PendingCommand; isDone: () => boolean }> {
  const initiator = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 2, 1) });
  const pending = await initiator.begin({ cdb: compareAndWrite(7, 1), write: new Uint8Array(2 * BLOCK) });
  let isDone = false;
  pending.result(60_000).finally(() => isDone = true).catch(() => {});
  await settle();
  return { pending, isDone: () => isDone };
}

function codeOf(pdu: Pdu): number | undefined {
  assertEquals([pdu.opcode, pdu.status], [Opcode.scsiResponse, ScsiStatus.checkCondition]);
  return senseOfResponse(pdu.data)?.code;
}

function withStalled(
  options: HarnessOptions,
  test: (harness: Harness, initiator: Initiator, stalled: Stalled) => Promise<void>,
): Promise<void> {
  return withHarness(
    { targets: [{ stores: [new MemoryStore({ sizeBytes: SIZE })] }], ...options },
    async (harness) => {
      const initiator = await harness.logIn({ keys: SOLICITED });
      await test(harness, initiator, await stall(initiator));
    },
  );
}

for (const pingSeconds of [0, 5]) {
  Deno.test(`a write whose R2T is not answered blocks others for 4 s at most, with ping=${pingSeconds}`, () =>
    withStalled({ ping: { pingSeconds, pingTimeoutSeconds: 5 } }, async (harness, initiator, stalled) => {
      const { pending, isDone } = await beginComparison(harness);
      await pass(harness, Limits.blockingSeconds - 1);
      assertEquals(isDone(), false);
      await pass(harness, 1);
      assertEquals((await pending.result()).status, ScsiStatus.good);
      const response = await initiator.receive();
      assertEquals([codeOf(response), response.initiatorTaskTag], [NO_DATA_IN_TIME, stalled.tag]);
      assertEquals(response.residualCount, 7 * BLOCK);
      // What comes after all is dropped without a word, and the session goes on.
      await initiator.send(answer(initiator, stalled, BLOCK, 7 * BLOCK));
      assertEquals(await drain(initiator), []);
      assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
      assert(harness.log.some((line) => line.includes("1 of its commands failed")), harness.log.join("\n"));
    }));
}

Deno.test("a trickle of data blocks others for 4 s at most, and lasts for little more than 60 s", () =>
  withStalled({}, async (harness, initiator, stalled) => {
    const trickle = async (offset: number): Promise<void> => {
      const byte = answer(initiator, stalled, BLOCK + offset, 1);
      byte.header[39] = offset;
      await initiator.send(byte);
      await settle();
    };
    let ended: Pdu | undefined;
    let seconds = 0;
    const end = initiator.receive(60_000).then((pdu) => ended = pdu);
    for (; ended === undefined && seconds < 100; seconds++) {
      await trickle(seconds);
      await pass(harness, 1);
    }
    await end;
    assertEquals([codeOf(ended!), seconds], [NO_DATA_IN_TIME, Limits.dataOutSeconds + 1]);
    const again = await stall(initiator);
    const { pending, isDone } = await beginComparison(harness);
    for (let offset = 0; offset < Limits.blockingSeconds; offset++) {
      assertEquals(isDone(), false);
      const byte = answer(initiator, again, BLOCK + offset, 1);
      byte.header[39] = offset;
      await initiator.send(byte);
      await pass(harness, 1);
    }
    assertEquals((await pending.result()).status, ScsiStatus.good);
    assertEquals(codeOf(await initiator.receive()), NO_DATA_IN_TIME);
  }));

Deno.test("a write whose data comes at 64 KiB a second is not given up", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn({ keys: { ...SOLICITED, MaxBurstLength: "65536" } });
    const request = numbered(initiator);
    const expectedLength = 100 * 65_536;
    const cdb = write10(0, expectedLength / BLOCK);
    const write = { isFinal: true, reads: false, writes: true, lun: 0, expectedLength, cdb };
    await initiator.send(scsiCommand({ ...request, ...write }));
    for (let offset = 0; offset < expectedLength; offset += 65_536) {
      const { opcode, targetTransferTag, bufferOffset } = await initiator.receive();
      assertEquals([opcode, bufferOffset], [Opcode.readyToTransfer, offset]);
      await pass(harness, 1);
      await initiator.send(dataOut({
        isFinal: true,
        lun: 0,
        initiatorTaskTag: request.initiatorTaskTag,
        targetTransferTag,
        expStatSn: initiator.expStatSn,
        dataSn: 0,
        bufferOffset: offset,
        data: pattern(65_536),
      }));
    }
    assertEquals((await initiator.receive()).status, ScsiStatus.good);
  }));

for (
  const [what, cdb, lun] of [
    ["a write", write10(0, 8), 0],
    ["a command that wants none", testUnitReady(), 0],
    ["a write to where no unit is", write10(0, 8), 5],
  ] as const
) {
  Deno.test(`${what}, whose unsolicited data does not come, ends after 15 s`, () =>
    withHarness({}, async (harness) => {
      const initiator = await harness.logIn();
      const request = numbered(initiator);
      const write = { isFinal: false, reads: false, writes: true, lun, expectedLength: 4096, cdb };
      await initiator.send(scsiCommand({ ...request, ...write }));
      await settle();
      await pass(harness, Limits.dataOutSilenceSeconds - 1);
      assertEquals(await drain(initiator), []);
      await pass(harness, 1);
      assertEquals(codeOf(await initiator.receive()), NO_DATA_IN_TIME);
      assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    }));
}

Deno.test("what a command that is given up has not been asked for leaves room for others", () =>
  withHarness({}, async (harness) => {
    const keys = { ...SOLICITED, ImmediateData: "No", MaxBurstLength: "1048576", MaxOutstandingR2T: "8" };
    const initiator = await harness.logIn({ keys });
    const blocks = 8 * 2048;
    const write = { isFinal: true, reads: false, writes: true, lun: 0, expectedLength: blocks * BLOCK };
    for (let count = 0; count < 3; count++) {
      await initiator.send(scsiCommand({ ...numbered(initiator), ...write, cdb: write10(0, blocks) }));
    }
    const opcodes = (await drain(initiator)).map(({ opcode }) => opcode);
    assertEquals(opcodes, Array(Limits.solicitedBytes / 1_048_576).fill(Opcode.readyToTransfer));
    await pass(harness, Limits.dataOutSilenceSeconds);
    // The others are asked for theirs, as there is room for it now.
    const answers = await drain(initiator);
    assertEquals(answers.filter(({ opcode }) => opcode === Opcode.readyToTransfer).length, 4);
    await pass(harness, 3 * Limits.dataOutSilenceSeconds);
    const ends = [...answers, ...await drain(initiator)].filter(({ opcode }) =>
      opcode === Opcode.scsiResponse
    );
    assertEquals(ends.map(codeOf), [NO_DATA_IN_TIME, NO_DATA_IN_TIME, NO_DATA_IN_TIME]);
  }));

/** Begins to read much, and takes next to nothing of it. */
async function beginReading(harness: Harness): Promise<Served> {
  const served = harness.open({ capacityBytes: 4096 });
  const { initiator } = served;
  const isid = Uint8Array.of(0x80, 0, 0, 0, 2, 9);
  await initiator.login({ targetName: nameOf(), isid, keys: { MaxRecvDataSegmentLength: "8192" } });
  await initiator.command({ cdb: testUnitReady() });
  const read = { isFinal: true, reads: true, writes: false, lun: 0, expectedLength: 4 * 1_048_576 };
  await initiator.send(scsiCommand({ ...numbered(initiator), ...read, cdb: read10(0, 8192) }));
  await settle();
  return served;
}

for (const isSlow of [false, true]) {
  Deno.test(`a read whose data is not taken blocks others for 4 s at most, ${isSlow ? "slow" : "fast"} medium`, () => {
    const inner = new MemoryStore({ sizeBytes: SIZE });
    const store = isSlow ? new SlowStore(inner, { delayMs: 0 }) : inner;
    return withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
      const { initiator } = await beginReading(harness);
      for (let round = 0; round < 50; round++) await settle();
      const { pending, isDone } = await beginComparison(harness);
      await pass(harness, Limits.blockingSeconds - 1);
      assertEquals(isDone(), false);
      await pass(harness, 1);
      assertEquals((await pending.result()).status, ScsiStatus.good);
      let pdu = await initiator.receive();
      while (pdu.opcode === Opcode.dataIn) pdu = await initiator.receive();
      assertEquals(codeOf(pdu), NOT_TAKEN_IN_TIME);
      assert(pdu.residualCount > 0 && pdu.residualCount < 4 * 1_048_576);
      assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
      const [unit] = harness.units.get("disk")!;
      assertEquals(unit!.ranges.isIdle, true);
    });
  });
}

Deno.test("a read in its turn whose unwanted data does not come blocks others for 4 s at most", () =>
  withStalled({}, async (harness, _, stalled) => {
    const reader = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 2, 2) });
    const other = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 2, 3) });
    const { pending } = await beginComparison(harness);
    const read = {
      isFinal: false,
      reads: true,
      writes: true,
      lun: 0,
      expectedLength: BLOCK,
      cdb: read10(0, 8),
    };
    await reader.send(scsiCommand({ ...numbered(reader), ...read }));
    await settle();
    assertEquals(stalled.r2t.opcode, Opcode.readyToTransfer);
    // The write is given up, the comparison is done, and the read has the blocks.
    await pass(harness, Limits.blockingSeconds);
    assertEquals((await pending.result()).status, ScsiStatus.good);
    const again = await other.begin({ cdb: compareAndWrite(7, 1), write: new Uint8Array(2 * BLOCK) });
    await settle();
    await pass(harness, Limits.blockingSeconds);
    assertEquals((await again.result()).status, ScsiStatus.good);
  }));

Deno.test("SANITIZE begins, though a write and a read wait for their initiators", () =>
  withStalled({}, async (harness, initiator) => {
    const reading = await beginReading(harness);
    const other = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 2, 4) });
    const sanitize = Uint8Array.of(0x48, 0x02, ...new Uint8Array(14));
    const pending = await other.begin({ cdb: sanitize });
    await settle();
    await pass(harness, Limits.blockingSeconds + 1);
    assertEquals((await pending.result()).status, ScsiStatus.good);
    assertEquals(codeOf(await initiator.receive()), NO_DATA_IN_TIME);
    assert(!reading.isClosed());
  }));

Deno.test("a connection that takes nothing of what waits for it is closed after 30 s", () =>
  withHarness({ ping: { pingSeconds: 0, pingTimeoutSeconds: 0 } }, async (harness) => {
    const { isClosed, served } = await beginReading(harness);
    await pass(harness, Limits.slowReaderSeconds - 1);
    assertEquals(isClosed(), false);
    await pass(harness, 2);
    await served;
    assert(
      harness.log.some((line) => line.includes("fewer than 8192 bytes a second")),
      harness.log.join("\n"),
    );
  }));

Deno.test("a connection that takes 8 KiB a second is not closed", () =>
  withHarness({}, async (harness) => {
    const { initiator, isClosed, traffic } = await beginReading(harness);
    for (let second = 0; second < 3 * Limits.slowReaderSeconds; second++) {
      const before = traffic.given;
      while (traffic.given - before < Limits.slowReaderBytesPerSecond) await initiator.receive();
      await pass(harness, 1);
    }
    assertEquals(isClosed(), false);
  }));

Deno.test("a connection to which nothing is sent, and that sends nothing, is not closed for that", () =>
  withHarness({ ping: { pingSeconds: 0, pingTimeoutSeconds: 0 } }, async (harness) => {
    const initiator = await harness.logIn();
    await pass(harness, 10 * Limits.slowReaderSeconds);
    await initiator.send(nopOut({ ...numbered(initiator, true) }));
    assertEquals((await initiator.receive()).opcode, Opcode.nopIn);
  }));
