/** Data on its way from the initiator (RFC 7143, 4.2.4, 11.4.7.2, 11.7 and 11.8), through the whole node. */
import { assert, assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import type { Initiator } from "../../support/initiator.ts";
import { read10, testUnitReady, verify10, write10 } from "../../support/initiator_cdb.ts";
import { NO_TAG, Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import { dataOut, encodeLun, type Lun, scsiCommand } from "../../support/initiator_request.ts";
import { ScsiStatus, SenseKey, senseOfResponse } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { type Harness, nameOf, withHarness } from "../../support/harness.ts";
import { settle, until } from "../../support/until.ts";
import { assertSameBytes, contentOf, pattern } from "../../support/content.ts";
import { drain, numbered, transfer } from "../../support/exchanges.ts";

const SIZE = 32 * 1024 * 1024;
const UNEXPECTED = 0x0c0c;
const INCORRECT_AMOUNT = 0x0c0d;
const CRC_ERROR = 0x4705;

/** A write that is sent PDU by PDU: by default, 8 blocks at block 0. */
class ManualWrite {
  readonly #initiator: Initiator;
  readonly #tag: number;
  readonly #lun: Lun;
  readonly data: Uint8Array;

  constructor(initiator: Initiator, options: { readonly blocks?: number; readonly lun?: Lun } = {}) {
    this.#initiator = initiator;
    this.#tag = initiator.nextTaskTag();
    this.#lun = options.lun ?? 0;
    this.data = pattern((options.blocks ?? 8) * 512);
  }

  async command(
    options: {
      readonly immediate?: number;
      readonly isFinal?: boolean;
      readonly expected?: number;
      readonly lba?: number;
    } = {},
  ): Promise<void> {
    const { immediate = 0, isFinal = true, expected = this.data.length, lba = 0 } = options;
    const { cmdSn, expStatSn } = numbered(this.#initiator);
    await this.#initiator.send(scsiCommand({
      isFinal,
      reads: false,
      writes: true,
      lun: this.#lun,
      expectedLength: expected,
      cdb: write10(lba, this.data.length / 512),
      data: this.data.subarray(0, immediate),
      initiatorTaskTag: this.#tag,
      cmdSn,
      expStatSn,
    }));
  }

  /** Sends bytes `start` to `end`, unsolicited unless a tag is given. */
  async sendData(
    start: number,
    end: number,
    options: {
      readonly tag?: number;
      readonly dataSn?: number;
      readonly isFinal?: boolean;
      readonly offset?: number;
      readonly lun?: number;
    } = {},
  ): Promise<void> {
    const data = new Uint8Array(end - start);
    data.set(this.data.subarray(start, end));
    await this.#initiator.send(dataOut({
      isFinal: options.isFinal ?? true,
      lun: options.lun ?? this.#lun,
      initiatorTaskTag: this.#tag,
      targetTransferTag: options.tag ?? NO_TAG,
      expStatSn: this.#initiator.expStatSn,
      dataSn: options.dataSn ?? 0,
      bufferOffset: options.offset ?? start,
      data,
    }));
  }

  /** The next PDU, which is for this write. */
  async receive(opcode: number): Promise<Pdu> {
    const pdu = await this.#initiator.receive();
    assertEquals([pdu.opcode, pdu.initiatorTaskTag], [opcode, this.#tag]);
    return pdu;
  }

  /** The response, which must be CHECK CONDITION for this reason; the session must be none the worse. */
  async assertFailed(code: number): Promise<Pdu> {
    const pdu = await this.receive(Opcode.scsiResponse);
    const sense = senseOfResponse(pdu.data);
    assertEquals([pdu.response, pdu.status], [0, ScsiStatus.checkCondition]);
    assertEquals([sense?.key, sense?.code.toString(16)], [SenseKey.abortedCommand, code.toString(16)]);
    assertEquals(await drain(this.#initiator), []);
    assertEquals((await this.#initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    return pdu;
  }
}

/** Runs a test with a session that negotiates these keys. */
function withSession(
  keys: Readonly<Record<string, string>>,
  test: (initiator: Initiator, store: MemoryStore, harness: Harness) => Promise<void>,
): Promise<void> {
  const store = new MemoryStore({ sizeBytes: SIZE });
  return withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    await test(await harness.logIn({ keys }), store, harness);
  });
}

const YES_NO = ["Yes", "No"] as const;

/** Every combination of what decides how data moves; of the lengths a few small ones, FirstBurst up to MaxBurst. */
function* parameterSets(): Generator<Record<string, string>> {
  for (const ImmediateData of YES_NO) {
    for (const InitialR2T of YES_NO) {
      for (
        const [FirstBurstLength, MaxBurstLength] of [["512", "512"], ["512", "1536"], ["1536", "1536"], [
          "1024",
          "4096",
        ]]
      ) {
        for (const MaxOutstandingR2T of ["1", "3"]) {
          for (const MaxRecvDataSegmentLength of ["512", "1000", "4096"]) {
            yield {
              ImmediateData,
              InitialR2T,
              FirstBurstLength: FirstBurstLength!,
              MaxBurstLength: MaxBurstLength!,
              MaxOutstandingR2T,
              MaxRecvDataSegmentLength,
            };
          }
        }
      }
    }
  }
}

const BLOCK_COUNTS = [0, 1, 2, 3, 4, 8, 9, 25];

Deno.test("every write arrives and reads back under every combination of parameters", async () => {
  const store = new MemoryStore({ sizeBytes: SIZE });
  let seed = 0;
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    for (const keys of parameterSets()) {
      const initiator = await harness.logIn({ keys });
      for (const blocks of BLOCK_COUNTS) {
        const write = pattern(blocks * 512, ++seed);
        const what = JSON.stringify([keys, blocks]);
        // The initiator's segments are small in every other round, and fit no multiple of anything.
        const parameters = seed % 2 === 0 ? { sendBytesMax: 700 } : {};
        const written = await transfer(initiator, { cdb: write10(7, blocks), write }, parameters);
        assertEquals([written.status, written.residual], [ScsiStatus.good, 0], what);
        await assertSameBytes(contentOf(store, 7 * 512, write.length), write, what);
        const read = await initiator.command({ cdb: read10(7, blocks), read: write.length });
        assertEquals([read.status, read.residual], [ScsiStatus.good, 0], what);
        await assertSameBytes(read.data, write, what);
      }
      assertEquals(await initiator.logout(), 0);
    }
  });
});

Deno.test("writes of all sizes around the borders of segments and bursts, up to 16 MiB", () =>
  withSession(
    { FirstBurstLength: "262144", MaxBurstLength: "1048576", MaxRecvDataSegmentLength: "262144" },
    async (initiator, store) => {
      let seed = 1;
      for (
        const size of [
          512,
          65_536 - 512,
          65_536,
          65_536 + 512,
          262_144 - 512,
          262_144,
          262_144 + 512,
          1 << 20,
          1 << 24,
        ]
      ) {
        const write = pattern(size, seed++);
        const written = await initiator.command({ cdb: write10(1, size / 512), write });
        assertEquals([written.status, written.residual], [ScsiStatus.good, 0], `${size}`);
        await assertSameBytes(contentOf(store, 512, size), write, `${size}`);
        const read = await initiator.command({ cdb: read10(1, size / 512), read: size });
        await assertSameBytes(read.data, write, `${size}`);
      }
    },
  ));

const SOLICITED = {
  InitialR2T: "Yes",
  ImmediateData: "No",
  FirstBurstLength: "1024",
  MaxBurstLength: "1024",
};
const UNSOLICITED = {
  InitialR2T: "No",
  ImmediateData: "Yes",
  FirstBurstLength: "2048",
  MaxBurstLength: "2048",
};

Deno.test("R2Ts are numbered from 0, ask for MaxBurstLength at most, and as many are outstanding as were settled", () =>
  withSession({ ...SOLICITED, MaxOutstandingR2T: "2" }, async (initiator, store) => {
    const write = new ManualWrite(initiator, { blocks: 9 });
    await write.command();
    const r2ts = [await write.receive(Opcode.readyToTransfer), await write.receive(Opcode.readyToTransfer)];
    assertEquals(r2ts.map(({ statSn }) => statSn), Array<number>(2).fill(initiator.expStatSn));
    assertEquals(await drain(initiator), []);
    for (let index = 0; index < 5; index++) {
      const r2t = r2ts[index]!;
      const length = index === 4 ? 512 : 1024;
      assertEquals([r2t.dataSn, r2t.bufferOffset, r2t.desiredLength], [index, index * 1024, length]);
      await write.sendData(r2t.bufferOffset, r2t.bufferOffset + length, { tag: r2t.targetTransferTag });
      if (index < 3) r2ts.push(await write.receive(Opcode.readyToTransfer));
    }
    assertEquals(new Set(r2ts.map(({ targetTransferTag }) => targetTransferTag)).size, 5);
    const response = await write.receive(Opcode.scsiResponse);
    assertEquals([response.status, response.dataSn], [ScsiStatus.good, 0]);
    await assertSameBytes(contentOf(store, 0, 9 * 512), write.data);
  }));

Deno.test("an R2T repeats the LUN in the form in which the command carried it", () =>
  withSession(SOLICITED, async (initiator) => {
    const lun = Uint8Array.of(0x40, 0, 0, 0, 0, 0, 0, 0);
    const write = new ManualWrite(initiator, { lun, blocks: 1 });
    await write.command();
    const r2t = await write.receive(Opcode.readyToTransfer);
    assertEquals(r2t.lun, lun);
    await write.sendData(0, 512, { tag: r2t.targetTransferTag });
    assertEquals((await write.receive(Opcode.scsiResponse)).status, ScsiStatus.good);
    assertEquals(encodeLun(0), new Uint8Array(8));
  }));

Deno.test("an R2T asks for what unsolicited data has left over", () =>
  withSession({ ...UNSOLICITED, MaxOutstandingR2T: "1" }, async (initiator, store) => {
    const write = new ManualWrite(initiator, { blocks: 6 });
    await write.command({ immediate: 100, isFinal: false });
    await write.sendData(100, 900, { isFinal: false });
    await write.sendData(900, 2048, { dataSn: 1 });
    const r2t = await write.receive(Opcode.readyToTransfer);
    assertEquals([r2t.dataSn, r2t.bufferOffset, r2t.desiredLength], [0, 2048, 1024]);
    await write.sendData(2048, 2048, { tag: r2t.targetTransferTag, isFinal: false });
    await write.sendData(2048, 3072, { tag: r2t.targetTransferTag, dataSn: 1 });
    assertEquals((await write.receive(Opcode.scsiResponse)).status, ScsiStatus.good);
    await assertSameBytes(contentOf(store, 0, 3072), write.data);
  }));

Deno.test("immediate data is not expected when ImmediateData is No", () =>
  withSession({ ...UNSOLICITED, ImmediateData: "No" }, async (initiator, store) => {
    const write = new ManualWrite(initiator);
    await write.command({ immediate: 512 });
    await write.assertFailed(UNEXPECTED);
    assertEquals(store.writeCount, 0);
  }));

Deno.test("unsolicited Data-Out is not expected when InitialR2T is Yes, and is taken off the stream all the same", () =>
  withSession(SOLICITED, async (initiator, store) => {
    const write = new ManualWrite(initiator);
    await write.command({ isFinal: false });
    await write.sendData(0, 512, { isFinal: false });
    assertEquals(await drain(initiator), []);
    await write.sendData(512, 1024, { dataSn: 1 });
    await write.assertFailed(UNEXPECTED);
    assertEquals(store.writeCount, 0);
  }));

Deno.test("unsolicited Data-Out after the final one is not expected", () =>
  withSession({ ...UNSOLICITED, ImmediateData: "Yes" }, async (initiator) => {
    const write = new ManualWrite(initiator);
    await write.command({ immediate: 2048 });
    const r2t = await write.receive(Opcode.readyToTransfer);
    await write.sendData(2048, 2560);
    await write.sendData(2048, 4096, { tag: r2t.targetTransferTag });
    await write.assertFailed(UNEXPECTED);
  }));

Deno.test("more unsolicited data than FirstBurstLength is too much", () =>
  withSession(UNSOLICITED, async (initiator) => {
    const immediate = new ManualWrite(initiator);
    await immediate.command({ immediate: 2052 });
    await immediate.assertFailed(INCORRECT_AMOUNT);
    const write = new ManualWrite(initiator);
    await write.command({ immediate: 2048, isFinal: false });
    await write.sendData(2048, 2052);
    await write.assertFailed(INCORRECT_AMOUNT);
  }));

Deno.test("more unsolicited data than the command expects to send is too much", () =>
  withSession(UNSOLICITED, async (initiator) => {
    const immediate = new ManualWrite(initiator, { blocks: 1 });
    await immediate.command({ immediate: 512, expected: 508 });
    await immediate.assertFailed(INCORRECT_AMOUNT);
    const write = new ManualWrite(initiator, { blocks: 2 });
    await write.command({ immediate: 512, isFinal: false, expected: 1024 });
    await write.sendData(512, 1028);
    await write.assertFailed(INCORRECT_AMOUNT);
  }));

Deno.test("data for an R2T with LUN 0 is that of its command, whatever its LUN, and the log says so once", async () => {
  const stores = [0, 1].map(() => new MemoryStore({ sizeBytes: SIZE }));
  await withHarness({ targets: [{ stores }] }, async (harness) => {
    const initiator = await harness.logIn({ keys: SOLICITED, unitCount: 2 });
    for (let count = 0; count < 3; count++) {
      const write = new ManualWrite(initiator, { blocks: 2, lun: 1 });
      await write.command({ lba: count * 2 });
      const { targetTransferTag: tag } = await write.receive(Opcode.readyToTransfer);
      await write.sendData(0, 512, { tag, lun: 0, isFinal: false });
      await write.sendData(512, 1024, { tag, lun: 0, dataSn: 1 });
      assertEquals((await write.receive(Opcode.scsiResponse)).status, ScsiStatus.good);
      await assertSameBytes(contentOf(stores[1]!, count * 1024, 1024), write.data);
    }
    assertEquals(stores[0]!.writeCount, 0);
    const told = harness.events.filter(({ message }) => message.includes("overlooked"));
    assertEquals(told.map(({ level }) => level), ["debug"]);
  });
});

/** Two R2Ts of 1024 bytes each for a write of 4 blocks. */
const TWO_BURSTS = { ...SOLICITED, MaxOutstandingR2T: "1", MaxBurstLength: "1024", FirstBurstLength: "1024" };

Deno.test("a DataSN that continues from one R2T to the next is taken, and the log says so once", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn({ keys: TWO_BURSTS });
    for (let count = 0; count < 2; count++) {
      const write = new ManualWrite(initiator, { blocks: 4 });
      await write.command();
      const { targetTransferTag: first } = await write.receive(Opcode.readyToTransfer);
      await write.sendData(0, 512, { tag: first, isFinal: false });
      await write.sendData(512, 1024, { tag: first, dataSn: 1 });
      const { targetTransferTag: second } = await write.receive(Opcode.readyToTransfer);
      await write.sendData(1024, 1536, { tag: second, dataSn: 2, isFinal: false });
      await write.sendData(1536, 2048, { tag: second, dataSn: 3 });
      assertEquals((await write.receive(Opcode.scsiResponse)).status, ScsiStatus.good);
    }
    const notes = harness.events.filter(({ message }) => message.includes("overlooked"));
    assertEquals(notes.map(({ level }) => level), ["debug"]);
  }));

