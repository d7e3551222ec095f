/** Atomic commands, through the whole node and from many sessions at once. */
import { assert, assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import type { BlockStore } from "../../../lib/store/block_store.ts";
import { incrementCounter, readCounter } from "../../support/counters.ts";
import type { Initiator } from "../../support/initiator.ts";
import {
  compareAndWrite,
  read16,
  testUnitReady,
  write16,
  writeAtomic16,
} from "../../support/initiator_cdb.ts";
import { Opcode } from "../../support/initiator_pdu.ts";
import { dataOut, scsiCommand, TaskManagement } from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { type Harness, nameOf, withHarness } from "../../support/harness.ts";
import { settle, until } from "../../support/until.ts";
import { contentOf } from "../../support/content.ts";
import { numbered } from "../../support/exchanges.ts";

const BLOCK = 512;
const SIZE = 4 * 1024 * 1024;

/** Sessions of as many initiator ports, whose data comes in small pieces. */
function logInAll(harness: Harness, count: number): Promise<Initiator[]> {
  const ports = Array.from({ length: count }, (_, port) => Uint8Array.of(0x80, 0, 0, 0, 1, port));
  const keys = {
    MaxRecvDataSegmentLength: "8192",
    InitialR2T: "Yes",
    ImmediateData: "No",
    MaxBurstLength: "8192",
  };
  return Promise.all(ports.map((isid) => harness.logIn({ isid, keys })));
}

/** Runs a test on a medium that answers at once, and on one that never does. */
async function withEitherMedium(test: (harness: Harness, inner: BlockStore) => Promise<void>): Promise<void> {
  for (const isSlow of [false, true]) {
    const inner = new MemoryStore({ sizeBytes: SIZE });
    const store = isSlow ? new SlowStore(inner, { delayMs: 0 }) : inner;
    await withHarness({ targets: [{ stores: [store] }] }, (harness) => test(harness, inner));
  }
}

Deno.test("eight sessions that increment a number by COMPARE AND WRITE lose no increment", () =>
  withEitherMedium(async (harness) => {
    const initiators = await logInAll(harness, 8);
    const attempts = await Promise.all(initiators.map(async (initiator) => {
      let sum = 0;
      for (let count = 0; count < 8; count++) sum += (await incrementCounter(initiator, 3)).attempts;
      return sum;
    }));
    assertEquals(await readCounter(initiators[0]!, 3), 64);
    assert(attempts.some((sum) => sum > 8), "they got in each other's way");
  }));

Deno.test("every read sees all of an atomic write or none of it, in however many pieces it comes", () =>
  withEitherMedium(async (harness, inner) => {
    const blocks = 200;
    const [reader, otherReader, writer, otherWriter] = await logInAll(harness, 4);
    let isOver = false;
    const write = async (initiator: Initiator, first: number): Promise<void> => {
      for (let round = 0; round < 12; round++) {
        const data = new Uint8Array(blocks * BLOCK).fill(first + round);
        const { status } = await initiator.command({ cdb: writeAtomic16(1, blocks), write: data });
        assertEquals(status, ScsiStatus.good);
      }
    };
    const seen = new Set<number>();
    const read = async (initiator: Initiator): Promise<void> => {
      while (!isOver) {
        const { data } = await initiator.command({ cdb: read16(1, blocks), read: blocks * BLOCK });
        assert(data.every((byte) => byte === data[0]), "a read is torn");
        seen.add(data[0]!);
      }
    };
    const reads = [reader!, otherReader!].map(read);
    const writes = [write(writer!, 1), write(otherWriter!, 101)];
    const ends = await Promise.allSettled(writes);
    isOver = true;
    for (const end of [...ends, ...await Promise.allSettled(reads)]) {
      if (end.status === "rejected") throw end.reason;
    }
    assert(seen.size > 1, "reads and writes went on at the same time");
    const last = contentOf(inner, BLOCK, blocks * BLOCK);
    assert(last.every((byte) => byte === last[0]));
  }));

Deno.test("a write that comes in pieces is before or after an atomic write, and never both", () =>
  withEitherMedium(async (harness, inner) => {
    const blocks = 64;
    const [plain, atomic] = await logInAll(harness, 2);
    for (let round = 0; round < 10; round++) {
      const [ours, theirs] = [1, 2].map((value) => new Uint8Array(blocks * BLOCK).fill(value));
      await Promise.all([
        plain!.command({ cdb: write16(0, blocks), write: ours! }),
        atomic!.command({ cdb: writeAtomic16(0, blocks), write: theirs! }),
      ]);
      const now = contentOf(inner, 0, blocks * BLOCK);
      assert(now.every((byte) => byte === now[0]), "the two are mixed");
    }
  }));

/** Begins a WRITE of two blocks of which only the first comes. Returns what answers the R2T for the other. */
async function stall(initiator: Initiator): Promise<() => Promise<void>> {
  const request = numbered(initiator);
  await initiator.send(scsiCommand({
    ...request,
    isFinal: true,
    reads: false,
    writes: true,
    lun: 0,
    expectedLength: 2 * BLOCK,
    cdb: write16(0, 2),
    data: new Uint8Array(BLOCK).fill(1),
  }));
  const r2t = await initiator.receive();
  assertEquals(r2t.opcode, Opcode.readyToTransfer);
  return () =>
    initiator.send(dataOut({
      isFinal: true,
      lun: 0,
      initiatorTaskTag: request.initiatorTaskTag,
      targetTransferTag: r2t.targetTransferTag,
      expStatSn: initiator.expStatSn,
      dataSn: 0,
      bufferOffset: BLOCK,
      data: new Uint8Array(BLOCK).fill(1),
    }));
}

Deno.test("a COMPARE AND WRITE that waits for a stalled write can be aborted, and then does nothing", async () => {
  const inner = new MemoryStore({ sizeBytes: SIZE });
  await withHarness({ targets: [{ stores: [inner] }] }, async (harness) => {
    const stalled = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 2, 0) });
    const waiting = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 2, 1) });
    const resume = await stall(stalled);
    const both = new Uint8Array(2 * BLOCK);
    both.fill(9, BLOCK);
    const aborted = await waiting.begin({ cdb: compareAndWrite(1, 1), write: both });
    await settle();
    aborted.forget();
    assertEquals(
      await waiting.taskManagement(TaskManagement.abortTask, {
        referencedTaskTag: aborted.initiatorTaskTag,
        refCmdSn: aborted.cmdSn,
      }),
      0,
    );
    await resume();
    assertEquals((await stalled.receive()).opcode, Opcode.scsiResponse);
    await settle();
    assertEquals(contentOf(inner, BLOCK, 1)[0], 1);
  });
});

