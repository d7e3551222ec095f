/** Digests that are wrong (RFC 7143, 7.3, 7.8 and 11.17), through the whole node. */
import { assert, assertEquals } from "@std/assert";
import type { Initiator } from "../../support/initiator.ts";
import { testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { digestKeys, type DigestUse, withDigests } from "../../support/initiator_digest.ts";
import { NO_TAG, Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import {
  dataOut,
  LogoutReason,
  logoutRequest,
  nopOut,
  type RequestPdu,
  scsiCommand,
  TaskManagement,
  textRequest,
} from "../../support/initiator_request.ts";
import { ScsiStatus, SenseKey, senseOfResponse } from "../../support/initiator_sense.ts";
import { encodeText } from "../../support/initiator_text.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { type Harness, TEST_UNIT_READY, withHarness } from "../../support/harness.ts";
import { settle, until } from "../../support/until.ts";
import { contentOf, pattern } from "../../support/content.ts";
import { drain, numbered } from "../../support/exchanges.ts";

const BOTH: DigestUse = { header: true, data: true };
const DATA_DIGEST_ERROR = 2;
const PROTOCOL_SERVICE_CRC_ERROR = 0x4705;
const BLOCKS = 16;

/** A session with digests, on a store that is looked at. */
async function withSession(
  test: (initiator: Initiator, store: MemoryStore, harness: Harness) => Promise<void>,
  keys: Readonly<Record<string, string>> = {},
): Promise<void> {
  const store = new MemoryStore({ sizeBytes: 1024 * 1024 });
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn({ keys: { ...digestKeys(BOTH), ...keys } });
    await test(initiator, store, harness);
  });
}

/** Sends a PDU of which one bit of the data segment went wrong on its way. */
async function sendCorrupt(initiator: Initiator, pdu: RequestPdu): Promise<void> {
  const bytes = withDigests(pdu.encode(), BOTH);
  bytes[bytes.length - 5]! ^= 0x10;
  await initiator.send(bytes);
}

/** The next PDU, which must be the Reject of what was corrupt, with its header. */
async function assertRejected(initiator: Initiator, pdu: RequestPdu): Promise<void> {
  const reject = await initiator.receive();
  assertEquals([reject.opcode, reject.response], [Opcode.reject, DATA_DIGEST_ERROR]);
  assertEquals(reject.data, pdu.header);
}

/** A write of 16 blocks that is sent by hand. */
class Write {
  readonly data = pattern(BLOCKS * 512, 5);
  readonly initiator: Initiator;
  readonly #numbers: ReturnType<typeof numbered>;

  constructor(initiator: Initiator, isImmediate = false) {
    this.initiator = initiator;
    this.#numbers = numbered(initiator, isImmediate);
  }

  get cmdSn(): number {
    return this.#numbers.cmdSn;
  }

  command(options: { readonly immediateBytes?: number; readonly isFinal?: boolean } = {}): RequestPdu {
    return scsiCommand({
      ...this.#numbers,
      isFinal: options.isFinal ?? true,
      reads: false,
      writes: true,
      lun: 0,
      expectedLength: this.data.length,
      cdb: write10(0, BLOCKS),
      data: this.data.subarray(0, options.immediateBytes ?? 0),
    });
  }

  /** The piece of a quarter with this number. */
  quarter(
    number: number,
    targetTransferTag: number,
    options: { readonly isFinal?: boolean } = {},
  ): RequestPdu {
    const bytes = this.data.length / 4;
    return dataOut({
      isFinal: options.isFinal ?? number === 3,
      lun: 0,
      initiatorTaskTag: this.#numbers.initiatorTaskTag,
      targetTransferTag,
      expStatSn: this.initiator.expStatSn,
      dataSn: number,
      bufferOffset: number * bytes,
      data: this.data.slice(number * bytes, (number + 1) * bytes),
    });
  }

