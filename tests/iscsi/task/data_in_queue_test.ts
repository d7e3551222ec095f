/** Data on its way to the initiator (RFC 7143, 11.4.5 and 11.7), through the whole node. */
import { assert, assertEquals } from "@std/assert";
import { FaultyStore } from "../../support/faulty_store.ts";
import type { Initiator } from "../../support/initiator.ts";
import { inquiry, read10, testUnitReady } from "../../support/initiator_cdb.ts";
import { Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import { scsiCommand } from "../../support/initiator_request.ts";
import { ScsiStatus, SenseKey, senseOfResponse } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { withHarness } from "../../support/harness.ts";
import { settle, until } from "../../support/until.ts";
import { assertSameBytes, contentOf, pattern } from "../../support/content.ts";
import { drain, numbered } from "../../support/exchanges.ts";

const SIZE = 4 * 1024 * 1024;

function filledStore(): MemoryStore {
  const store = new MemoryStore({ sizeBytes: SIZE });
  store.writeNow(0, pattern(SIZE));
  return store;
}

/** Sends a read by hand: its PDUs go to `receive`. */
async function beginRead(
  initiator: Initiator,
  blocks: number,
  expectedLength = blocks * 512,
): Promise<number> {
  const request = numbered(initiator);
  const cdb = read10(0, blocks);
  await initiator.send(
    scsiCommand({ ...request, isFinal: true, reads: true, writes: false, lun: 0, expectedLength, cdb }),
  );
  return request.initiatorTaskTag;
}

/** Returns the fields of a Data-In that an initiator looks at. */
function fieldsOf(pdu: Pdu): (number | boolean)[] {
  assertEquals(pdu.opcode, Opcode.dataIn);
  return [pdu.dataSn, pdu.bufferOffset, pdu.data.length, pdu.isFinal, pdu.hasStatus];
}

Deno.test("Data-In is numbered, ends sequences at MaxBurstLength with F, and the last has the status", () =>
  withHarness({ targets: [{ stores: [filledStore()] }] }, async (harness) => {
    const keys = { MaxRecvDataSegmentLength: "1024", MaxBurstLength: "1536", FirstBurstLength: "512" };
    const initiator = await harness.logIn({ keys });
    await beginRead(initiator, 7);
    const expected = [
      [0, 0, 1024, false, false],
      [1, 1024, 512, true, false],
      [2, 1536, 1024, false, false],
      [3, 2560, 512, true, false],
      [4, 3072, 512, true, true],
    ];
    for (const fields of expected) assertEquals(fieldsOf(await initiator.receive()), fields);
    assertEquals(await drain(initiator), []);
  }));

Deno.test("Data-In fills whole words but at the end, however odd what the initiator takes", () =>
  withHarness({ targets: [{ stores: [filledStore()] }] }, async (harness) => {
    for (const [segment, burst] of [["513", "4096"], ["1023", "1025"], ["4096", "514"]] as const) {
      const keys = { MaxRecvDataSegmentLength: segment, MaxBurstLength: burst, FirstBurstLength: "512" };
      const initiator = await harness.logIn({ keys });
      await beginRead(initiator, 9);
      let length = 0;
      for (let isLast = false; !isLast;) {
        const pdu = await initiator.receive();
        assertEquals(pdu.bufferOffset, length);
        length += pdu.data.length;
        isLast = pdu.hasStatus;
        assert(
          isLast || pdu.isFinal || pdu.data.length % 4 === 0,
          `${pdu.data.length} bytes are no whole words`,
        );
      }
      assertEquals(length, 9 * 512);
    }
  }));

Deno.test("a read that expects more than the command sends has an underflow, one that expects less an overflow", () =>
  withHarness({ targets: [{ stores: [filledStore()] }] }, async (harness) => {
    const initiator = await harness.logIn({ keys: { MaxRecvDataSegmentLength: "512" } });
    const cases = [
      [1, 512, 512],
      [1, 513, 512],
      [1, 4096, 512],
      [8, 4096, 4096],
      [8, 4095, 4095],
      [8, 512, 512],
      [8, 1, 1],
      [8, 0, 0],
      [0, 0, 0],
      [0, 512, 0],
    ] as const;
    for (const [blocks, expectedLength, moved] of cases) {
      const { status, residual, data } = await initiator.command({
        cdb: read10(0, blocks),
        read: 0,
        expectedLength,
      });
      assertEquals([status, residual, data.length], [ScsiStatus.good, blocks * 512 - expectedLength, moved]);
      await assertSameBytes(data, pattern(moved));
    }
  }));

Deno.test("an allocation length cuts parameter data and leaves an underflow of what was expected", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    const { data, residual } = await initiator.command({ cdb: inquiry(36), read: 255 });
    assertEquals([data.length, residual], [36, 36 - 255]);
    const cut = await initiator.command({ cdb: inquiry(5), read: 5 });
    assertEquals([cut.data.length, cut.residual], [5, 0]);
  }));