Deno.test("a DataSN that continues does not hide that the first PDUs of an R2T were lost", () =>
  withSession(TWO_BURSTS, async (initiator) => {
    const write = new ManualWrite(initiator, { blocks: 4 });
    await write.command();
    const { targetTransferTag: first } = await write.receive(Opcode.readyToTransfer);
    await write.sendData(0, 1024, { tag: first });
    const { targetTransferTag: second } = await write.receive(Opcode.readyToTransfer);
    // The PDU with DataSN 0 and bytes 1024 to 1536 does not arrive.
    await write.sendData(1536, 2048, { tag: second, dataSn: 1 });
    await write.assertFailed(CRC_ERROR);
  }));

/** Faults of the only Data-Out that answers an R2T for bytes 0 to 1024. */
const WRONG_DATA: Readonly<
  Record<string, readonly [start: number, end: number, options: Record<string, number>]>
> = {
  "a wrong DataSN": [0, 1024, { dataSn: 1 }],
  "a wrong Buffer Offset": [0, 1024, { offset: 4 }],
  "the LUN of another unit": [0, 1024, { lun: 1 }],
  "a Buffer Offset beyond the data": [0, 1024, { offset: 0xfffffffc }],
  "too much data": [0, 1028, {}],
  "too little data": [0, 1020, {}],
  "no data": [0, 0, {}],
};

