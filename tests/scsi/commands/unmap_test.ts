import { assertEquals } from "@std/assert";
import { writeUint16, writeUint32, writeUint64 } from "../../../lib/bytes/big_endian.ts";
import type { Nexus } from "../../../lib/scsi/nexus.ts";
import { FaultyStore } from "../../support/faulty_store.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import {
  assertFieldRefused,
  assertParameterRefused,
  blocksCdb,
  cdb,
  complete,
  makeTarget,
  makeUnit,
  openReadyNexus,
  openUnit,
  type Result,
  run,
} from "../fixture.ts";

/** Makes a parameter list, with the right lengths by default. */
function listOf(
  descriptors: readonly (readonly [lba: number, blocks: number])[],
  descriptorBytes?: number,
): Uint8Array {
  const list = new Uint8Array(8 + descriptors.length * 16);
  writeUint16(list, 0, list.length - 2);
  writeUint16(list, 2, descriptorBytes ?? list.length - 8);
  for (const [index, [lba, blocks]] of descriptors.entries()) {
    writeUint64(list, 8 + index * 16, lba);
    writeUint32(list, 16 + index * 16, blocks);
  }
  return list;
}

function unmapCdb(length: number): Uint8Array {
  const block = cdb("42");
  writeUint16(block, 7, length);
  return block;
}

function unmap(nexus: Nexus, list: Uint8Array): Promise<Result> {
  return run(nexus, unmapCdb(list.length), { dataOut: list });
}

/** Opens a unit of 1 MiB, every byte of which is A5h. */
function fullStore(canUnmap = true): MemoryStore {
  const store = new MemoryStore({ sizeBytes: 1024 * 1024, canUnmap });
  store.writeNow(0, new Uint8Array(store.sizeBytes).fill(0xa5));
  return store;
}

/** Returns the blocks of a store that are all zero. */
function zeroBlocks(store: MemoryStore): number[] {
  const content = new Uint8Array(store.sizeBytes);
  store.readNow(0, content);
  const blocks = Array.from(
    { length: store.sizeBytes / 512 },
    (_, lba) => content.subarray(lba * 512, lba * 512 + 512),
  );
  return [...blocks.entries()].filter(([, block]) => block.every((byte) => byte === 0)).map(([lba]) => lba);
}

Deno.test("UNMAP makes blocks zero, in any order and overlapping", async () => {
  for (const canUnmap of [true, false]) {
    const store = fullStore(canUnmap);
    const nexus = openUnit({ store });
    assertEquals((await unmap(nexus, listOf([[40, 2], [7, 1], [41, 2], [2047, 1], [9, 0]]))).outcome, "good");
    assertEquals(zeroBlocks(store), [7, 40, 41, 42, 2047]);
    assertEquals(nexus.traffic().figures().unmappedBytes, 6 * 512);
  }
});

Deno.test("UNMAP of nothing is no error", async () => {
  const store = fullStore();
  const nexus = openUnit({ store });
  assertEquals((await run(nexus, unmapCdb(0))).outcome, "good");
  assertEquals((await unmap(nexus, listOf([]))).outcome, "good");
  assertEquals((await unmap(nexus, listOf([[2048, 0]]))).outcome, "good");
  assertEquals(zeroBlocks(store), []);
});

Deno.test("UNMAP refuses a list without a header, and accepts a truncated one", async () => {
  const store = fullStore();
  const nexus = openUnit({ store });
  for (let length = 1; length < 8; length++) {
    assertEquals((await run(nexus, unmapCdb(length))).outcome, "parameterListLengthError");
  }
  const cut = listOf([[1, 1], [3, 1]]).subarray(0, 8 + 16 + 15);
  assertEquals((await unmap(nexus, cut)).outcome, "good");
  assertEquals((await unmap(nexus, listOf([[5, 1], [7, 1]], 16))).outcome, "good");
  const contradictory = listOf([[9, 1]]);
  contradictory[1]!--;
  assertParameterRefused(await unmap(nexus, contradictory), 0);
  assertEquals(zeroBlocks(store), [1, 5]);
});