Deno.test("a read that waits for its turn, and whose unwanted data never comes, leaves no hold behind", async () => {
  const inner = new MemoryStore({ sizeBytes: SIZE });
  await withHarness({ targets: [{ stores: [inner] }] }, async (harness) => {
    const stalled = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 2, 0) });
    const waiting = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 2, 1) });
    const reading = harness.open();
    await reading.initiator.login({ targetName: nameOf(), isid: Uint8Array.of(0x80, 0, 0, 0, 2, 2) });
    await reading.initiator.command({ cdb: testUnitReady() });
    const resume = await stall(stalled);
    const written = waiting.command({ cdb: compareAndWrite(1, 1), write: new Uint8Array(2 * BLOCK) });
    await settle();
    const read = {
      isFinal: false,
      reads: true,
      writes: true,
      lun: 0,
      expectedLength: BLOCK,
      cdb: read16(0, 2),
    };
    await reading.initiator.send(scsiCommand({ ...numbered(reading.initiator), ...read }));
    await settle();
    await reading.initiator.close();
    await reading.served;
    await resume();
    await stalled.receive();
    await written;
    await settle();
    const [unit] = harness.units.get("disk")!;
    assertEquals(unit!.ranges.isIdle, true);
  });
});

Deno.test("a COMPARE AND WRITE goes on when the write that it waits for is aborted, or its session lost", async () => {
  for (const ending of ["reset", "lost"] as const) {
    await withHarness({}, async (harness) => {
      const stalled = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 2, 0) });
      const waiting = await harness.logIn({ isid: Uint8Array.of(0x80, 0, 0, 0, 2, 1) });
      await stall(stalled);
      const both = new Uint8Array(2 * BLOCK);
      both.fill(9, BLOCK);
      const pending = await waiting.begin({ cdb: compareAndWrite(1, 1), write: both });
      let isDone = false;
      const result = pending.result().finally(() => isDone = true);
      await settle();
      assertEquals(isDone, false);
      if (ending === "lost") await stalled.close();
      else {
        const reset = stalled.taskManagement(TaskManagement.abortTaskSet, { lun: 0 });
        await settle();
        // The initiator owes the rest of the data, and does not send it.
        harness.clock.advance(Limits.owedMs);
        assertEquals(await reset, 0);
      }
      await until(() => isDone, "the command has ended");
      assertEquals((await result).status, ScsiStatus.good);
    });
  }
});