for (const [what, [start, end, options]] of Object.entries(WRONG_DATA)) {
  Deno.test(`an answer to an R2T with ${what} costs the command, and nothing of it is written`, () =>
    withSession({ ...SOLICITED, MaxOutstandingR2T: "1" }, async (initiator, store) => {
      const write = new ManualWrite(initiator);
      await write.command();
      const r2t = await write.receive(Opcode.readyToTransfer);
      await write.sendData(start, end, { ...options, tag: r2t.targetTransferTag });
      await write.assertFailed(what === "a wrong DataSN" ? CRC_ERROR : INCORRECT_AMOUNT);
      assertEquals(store.writeCount, what === "too little data" ? store.writeCount : 0);
    }));
}

Deno.test("Data-Out without data in the midst of a sequence is taken (11.7.7)", () =>
  withSession(UNSOLICITED, async (initiator) => {
    const write = new ManualWrite(initiator, { blocks: 4 });
    await write.command({ immediate: 512, isFinal: false });
    await write.sendData(512, 512, { isFinal: false });
    await write.sendData(512, 1024, { dataSn: 1, isFinal: false });
    await write.sendData(1024, 1024, { dataSn: 2 });
    const r2t = await write.receive(Opcode.readyToTransfer);
    assertEquals([r2t.bufferOffset, r2t.desiredLength], [1024, 1024]);
    const tag = r2t.targetTransferTag;
    await write.sendData(1024, 1536, { tag, isFinal: false });
    await write.sendData(1536, 1536, { tag, dataSn: 1, isFinal: false });
    await write.sendData(1536, 2048, { tag, dataSn: 2 });
    assertEquals((await write.receive(Opcode.scsiResponse)).status, ScsiStatus.good);
  }));