Deno.test("UNMAP unmaps nothing unless all of it can be", async () => {
  const store = fullStore();
  const nexus = openUnit({ store });
  const outcomeOf = async (list: Uint8Array): Promise<string> => (await unmap(nexus, list)).outcome;
  assertEquals(await outcomeOf(listOf([[0, 1], [2048, 1]])), "logicalBlockAddressOutOfRange");
  assertEquals(await outcomeOf(listOf([[0, 1], [2047, 2]])), "logicalBlockAddressOutOfRange");
  assertEquals(await outcomeOf(listOf([[0, 1], [2 ** 63, 1]])), "logicalBlockAddressOutOfRange");
  assertParameterRefused(await unmap(nexus, listOf(Array.from({ length: 1025 }, () => [0, 1] as const))), 2);
  // The number of blocks of the descriptor with which they are too many.
  const pastLimit = listOf(Array.from({ length: 513 }, () => [0, 2048] as const));
  assertParameterRefused(await unmap(nexus, pastLimit), 8 + 512 * 16 + 8);
  assertFieldRefused(await run(nexus, Uint8Array.of(0x42, 0x01, ...new Uint8Array(14))), 1, 0);
  assertEquals(zeroBlocks(store), []);
  assertEquals(await outcomeOf(listOf(Array.from({ length: 512 }, () => [0, 2048] as const))), "good");
  assertEquals(store.pageCount, 0);
});

Deno.test("UNMAP answers when the blocks are zero, and not before", async () => {
  const store = fullStore();
  const slow = new SlowStore(store);
  const nexus = openUnit({ store: slow });
  const list = listOf([[0, 8]]);
  let outcome: string | undefined;
  const ended = unmap(nexus, list).then((result) => outcome = result.outcome);
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  assertEquals([outcome, slow.pending.map(({ operation }) => operation)], [undefined, ["unmap"]]);
  slow.release();
  await ended;
  assertEquals([outcome, zeroBlocks(store).length], ["good", 8]);
});

Deno.test("UNMAP that fails reports the reason, and the unit keeps working", async () => {
  const store = new FaultyStore(fullStore());
  const nexus = openUnit({ store });
  store.inject({ operation: "unmap", kind: "outOfSpace" });
  assertEquals((await unmap(nexus, listOf([[0, 8]]))).outcome, "spaceAllocationFailedWriteProtect");
  assertEquals((await complete(nexus.execute(0, blocksCdb("READ(10)", {})))).outcome, "good");
  store.heal();
  assertEquals((await unmap(nexus, listOf([[0, 8]]))).outcome, "good");
});

Deno.test("UNMAP of many ranges does not make a COMPARE AND WRITE give up that waits for one of them", async () => {
  const store = new SlowStore(fullStore());
  const unit = makeUnit({ store });
  const [writer, other] = [openReadyNexus(makeTarget(unit)), openReadyNexus(makeTarget(unit))];
  const reading = complete(other.execute(0, blocksCdb("READ(10)", { blocks: 2048 })));
  const compared = run(writer, blocksCdb("COMPARE AND WRITE", { lba: 0, blocks: 1 }), {
    dataOut: new Uint8Array(1024).fill(0xa5),
  });
  const unmapped = unmap(other, listOf(Array.from({ length: 1024 }, () => [0, 1] as const)));
  let isOver = false;
  const over = Promise.all([reading, unmapped, compared]).then(() => isOver = true);
  for (let turn = 0; turn < 100_000 && !isOver; turn++) {
    store.releaseAll();
    await Promise.resolve();
  }
  await over;
  const { outcome } = await compared;
  assertEquals(outcome === "good" || outcome === "miscompareDuringVerifyOperation", true, outcome);
});
