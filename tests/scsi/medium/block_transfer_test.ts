import { assert, assertEquals } from "@std/assert";
import type { DataIn, DataOut, Operation } from "../../../lib/scsi/outcome/operation.ts";
import { GOOD } from "../../../lib/scsi/outcome/outcome.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { blocksCdb, cdb, makeTarget, makeUnit, openReadyNexus } from "../fixture.ts";
import { numberFromEnvironment, seededRandom } from "../../support/seeded_random.ts";

const BLOCK = 512;

/** From 0 to below a limit. */
type Random = (below: number) => number;

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

/** A store that declines every other time to act at once, and then takes any number of turns. */
class FickleStore extends MemoryStore {
  readonly #random: Random;

  constructor(random: Random) {
    super({ sizeBytes: 64 * BLOCK });
    this.#random = random;
  }

  override readNow(offset: number, into: Uint8Array): boolean {
    return this.#random(2) === 0 && super.readNow(offset, into);
  }

  override writeNow(offset: number, from: Uint8Array): boolean {
    return this.#random(2) === 0 && super.writeNow(offset, from);
  }

  override async read(offset: number, into: Uint8Array): Promise<void> {
    await turns(this.#random(12));
    super.readNow(offset, into);
  }

  override async write(offset: number, from: Uint8Array): Promise<void> {
    await turns(this.#random(12));
    super.writeNow(offset, from);
    await turns(this.#random(5));
  }
}

/** Moves the data of a command block by block, and what it becomes then; now and then it is aborted in between. */
async function carryOut(operation: Operation, random: Random): Promise<void> {
  switch (operation.kind) {
    case "finished":
      return;
    case "later":
      return carryOut(await operation.operation, random);
    case "dataIn":
      return await takeBlocks(operation, random);
    case "dataOut":
      return await giveBlocks(operation, random);
  }
}

async function takeBlocks(operation: DataIn, random: Random): Promise<void> {
  for (let offset = 0; offset < operation.lengthBytes; offset += BLOCK) {
    if (random(16) === 0) return operation.end?.();
    const into = new Uint8Array(BLOCK);
    if (operation.readNow(offset, into) === undefined) await operation.read(offset, into);
    await turns(random(8));
  }
}

async function giveBlocks(operation: DataOut, random: Random): Promise<void> {
  const underWay: Promise<unknown>[] = [];
  for (let offset = 0; offset < operation.lengthBytes; offset += BLOCK) {
    if (random(16) === 0) {
      operation.end?.();
      return void await Promise.all(underWay);
    }
    const from = new Uint8Array(BLOCK);
    if (operation.writeNow(offset, from) === undefined) underWay.push(operation.write(offset, from));
    await turns(random(8));
  }
  await Promise.all(underWay);
  await carryOut(operation.finish(operation.lengthBytes), random);
}

Deno.test("BlockTransfer takes and releases one hold when a piece arrives as its range becomes free", async () => {
  const unit = makeUnit();
  const nexus = openReadyNexus(makeTarget(unit));
  const uninterrupted = await unit.ranges.lock(0, BLOCK).hold;
  const write = nexus.execute(0, blocksCdb("WRITE(10)", { blocks: 2 })) as DataOut;
  const piece = new Uint8Array(BLOCK);
  assertEquals(write.writeNow(0, piece), undefined);
  const first = write.write(0, piece);
  assertEquals(write.writeNow(BLOCK, piece), undefined, "nor before its turn");
  unit.ranges.release(uninterrupted!);
  // The waiting transfer has the range, but its promise has not resolved yet.
  const second = write.writeNow(BLOCK, piece) ?? write.write(BLOCK, piece);
  assertEquals(await Promise.all([first, second]), [GOOD, GOOD]);
  assertEquals(write.finish(2 * BLOCK).kind, "finished");
  assert(unit.ranges.isIdle);
});

Deno.test("BlockTransfer that ends early holds its range until the medium has moved its piece", async () => {
  const slow = new SlowStore(new MemoryStore({ sizeBytes: 64 * BLOCK }));
  const unit = makeUnit({ store: slow });
  const nexus = openReadyNexus(makeTarget(unit));
  const write = nexus.execute(0, blocksCdb("WRITE(10)", { blocks: 2 })) as DataOut;
  const piece = write.write(0, new Uint8Array(BLOCK));
  write.end!();
  let isFree = false;
  const uninterrupted = unit.ranges.lock(0, BLOCK).hold.then((hold) => {
    isFree = true;
    return hold;
  });
  await turns(20);
  assertEquals([isFree, slow.pending.length], [false, 1]);
  slow.releaseAll();
  assertEquals(await piece, GOOD);
  unit.ranges.release((await uninterrupted)!);
  assert(unit.ranges.isIdle);
});

Deno.test("BlockTransfer leaves no hold behind, however commands meet, wait and end (seeded)", async () => {
  const seed = numberFromEnvironment("FUZZ_SEED", 20070101);
  const random: Random = seededRandom(seed);
  for (let round = 0; round < 300; round++) {
    const unit = makeUnit({ store: new FickleStore(random) });
    const nexus = openReadyNexus(makeTarget(unit));
    const commands = Array.from({ length: 8 }, async () => {
      await turns(random(100));
      const [lba, blocks] = [random(6), 1 + random(4)];
      const name = ["READ(10)", "WRITE(10)", "WRITE AND VERIFY(10)", "WRITE ATOMIC(16)"][random(5)];
      // COMPARE AND WRITE of one block.
      const compare = cdb(`89 00 00 00 00 00 00 00 00 0${lba} 00 00 00 01`);
      const block = name === undefined ? compare : blocksCdb(name, { lba, blocks });
      await carryOut(nexus.execute(0, block), random);
    });
    let areOver = false;
    Promise.all(commands).then(() => areOver = true);
    for (let turn = 0; turn < 100 && !areOver; turn++) await turns(100);
    assert(areOver && unit.ranges.isIdle, `seed ${seed}, round ${round}`);
  }
});

Deno.test("blocksOthers() is true while another command waits for an exclusive hold", async () => {
  const unit = makeUnit();
  const nexus = openReadyNexus(makeTarget(unit));
  for (const [name, direction] of [["READ(10)", "dataIn"], ["WRITE(10)", "dataOut"]] as const) {
    const transfer = nexus.execute(0, blocksCdb(name, { lba: 8, blocks: 2 })) as DataIn | DataOut;
    assertEquals([transfer.kind, transfer.blocksOthers!()], [direction, false]);
    const piece = new Uint8Array(BLOCK);
    if (transfer.kind === "dataIn") transfer.readNow(0, piece);
    else transfer.writeNow(0, piece);
    assertEquals(transfer.blocksOthers!(), false, "nobody waits");
    const elsewhere = unit.ranges.lock(10 * BLOCK, BLOCK);
    assertEquals(transfer.blocksOthers!(), false, "nobody waits for these");
    const here = unit.ranges.lock(9 * BLOCK, BLOCK);
    assertEquals(transfer.blocksOthers!(), true);
    transfer.end!();
    assertEquals(transfer.blocksOthers!(), false);
    for (const { hold } of [elsewhere, here]) unit.ranges.release((await hold)!);
  }
  assertEquals(unit.ranges.isIdle, true);
});