Deno.test("a wrong DataSN or Buffer Offset in unsolicited data costs the command once its last PDU has come", () =>
  withSession(UNSOLICITED, async (initiator) => {
    for (const [wrong, code] of [[{ dataSn: 7 }, CRC_ERROR], [{ offset: 516 }, INCORRECT_AMOUNT]] as const) {
      const write = new ManualWrite(initiator, { blocks: 4 });
      await write.command({ immediate: 512, isFinal: false });
      await write.sendData(512, 1024, { ...wrong, isFinal: false });
      assertEquals(await drain(initiator), []);
      await write.sendData(1024, 1536, { dataSn: 1 });
      await write.assertFailed(code);
    }
  }));

Deno.test("unsolicited data with transfer tag 0 is taken, and the log says so once", () =>
  withSession({ ...UNSOLICITED, MaxOutstandingR2T: "1" }, async (initiator, store, harness) => {
    for (let count = 0; count < 2; count++) {
      const write = new ManualWrite(initiator, { blocks: 6 });
      await write.command({ immediate: 512, isFinal: false });
      await write.sendData(512, 1024, { tag: 0, isFinal: false });
      await write.sendData(1024, 2048, { tag: 0, dataSn: 1 });
      const { targetTransferTag: tag } = await write.receive(Opcode.readyToTransfer);
      await write.sendData(2048, 3072, { tag });
      assertEquals((await write.receive(Opcode.scsiResponse)).status, ScsiStatus.good);
      await assertSameBytes(contentOf(store, 0, 3072), write.data);
    }
    const overlooked = harness.events.filter(({ message }) => message.includes("overlooked"));
    assertEquals(overlooked.map(({ level }) => level), ["debug"]);
    const write = new ManualWrite(initiator, { blocks: 6 });
    await write.command({ immediate: 2048 });
    await write.receive(Opcode.readyToTransfer);
    await write.sendData(2048, 3072, { tag: 0 });
    await write.assertFailed(INCORRECT_AMOUNT);
  }));