  async receive(opcode: number): Promise<Pdu> {
    const pdu = await this.initiator.receive();
    assertEquals([pdu.opcode, pdu.initiatorTaskTag], [opcode, this.#numbers.initiatorTaskTag]);
    return pdu;
  }

  /** The command ends for the digest error, and the session goes on. */
  async assertFailed(): Promise<void> {
    const response = await this.receive(Opcode.scsiResponse);
    const sense = senseOfResponse(response.data);
    assertEquals(
      [response.status, sense?.key, sense?.code],
      [ScsiStatus.checkCondition, SenseKey.abortedCommand, PROTOCOL_SERVICE_CRC_ERROR],
    );
    assertEquals((await this.initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }
}

for (let corrupt = 0; corrupt < 4; corrupt++) {
  Deno.test(`piece ${corrupt} of four with a bad digest is not stored, and costs the command in the end`, () =>
    withSession(async (initiator, store) => {
      const write = new Write(initiator);
      await initiator.send(write.command());
      const { targetTransferTag } = await write.receive(Opcode.readyToTransfer);
      for (let number = 0; number < 4; number++) {
        const pdu = write.quarter(number, targetTransferTag);
        if (number !== corrupt) {
          await initiator.send(pdu);
          continue;
        }
        await sendCorrupt(initiator, pdu);
        await assertRejected(initiator, pdu);
        if (number < 3) assertEquals(await drain(initiator), [], "all data is waited for");
      }
      await write.assertFailed();
      const quarter = write.data.length / 4;
      const stored = contentOf(store, 0, write.data.length);
      assertEquals(stored.subarray(0, corrupt * quarter), write.data.subarray(0, corrupt * quarter));
      assert(stored.subarray(corrupt * quarter).every((byte) => byte === 0), "nothing behind it is stored");
    }));
}

Deno.test("unsolicited data with a bad digest costs the command, when the last of it has come", () =>
  withSession(async (initiator, store, harness) => {
    const write = new Write(initiator);
    await initiator.send(write.command({ isFinal: false }));
    const pdu = write.quarter(0, NO_TAG);
    await sendCorrupt(initiator, pdu);
    await assertRejected(initiator, pdu);
    assertEquals(await drain(initiator), [], "no R2T asks for what was bad");
    await initiator.send(write.quarter(1, NO_TAG, { isFinal: true }));
    await write.assertFailed();
    assert(contentOf(store, 0, write.data.length).every((byte) => byte === 0));
    assert(
      harness.log.some((line) => line.endsWith("Data digest error in SCSI Data-Out")),
      harness.log.join("\n"),
    );
  }));

Deno.test("data of several outstanding R2Ts is waited for behind a bad digest", () =>
  withSession(async (initiator) => {
    const write = new Write(initiator);
    await initiator.send(write.command());
    const r2ts = [await write.receive(Opcode.readyToTransfer), await write.receive(Opcode.readyToTransfer)];
    const half = (index: number): RequestPdu =>
      dataOut({
        isFinal: true,
        lun: 0,
        initiatorTaskTag: r2ts[index]!.initiatorTaskTag,
        targetTransferTag: r2ts[index]!.targetTransferTag,
        expStatSn: initiator.expStatSn,
        dataSn: 0,
        bufferOffset: index * 4096,
        data: write.data.slice(index * 4096, (index + 1) * 4096),
      });
    await sendCorrupt(initiator, half(0));
    await assertRejected(initiator, half(0));
    assertEquals(await drain(initiator), []);
    await initiator.send(half(1));
    await write.assertFailed();
  }, { MaxBurstLength: "4096", FirstBurstLength: "4096", InitialR2T: "Yes", MaxOutstandingR2T: "2" }));

Deno.test("ABORT TASK ends a command that waits for the rest of its data behind a bad digest", () =>
  withSession(async (initiator) => {
    const write = new Write(initiator);
    await initiator.send(write.command());
    const r2t = await write.receive(Opcode.readyToTransfer);
    await sendCorrupt(initiator, write.quarter(0, r2t.targetTransferTag));
    await assertRejected(initiator, write.quarter(0, r2t.targetTransferTag));
    const response = await initiator.taskManagement(TaskManagement.abortTask, {
      referencedTaskTag: r2t.initiatorTaskTag,
      refCmdSn: write.cmdSn,
    });
    assertEquals(response, 0);
    assertEquals(await drain(initiator), []);
  }));

Deno.test("a command whose immediate data has a bad digest was not received: sent again, it is carried out (7.3)", () =>
  withSession(async (initiator, store) => {
    const write = new Write(initiator);
    const command = write.command({ immediateBytes: write.data.length });
    await sendCorrupt(initiator, command);
    await assertRejected(initiator, command);
    const later = { ...numbered(initiator) };
    await initiator.send(
      scsiCommand({
        ...later,
        ...TEST_UNIT_READY,
      }),
    );
    assertEquals(await drain(initiator), [], "the next command waits for this one");
    assert(contentOf(store, 0, write.data.length).every((byte) => byte === 0));
    await initiator.send(command);
    assertEquals((await write.receive(Opcode.scsiResponse)).status, ScsiStatus.good);
    assertEquals((await initiator.receive()).initiatorTaskTag, later.initiatorTaskTag);
    assertEquals(contentOf(store, 0, write.data.length), write.data);
  }));

Deno.test("an abort plugs the gap of a command that was rejected (7.11)", () =>
  withSession(async (initiator) => {
    const write = new Write(initiator);
    const command = write.command({ immediateBytes: 4096 });
    await sendCorrupt(initiator, command);
    await assertRejected(initiator, command);
    const referencedTaskTag = new DataView(command.header.buffer).getUint32(16);
    const response = await initiator.taskManagement(TaskManagement.abortTask, {
      referencedTaskTag,
      refCmdSn: write.cmdSn,
    });
    assertEquals(response, 0);
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
  }));

Deno.test("a second copy of a command, and one outside of the window, are ignored with a bad digest, too", () =>
  withSession(async (initiator, store, harness) => {
    const done = new Write(initiator);
    const command = done.command({ immediateBytes: done.data.length });
    await initiator.send(command);
    assertEquals((await done.receive(Opcode.scsiResponse)).status, ScsiStatus.good);
    // Its turn has not come: it is held.
    const gap = initiator.takeCmdSn();
    const held = new Write(initiator);
    const early = held.command({ immediateBytes: held.data.length });
    await initiator.send(early);
    const beyond = held.command({ immediateBytes: held.data.length });
    new DataView(beyond.header.buffer).setUint32(24, (initiator.maxCmdSn! + 1) >>> 0);
    for (const pdu of [command, early, beyond]) await sendCorrupt(initiator, pdu);
    assertEquals(await drain(initiator), [], "none is rejected: what was received would count as lost");
    assertEquals(harness.log.filter((line) => line.endsWith("Data digest error in SCSI Command")).length, 3);
    await initiator.send(nopOut({ ...numbered(initiator), cmdSn: gap }));
    assertEquals((await initiator.receive()).opcode, Opcode.nopIn);
    assertEquals((await held.receive(Opcode.scsiResponse)).status, ScsiStatus.good);
    assertEquals(store.writeCount, 2);
  }));

Deno.test("an immediate command with a bad data digest is rejected and leaves no gap", () =>
  withSession(async (initiator, store) => {
    const write = new Write(initiator, true);
    const command = write.command({ immediateBytes: write.data.length });
    await sendCorrupt(initiator, command);
    await assertRejected(initiator, command);
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    assert(contentOf(store, 0, write.data.length).every((byte) => byte === 0));
  }));

Deno.test("data that came before its command's turn, with a bad digest, costs the command when its turn has come", () =>
  withSession(async (initiator, store) => {
    const earlier = numbered(initiator);
    const write = new Write(initiator);
    await initiator.send(write.command({ isFinal: false }));
    await sendCorrupt(initiator, write.quarter(0, NO_TAG, { isFinal: true }));
    await assertRejected(initiator, write.quarter(0, NO_TAG, { isFinal: true }));
    assertEquals(await drain(initiator), []);
    await initiator.send(
      scsiCommand({
        ...earlier,
        ...TEST_UNIT_READY,
      }),
    );
    assertEquals((await initiator.receive()).initiatorTaskTag, earlier.initiatorTaskTag);
    await write.assertFailed();
    assert(contentOf(store, 0, write.data.length).every((byte) => byte === 0));
  }));

Deno.test("data for nobody with a bad digest is rejected, and that is all", () =>
  withSession(async (initiator) => {
    const write = new Write(initiator, true);
    await sendCorrupt(initiator, write.quarter(0, NO_TAG));
    await assertRejected(initiator, write.quarter(0, NO_TAG));
    assertEquals(await drain(initiator), []);
  }));

Deno.test("NOP-Out and Text Request with bad data are rejected, and answered when they are sent again", () =>
  withSession(async (initiator) => {
    const ping = nopOut({ ...numbered(initiator), lun: 0, data: pattern(100) });
    await sendCorrupt(initiator, ping);
    await assertRejected(initiator, ping);
    await initiator.send(ping);
    assertEquals((await initiator.receive()).data, ping.data);
    const text = textRequest({
      ...numbered(initiator),
      isFinal: true,
      isContinued: false,
      targetTransferTag: NO_TAG,
      text: encodeText([["MaxRecvDataSegmentLength", "4096"]]),
    });
    await sendCorrupt(initiator, text);
    await assertRejected(initiator, text);
    await initiator.send(text);
    assertEquals((await initiator.receive()).opcode, Opcode.textResponse);
  }));

Deno.test("a bad header digest ends the connection at once, tells the log, and touches nobody else", () =>
  withSession(async (initiator, store, harness) => {
    const other = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 0, 9), keys: digestKeys(BOTH) });
    const write = new Write(initiator);
    const bytes = withDigests(write.command({ immediateBytes: 4096 }).encode(), BOTH);
    bytes[33]! ^= 0x01;
    // No more than the header and its digest: the data segment is not waited for.
    await initiator.send(bytes.subarray(0, 52));
    assertEquals(await initiator.receiveEnd(), []);
    assert(harness.log.some((line) => line.includes("Header digest error")), harness.log.join("\n"));
    assertEquals((await other.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    assert(contentOf(store, 0, write.data.length).every((byte) => byte === 0));
  }));

Deno.test("a damaged request behind a logout is not rejected: nothing that comes then is carried out", async () => {
  const store = new SlowStore(new MemoryStore({ sizeBytes: 1024 * 1024 }));
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn({ keys: digestKeys(BOTH) });
    (await initiator.begin({ cdb: write10(0, 1), write: pattern(512) })).forget();
    await until(() => store.pending.length === 1, "the write is under way");
    const logout = logoutRequest({ ...numbered(initiator), reason: LogoutReason.closeSession });
    await initiator.send(logout);
    await sendCorrupt(initiator, nopOut({ ...numbered(initiator, true), data: pattern(16) }));
    await settle();
    store.releaseAll();
    const pdus = await initiator.receiveEnd();
    assertEquals(pdus.map(({ name }) => name), ["logoutResponse"]);
    assert(!harness.log.some((line) => line.includes("digest")), harness.log.join("\n"));
  });
});
