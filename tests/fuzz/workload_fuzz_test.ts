/**
 * Good initiators with everything under way at once, over one connection or several of a session, over media that
 * finish in any order: every command ends, and what is read is what was written.
 *
 * `FUZZ_RUNS` makes it longer, `FUZZ_SEED` repeats a run that failed (with `FUZZ_RUNS=1`).
 */
import { assertEquals, assertRejects } from "@std/assert";
import type { Initiator } from "../support/initiator.ts";
import { read10, synchronizeCache10, testUnitReady, write10 } from "../support/initiator_cdb.ts";
import { Rejected } from "../support/initiator_dispatcher.ts";
import { TaskManagement, textRequest } from "../support/initiator_request.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { SlowStore } from "../support/slow_store.ts";
import { withHarness } from "../support/harness.ts";
import { numberFromEnvironment, Random } from "../support/seeded_random.ts";
import { nextTurn, settle } from "../support/until.ts";
import { assertSameBytes, contentOf, pattern } from "../support/content.ts";
import { numbered } from "../support/exchanges.ts";

const SEED = numberFromEnvironment("FUZZ_SEED", 5048);
const RUNS = numberFromEnvironment("FUZZ_RUNS", 8);

const SIZE = 1024 * 1024;
const YES_NO = ["Yes", "No"] as const;

/** Blocks in the region of one stream of commands, which knows their content. */
const REGION_BLOCKS = 64;

function randomKeys(random: Random): Record<string, string> {
  const burst = 512 * (1 + random.below(40));
  return {
    InitialR2T: random.pick(YES_NO),
    ImmediateData: random.pick(YES_NO),
    MaxBurstLength: `${burst}`,
    FirstBurstLength: `${512 + random.below(burst - 511)}`,
    MaxOutstandingR2T: `${1 + random.below(8)}`,
    MaxRecvDataSegmentLength: `${512 + random.below(10_000)}`,
  };
}

/** A request that is rejected, and what fills its gap (RFC 7143, 7.3): whatever others have sent meanwhile waits. */
async function runRejected(initiator: Initiator, random: Random): Promise<void> {
  const { initiatorTaskTag, cmdSn, ...fields } = numbered(initiator);
  const request = textRequest({ ...fields, initiatorTaskTag, cmdSn, isFinal: true, isContinued: true });
  await assertRejects(() => initiator.exchange(initiatorTaskTag, request), Rejected);
  if (random.oneIn(2)) {
    const { status } = await initiator.command({ cdb: testUnitReady(), cmdSn });
    return assertEquals(status, ScsiStatus.good);
  }
  const task = { referencedTaskTag: initiatorTaskTag, refCmdSn: cmdSn };
  assertEquals(await initiator.taskManagement(TaskManagement.abortTask, task), 0);
}

/** Commands one after the other in a region of their own. */
async function runStream(
  initiator: Initiator,
  random: Random,
  store: MemoryStore,
  region: number,
): Promise<void> {
  const start = region * REGION_BLOCKS;
  for (let round = 0; round < 6; round++) {
    const blocks = 1 + random.below(REGION_BLOCKS);
    const lba = start + random.below(REGION_BLOCKS - blocks + 1);
    switch (random.below(6)) {
      case 0: {
        const { status } = await initiator.command({ cdb: synchronizeCache10() });
        assertEquals(status, ScsiStatus.good);
        break;
      }
      case 1: {
        const length = random.below(20_000);
        await initiator.nop(pattern(length));
        break;
      }
      case 2:
        await runRejected(initiator, random);
        break;
      case 3: {
        const before = contentOf(store, lba * 512, blocks * 512);
        const { data, status } = await initiator.command({ cdb: read10(lba, blocks), read: blocks * 512 });
        assertEquals(status, ScsiStatus.good);
        await assertSameBytes(data, before);
        break;
      }
      default: {
        const write = pattern(blocks * 512, random.below(1000));
        const { status, residual } = await initiator.command({ cdb: write10(lba, blocks), write });
        assertEquals([status, residual], [ScsiStatus.good, 0]);
        await assertSameBytes(contentOf(store, lba * 512, write.length), write);
      }
    }
  }
}

/** A command that is aborted, at whatever point of its life. */
async function runAborted(initiator: Initiator, random: Random, region: number): Promise<void> {
  const lba = region * REGION_BLOCKS;
  const command = random.oneIn(2)
    ? { cdb: read10(lba, REGION_BLOCKS), read: REGION_BLOCKS * 512 }
    : { cdb: write10(lba, REGION_BLOCKS), write: pattern(REGION_BLOCKS * 512) };
  const { initiatorTaskTag, cmdSn } = await initiator.begin(command);
  for (let count = random.below(3); count > 0; count--) await settle();
  const options = { referencedTaskTag: initiatorTaskTag, refCmdSn: cmdSn };
  const response = await initiator.taskManagement(TaskManagement.abortTask, options);
  assertEquals(response === 0 || response === 1, true, `ABORT TASK is answered ${response}`);
}

/** Executes the work of a slow medium in random order, until none is requested. */
async function finishWork(store: SlowStore, random: Random, isOver: () => boolean): Promise<void> {
  for (let round = 0; round < 100_000 && !isOver(); round++) {
    for (let count = random.below(8); count > 0 && store.pending.length > 0; count--) {
      store.release(random.below(store.pending.length));
    }
    await nextTurn();
  }
  store.releaseAll();
}

async function fuzz(seed: number): Promise<void> {
  const random = new Random(seed);
  const inner = new MemoryStore({ sizeBytes: SIZE });
  const slow = new SlowStore(inner);
  const isSlow = random.oneIn(2);
  await withHarness({ targets: [{ stores: [isSlow ? slow : inner] }] }, async (harness) => {
    const pipe = { capacityBytes: 100 + random.below(50_000), firstCmdSn: random.uint32() };
    const keys = randomKeys(random);
    const { initiators } = await harness.logInSession(random.pick([1, 2, 8]), { keys, connect: pipe });
    const streams: Promise<void>[] = [];
    for (let region = 0; region < 16; region++) {
      const own = new Random(random.uint32());
      const initiator = own.pick(initiators);
      streams.push(
        region < 12 ? runStream(initiator, own, inner, region) : runAborted(initiator, own, region),
      );
    }
    let isOver = false;
    const all = Promise.all(streams).finally(() => isOver = true);
    await Promise.all([all, finishWork(slow, random, () => isOver)]);
    assertEquals(await random.pick(initiators).logout(), 0);
  });
}

Deno.test("whatever good initiators have under way, everything ends well", async () => {
  for (let index = 0; index < RUNS; index++) {
    const seed = (SEED + index) >>> 0;
    try {
      await fuzz(seed);
    } catch (cause) {
      throw new Error(`Failed with FUZZ_SEED=${seed} FUZZ_RUNS=1: ${cause}`, { cause });
    }
  }
});