Deno.test("a DataSN out of order shows that data was lost (7.9), and the first fault of a command counts", () =>
  withSession({ ...SOLICITED, MaxOutstandingR2T: "1" }, async (initiator, store) => {
    const rows = [
      [[{ dataSn: 1, offset: 4 }, { dataSn: 1 }], CRC_ERROR],
      [[{ offset: 4 }, { dataSn: 5 }], INCORRECT_AMOUNT],
      [[{}, { dataSn: 0 }], CRC_ERROR],
    ] as const;
    for (const [[first, second], code] of rows) {
      const before = store.writeCount;
      const write = new ManualWrite(initiator, { blocks: 2 });
      await write.command();
      const { targetTransferTag: tag } = await write.receive(Opcode.readyToTransfer);
      await write.sendData(0, 512, { ...first, tag, isFinal: false });
      await write.sendData(512, 1024, { ...second, tag });
      await write.assertFailed(code);
      assertEquals(store.writeCount - before, Object.keys(first).length === 0 ? 1 : 0);
    }
  }));

Deno.test("data without F at its end waits for F: an empty PDU brings it, or the command ends after 15 s", () =>
  withSession({ ...SOLICITED, MaxOutstandingR2T: "1" }, async (initiator, store, harness) => {
    for (const isCompleted of [true, false]) {
      const write = new ManualWrite(initiator, { blocks: 2 });
      await write.command();
      const { targetTransferTag: tag } = await write.receive(Opcode.readyToTransfer);
      await write.sendData(0, 1024, { tag, isFinal: false });
      assertEquals(await drain(initiator), []);
      if (isCompleted) {
        await write.sendData(1024, 1024, { tag, dataSn: 1 });
        assertEquals((await write.receive(Opcode.scsiResponse)).status, ScsiStatus.good);
        continue;
      }
      for (let second = 0; second <= Limits.dataOutSilenceSeconds; second++) {
        // Other commands of the session go on meanwhile.
        assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
        harness.clock.advance(1000);
        await settle();
      }
      await write.assertFailed(CRC_ERROR);
    }
    await assertSameBytes(contentOf(store, 0, 1024), pattern(1024));
  }));

