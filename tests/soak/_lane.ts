/** A lane: commands of one session to blocks that nothing else touches, one after the other, every byte checked. */
import { blocksOf } from "../crash/_notes.ts";
import { command } from "../crash/_product.ts";
import type { Counter } from "../crash/_world.ts";
import type { Random } from "../support/seeded_random.ts";
import type { Initiator } from "../support/initiator.ts";
import {
  compareAndWrite,
  read16,
  synchronizeCache16,
  verify16,
  write16,
  writeAtomic16,
} from "../support/initiator_cdb.ts";
import type { Command } from "../support/initiator_transfer.ts";
import { unmapCommand } from "../crash/_client.ts";
import type { BlockModel } from "./_block_model.ts";
import type { Tally } from "./_tally.ts";

/** Longest transfers: most are short. */
const BLOCKS_USUAL = 64;
const ATOMIC_BLOCKS_MAX = 128;
const COMPARED_BLOCKS_MAX = 32;

/** Blocks that a lane has for itself. */
export interface Area {
  readonly first: number;
  readonly blocks: number;
}

interface Stretch {
  readonly lba: number;
  readonly blocks: number;
}

/** Commands to an area. */
export class Lane {
  readonly #area: Area;
  readonly #model: BlockModel;
  readonly #random: Random;
  readonly #ids: Counter;
  readonly #tally: Tally;

  constructor(
    area: Area,
    model: BlockModel,
    { random, ids, tally }: { readonly random: Random; readonly ids: Counter; readonly tally: Tally },
  ) {
    this.#area = area;
    this.#model = model;
    this.#random = random;
    this.#ids = ids;
    this.#tally = tally;
  }

  /** Does one command. */
  async step(initiator: Initiator): Promise<void> {
    const random = this.#random;
    switch (random.below(16)) {
      case 0:
        return await this.#send(initiator, "flush", { cdb: synchronizeCache16() });
      case 1:
        return await this.#change(
          initiator,
          "unmap",
          this.#stretch(this.#area.blocks),
          ({ lba, blocks }) => unmapCommand(lba, blocks),
        );
      case 2:
        return await this.#writeAtomically(initiator);
      case 3:
        return await this.#compareAndWrite(initiator);
      case 4:
        return await this.#verify(initiator);
      case 5:
      case 6:
      case 7:
      case 8:
      case 9:
        return await this.#write(initiator);
      default:
        return await this.#read(initiator, this.#stretch());
    }
  }

  /** Reads all of the area. */
  async readAll(initiator: Initiator): Promise<void> {
    await this.#read(initiator, { lba: this.#area.first, blocks: this.#area.blocks });
  }

  #stretch(longest = this.#random.oneIn(20) ? this.#area.blocks : BLOCKS_USUAL): Stretch {
    const blocks = 1 + this.#random.below(Math.min(longest, this.#area.blocks));
    return { lba: this.#area.first + this.#random.below(this.#area.blocks - blocks + 1), blocks };
  }

  async #read(initiator: Initiator, { lba, blocks }: Stretch): Promise<void> {
    const content = await command(initiator, { cdb: read16(lba, blocks), read: blocks * 512 });
    this.#tally.count("read", blocks);
    const fault = this.#model.check(lba, content);
    if (fault !== undefined) throw new Error(`Read other bytes: ${fault}`);
  }

  async #write(initiator: Initiator): Promise<void> {
    const fua = this.#random.oneIn(8);
    await this.#change(
      initiator,
      fua ? "write with FUA" : "write",
      this.#stretch(),
      ({ lba, blocks }, write) => ({
        cdb: write16(lba, blocks, { fua }),
        write,
      }),
    );
  }

  async #writeAtomically(initiator: Initiator): Promise<void> {
    await this.#change(
      initiator,
      "write atomic",
      this.#stretch(ATOMIC_BLOCKS_MAX),
      ({ lba, blocks }, write) => ({
        cdb: writeAtomic16(lba, blocks),
        write,
      }),
    );
  }

  async #compareAndWrite(initiator: Initiator): Promise<void> {
    const stretch = this.#stretch(COMPARED_BLOCKS_MAX);
    const before = this.#contentOf(stretch);
    if (before === undefined) return await this.#read(initiator, stretch);
    await this.#change(initiator, "compare and write", stretch, ({ lba, blocks }, write) => {
      const both = new Uint8Array(write.length * 2);
      both.set(before);
      both.set(write, write.length);
      return { cdb: compareAndWrite(lba, blocks), write: both };
    });
  }

  async #verify(initiator: Initiator): Promise<void> {
    const stretch = this.#stretch();
    const content = this.#contentOf(stretch);
    if (content === undefined) return await this.#read(initiator, stretch);
    const cdb = verify16(stretch.lba, stretch.blocks, { byteCheck: 1 });
    await this.#send(initiator, "verify", { cdb, write: content });
  }

  /** The content of blocks; undefined when it is unknown. */
  #contentOf({ lba, blocks }: Stretch): Uint8Array | undefined {
    const ids = this.#model.known(lba, blocks);
    if (ids === undefined) return undefined;
    const content = new Uint8Array(blocks * 512);
    for (const [index, id] of ids.entries()) {
      if (id !== 0) content.set(blocksOf(id, lba + index, 1), index * 512);
    }
    return content;
  }

  async #send(initiator: Initiator, name: string, request: Command): Promise<void> {
    await command(initiator, request);
    this.#tally.count(name, 0);
  }

  async #change(
    initiator: Initiator,
    name: string,
    stretch: Stretch,
    requestOf: (stretch: Stretch, write: Uint8Array) => Command,
  ): Promise<void> {
    const { lba, blocks } = stretch;
    const id = this.#ids.next();
    const left = name === "unmap" ? 0 : id;
    try {
      await command(initiator, requestOf(stretch, blocksOf(id, lba, blocks)));
    } catch (error) {
      this.#model.doubt(lba, blocks, left);
      throw error;
    }
    this.#model.written(lba, blocks, left);
    this.#tally.count(name, blocks);
  }
}