Deno.test("a command without data, or with an error, leaves all that was expected", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    assertEquals((await initiator.command({ cdb: testUnitReady(), read: 100 })).residual, -100);
    const { sense, residual } = await initiator.command({ cdb: read10(0xffffffff, 1), read: 512 });
    assertEquals([sense?.code, residual], [0x2100, -512]);
  }));

Deno.test("a read whose PDU only writes is not acknowledged as if its data had been sent", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn();
    const { status, residual } = await initiator.command({ cdb: read10(0, 1), write: pattern(512) });
    assert(status === ScsiStatus.checkCondition || residual === 512, "it is refused or told of");
  }));

Deno.test("a read that fails in between ends with what was sent and an exact residual", async () => {
  const store = new FaultyStore(filledStore());
  store.inject({ operation: "read", kind: "readFailed", startBytes: 2048 });
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn({ keys: { MaxRecvDataSegmentLength: "1024" } });
    await beginRead(initiator, 8);
    for (const offset of [0, 1024]) assertEquals(fieldsOf(await initiator.receive())[1], offset);
    const pdu = await initiator.receive();
    assertEquals([pdu.opcode, senseOfResponse(pdu.data)?.key], [Opcode.scsiResponse, SenseKey.mediumError]);
    assertEquals([pdu.dataSn, pdu.hasUnderflow, pdu.residualCount], [2, true, 2048]);
    assertEquals(await drain(initiator), []);
  });
});

Deno.test("reads of a slow medium come in any order, each whole", async () => {
  const inner = filledStore();
  const store = new SlowStore(inner);
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn({ keys: { MaxRecvDataSegmentLength: "4096" } });
    const results: Promise<void>[] = [];
    for (let index = 0; index < 20; index++) {
      const command = await initiator.begin({ cdb: read10(index * 16, 16), read: 8192 });
      results.push(
        command.result().then(async ({ data, status }) => {
          assertEquals(status, ScsiStatus.good);
          await assertSameBytes(data, contentOf(inner, index * 8192, 8192));
        }),
      );
    }
    for (let done = 0; done < 40; done++) {
      await until(() => store.pending.length > 0, "a piece is under way");
      store.release(store.pending.length - 1);
    }
    await Promise.all(results);
    assertEquals(store.pending.length, 0);
  });
});

Deno.test("a slow unit holds up no other one of the same session, and not its own other commands", async () => {
  const store = new SlowStore(filledStore());
  await withHarness({ targets: [{ stores: [store, filledStore()] }] }, async (harness) => {
    const initiator = await harness.logIn({ unitCount: 2 });
    const slow = await initiator.begin({ cdb: read10(0, 1), read: 512 });
    await until(() => store.pending.length === 1, "the slow read is under way");
    const { data } = await initiator.command({ cdb: read10(0, 64), lun: 1, read: 32_768 });
    await assertSameBytes(data, pattern(32_768));
    assertEquals((await initiator.command({ cdb: inquiry(36), read: 36 })).data.length, 36);
    store.releaseAll();
    assertEquals((await slow.result()).status, ScsiStatus.good);
  });
});

Deno.test("slow reads that end together are all answered", async () => {
  const store = new SlowStore(filledStore());
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const reads = [];
    for (let index = 0; index < 8; index++) {
      reads.push(await initiator.begin({ cdb: read10(index, 1), read: 512 }));
    }
    await until(() => store.pending.length === 8, "all reads are under way");
    store.releaseAll();
    for (const read of reads) assertEquals((await read.result()).status, ScsiStatus.good);
  });
});

Deno.test("a slow read that fails is an error of its own command only", async () => {
  const faulty = new FaultyStore(filledStore());
  faulty.inject({ operation: "read", kind: "readFailed", endBytes: 512 });
  const store = new SlowStore(faulty, { delayMs: 0 });
  await withHarness({ targets: [{ stores: [store] }] }, async (harness) => {
    const initiator = await harness.logIn();
    const good = initiator.command({ cdb: read10(1, 1), read: 512 });
    const bad = await initiator.command({ cdb: read10(0, 8), read: 4096 });
    assertEquals([bad.status, bad.sense?.key, bad.residual], [
      ScsiStatus.checkCondition,
      SenseKey.mediumError,
      -4096,
    ]);
    assertEquals((await good).status, ScsiStatus.good);
    await settle();
  });
});