Deno.test("a Target Transfer Tag that was not given costs the command, though nothing more comes", () =>
  withSession({ ...SOLICITED, MaxOutstandingR2T: "2" }, async (initiator, store) => {
    const write = new ManualWrite(initiator);
    await write.command();
    const first = await write.receive(Opcode.readyToTransfer);
    await write.receive(Opcode.readyToTransfer);
    await write.sendData(0, 1024, { tag: first.targetTransferTag + 1000 });
    await write.assertFailed(INCORRECT_AMOUNT);
    await write.sendData(0, 1024, { tag: first.targetTransferTag });
    assertEquals(await drain(initiator), []);
    assertEquals(store.writeCount, 0);
  }));

Deno.test("R2Ts that are answered out of their order cost the command (DataSequenceInOrder)", () =>
  withSession({ ...SOLICITED, MaxOutstandingR2T: "2" }, async (initiator) => {
    const write = new ManualWrite(initiator);
    await write.command();
    await write.receive(Opcode.readyToTransfer);
    const second = await write.receive(Opcode.readyToTransfer);
    await write.sendData(1024, 2048, { tag: second.targetTransferTag });
    await write.assertFailed(INCORRECT_AMOUNT);
  }));

Deno.test("a command that fails early takes its unsolicited data off the stream and then answers", () =>
  withSession(UNSOLICITED, async (initiator, store) => {
    const write = new ManualWrite(initiator);
    await write.command({ lba: SIZE / 512 - 1, immediate: 512, isFinal: false });
    assertEquals(await drain(initiator), []);
    await write.sendData(512, 1024, { isFinal: false });
    await write.sendData(1024, 2048, { dataSn: 1 });
    const pdu = await write.receive(Opcode.scsiResponse);
    assertEquals([senseOfResponse(pdu.data)?.code, pdu.hasUnderflow, pdu.residualCount], [
      0x2100,
      true,
      4096,
    ]);
    assertEquals(store.writeCount, 0);
    await write.sendData(2048, 2560);
    assertEquals(await drain(initiator), []);
  }));

Deno.test("a slow verification whose unwanted data never comes is work under way until it is done", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: 1024 * 1024 }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const { initiator, served } = harness.open();
    await initiator.login({ targetName: nameOf() });
    await initiator.command({ cdb: testUnitReady() });
    const command = {
      isFinal: false,
      reads: false,
      writes: true,
      lun: 0,
      expectedLength: 512,
      cdb: verify10(0, 8),
    };
    await initiator.send(scsiCommand({ ...numbered(initiator), ...command }));
    await until(() => store.pending.length === 1, "the verification is under way");
    await initiator.close();
    await served;
    assertEquals(harness.node.holdings.works, 1);
    const isDone = (): boolean => {
      store.releaseAll();
      return harness.node.holdings.works === 0;
    };
    await until(isDone, "the verification is done");
    assertEquals(harness.units.get("disk")![0]!.ranges.isIdle, true);
  });
});

Deno.test("Data-Out for a task that is none is dropped", () =>
  withSession(UNSOLICITED, async (initiator, store) => {
    const write = new ManualWrite(initiator);
    await write.sendData(0, 512);
    await write.sendData(0, 512, { tag: 1 });
    assertEquals(await drain(initiator), []);
    assertEquals(store.writeCount, 0);
  }));

Deno.test("a write that expects more than the command takes has an underflow, one that expects less an overflow", () =>
  withSession({ FirstBurstLength: "512", MaxBurstLength: "1024" }, async (initiator, store) => {
    const more = await initiator.command({ cdb: write10(0, 2), write: pattern(8 * 512) });
    assertEquals([more.status, more.residual], [ScsiStatus.good, -6 * 512]);
    await assertSameBytes(
      contentOf(store, 0, 1536),
      new Uint8Array([...pattern(1024), ...new Uint8Array(512)]),
    );
    const less = await initiator.command({ cdb: write10(100, 8), write: pattern(2 * 512) });
    assertEquals([less.status, less.residual], [ScsiStatus.good, 6 * 512]);
    const rest = new Uint8Array(6 * 512);
    await assertSameBytes(contentOf(store, 100 * 512, 4096), new Uint8Array([...pattern(1024), ...rest]));
    const none = await initiator.command({ cdb: write10(200, 1), write: new Uint8Array() });
    assertEquals([none.status, none.residual], [ScsiStatus.good, 512]);
    const nothing = await initiator.command({ cdb: write10(200, 0), write: pattern(512) });
    assertEquals([nothing.status, nothing.residual], [ScsiStatus.good, -512]);
  }));

Deno.test("a command whose CDB has no length of its data takes what is offered, up to its longest list", async () => {
  for (const ImmediateData of YES_NO) {
    await withSession({ ImmediateData }, async (initiator) => {
      const formatUnit = Uint8Array.of(0x04, 0x10, 0, 0, 0, 0);
      for (const [offered, residual] of [[4, 0], [8, 0], [520, 0], [1000, -480]] as const) {
        const result = await initiator.command({ cdb: formatUnit, write: new Uint8Array(offered) });
        assertEquals([result.status, result.residual], [ScsiStatus.good, residual], `${offered}`);
      }
      const short = await initiator.command({ cdb: formatUnit, write: new Uint8Array(3) });
      assertEquals([short.sense?.code, short.residual], [0x1a00, 0]);
      const none = await initiator.command({ cdb: formatUnit });
      assertEquals([none.sense?.code, none.residual], [0x1a00, 0]);
      const backwards = await initiator.command({ cdb: formatUnit, read: 4 });
      assertEquals(backwards.sense?.code, 0x0e03);
    });
  }
});

Deno.test("data for a command that takes none is an underflow", () =>
  withSession({}, async (initiator) => {
    const { status, residual } = await initiator.command({ cdb: testUnitReady(), write: pattern(1000) });
    assertEquals([status, residual], [ScsiStatus.good, -1000]);
  }));

Deno.test("a write whose PDU only reads is not acknowledged as if it were done", () =>
  withSession({}, async (initiator, store) => {
    const { status, residual } = await initiator.command({ cdb: write10(0, 1), read: 512 });
    assert(status === ScsiStatus.checkCondition || residual === 512, "it is refused or told of");
    assertEquals(store.writeCount, 0);
  }));

Deno.test("a failure in between asks for no more, takes what was asked for, and has an exact residual", async () => {
  const inner = new MemoryStore({ sizeBytes: SIZE });
  const store = new FaultyStore(inner);
  store.inject({ operation: "write", kind: "outOfSpace", startBytes: 2048 });
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn({ keys: { ...SOLICITED, MaxOutstandingR2T: "2" } });
    const write = new ManualWrite(initiator, { blocks: 16 });
    await write.command();
    const r2ts = [await write.receive(Opcode.readyToTransfer), await write.receive(Opcode.readyToTransfer)];
    for (let index = 0; index < 2; index++) {
      const { targetTransferTag: tag, bufferOffset } = r2ts[index]!;
      await write.sendData(bufferOffset, bufferOffset + 1024, { tag });
      r2ts.push(await write.receive(Opcode.readyToTransfer));
    }
    await write.sendData(2048, 3072, { tag: r2ts[2]!.targetTransferTag });
    assertEquals(await drain(initiator), []);
    await write.sendData(3072, 4096, { tag: r2ts[3]!.targetTransferTag });
    const pdu = await write.receive(Opcode.scsiResponse);
    const sense = senseOfResponse(pdu.data);
    assertEquals([sense?.key, sense?.code], [SenseKey.dataProtect, 0x2707]);
    assertEquals([pdu.hasUnderflow, pdu.residualCount], [true, 4096]);
    await assertSameBytes(contentOf(inner, 0, 2048), write.data.subarray(0, 2048));
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  });
});

Deno.test("a slow medium is waited for, in whatever order it finishes", async () => {
  const inner = new MemoryStore({ sizeBytes: SIZE });
  const store = new SlowStore(inner);
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn({ keys: UNSOLICITED });
    const write = pattern(16 * 512);
    const command = transfer(initiator, { cdb: write10(0, 16), write }, { sendBytesMax: 512 });
    for (let done = 0; done < 16; done++) {
      await until(() => store.pending.length > 0, "a piece is under way");
      store.release(store.pending.length - 1);
    }
    const { status } = await command;
    assertEquals([status, store.pending.length], [ScsiStatus.good, 0]);
    await assertSameBytes(contentOf(inner, 0, write.length), write);
  });
});

Deno.test("a slow medium that fails one piece fails the command after the last", async () => {
  const faulty = new FaultyStore(new MemoryStore({ sizeBytes: SIZE }));
  faulty.inject({ operation: "write", kind: "writeFailed", startBytes: 512, endBytes: 1024 });
  const store = new SlowStore(faulty);
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn({ keys: UNSOLICITED });
    let isAnswered = false;
    const command = transfer(initiator, { cdb: write10(0, 4), write: pattern(2048) }, { sendBytesMax: 512 });
    const answered = command.then(() => isAnswered = true);
    await until(() => store.pending.length === 4, "all pieces are under way");
    store.release(1);
    await settle();
    assertEquals(isAnswered, false);
    store.releaseAll();
    await answered;
    const { status, sense } = await command;
    assertEquals([status, sense?.key], [ScsiStatus.checkCondition, SenseKey.mediumError]);
  });
});
