/** An initiator that notes its requests and their answers. */
import { writeUint16, writeUint32, writeUint64 } from "../../lib/bytes/big_endian.ts";
import type { Initiator } from "../support/initiator.ts";
import { compareAndWrite, synchronizeCache16, write16, writeAtomic16 } from "../support/initiator_cdb.ts";
import type { Command } from "../support/initiator_transfer.ts";
import { blocksOf, type Note } from "./_notes.ts";
import { command, readReservations } from "./_product.ts";
import type { Counter } from "./_world.ts";

/** Blocks of a LUN. */
export interface Stretch {
  readonly lun?: number;
  readonly lba: number;
  readonly blocks: number;
}

/** Service actions of PERSISTENT RESERVE OUT (SPC-4, 6.16.2). */
const ACTIONS = {
  register: 0,
  reserve: 1,
  release: 2,
  clear: 3,
  preempt: 4,
  preemptAndAbort: 5,
  registerAndIgnore: 6,
} as const;

/** A service action of PERSISTENT RESERVE OUT. */
export type ReserveAction = keyof typeof ACTIONS;

/** The parameters of PERSISTENT RESERVE OUT besides its service action; keys are 16 hexadecimal digits. */
export interface ReserveOut {
  readonly key?: string;
  /** The new key, or the one to preempt. */
  readonly otherKey?: string;
  readonly lun?: number;
  /** The reservation afterwards, if known. */
  readonly leadsTo?: string;
}

/** The type of every reservation here: Exclusive Access - Registrants Only. */
export const EXCLUSIVE_REGISTRANTS = 6;
const APTPL = 0x01;

/** The commands that erase a LUN. */
const ERASING = {
  sanitize: Uint8Array.of(0x48, 0x02, 0, 0, 0, 0, 0, 0, 0, 0),
  formatUnit: Uint8Array.of(0x04, 0, 0, 0, 0, 0),
} as const;

/** Returns UNMAP of consecutive blocks (SBC-3, 5.32). */
export function unmapCommand(lba: number, blocks: number): Command {
  const list = new Uint8Array(24);
  writeUint16(list, 0, 22);
  writeUint16(list, 2, 16);
  writeUint64(list, 8, lba);
  writeUint32(list, 16, blocks);
  return { cdb: Uint8Array.of(0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0), write: list };
}

/** An initiator that notes. */
export class Client {
  readonly #initiator: Initiator;
  readonly #note: (note: Note) => void;
  readonly #ids: Counter;

  constructor(initiator: Initiator, note: (note: Note) => void, ids: Counter) {
    this.#initiator = initiator;
    this.#note = note;
    this.#ids = ids;
  }

  /** Writes blocks; what is acknowledged is in the cache. */
  write(stretch: Stretch): Promise<number> {
    return this.#change(stretch, "write", (write) => ({ cdb: write16(stretch.lba, stretch.blocks), write }));
  }

  /** Writes blocks with FUA; what is acknowledged is durable. */
  writeDurably(stretch: Stretch): Promise<number> {
    const cdb = write16(stretch.lba, stretch.blocks, { fua: true });
    return this.#change(stretch, "durable", (write) => ({ cdb, write }));
  }

  /** Writes blocks by WRITE ATOMIC. */
  writeAtomically(stretch: Stretch): Promise<number> {
    return this.#change(
      stretch,
      "atomic",
      (write) => ({ cdb: writeAtomic16(stretch.lba, stretch.blocks), write }),
    );
  }

  /** Writes blocks by COMPARE AND WRITE over those of an earlier write of the same blocks; 0 for zeros. */
  compareAndWrite(stretch: Stretch, before: number): Promise<number> {
    const { lba, blocks } = stretch;
    return this.#change(stretch, "atomic", (write) => {
      const both = new Uint8Array(write.length * 2);
      if (before !== 0) both.set(blocksOf(before, lba, blocks));
      both.set(write, write.length);
      return { cdb: compareAndWrite(lba, blocks), write: both };
    });
  }

  /** Unmaps blocks; what is acknowledged reads as zeros. */
  unmap(stretch: Stretch): Promise<number> {
    return this.#change(stretch, "unmap", () => unmapCommand(stretch.lba, stretch.blocks));
  }

  /** Makes durable what was acknowledged. */
  async flush(lun = 0): Promise<void> {
    const id = this.#ids.next();
    this.#note({ kind: "flushing", id, lun });
    await command(this.#initiator, { cdb: synchronizeCache16(), lun });
    this.#note({ kind: "flushed", id });
  }

  /** Erases LUN 0, of this many blocks, by SANITIZE with BLOCK ERASE, or by FORMAT UNIT. */
  async erase(blocks: number, by: keyof typeof ERASING): Promise<void> {
    const cdb = ERASING[by];
    await this.#change({ lun: 0, lba: 0, blocks }, "erase", () => ({ cdb }));
    this.#note({ kind: "erased", lun: 0 });
  }

  /** Sends PERSISTENT RESERVE OUT with APTPL, and notes what is reserved then. */
  async reserveOut(
    action: ReserveAction,
    { key = "", otherKey = "", lun = 0, leadsTo }: ReserveOut,
  ): Promise<string> {
    const list = new Uint8Array(24);
    list.set(Uint8Array.fromHex(key), 0);
    list.set(Uint8Array.fromHex(otherKey), 8);
    if (action === "register" || action === "registerAndIgnore") list[20] = APTPL;
    const id = this.#ids.next();
    const cdb = Uint8Array.of(0x5f, ACTIONS[action], EXCLUSIVE_REGISTRANTS, 0, 0, 0, 0, 0, list.length, 0);
    this.#note({ kind: "reserving", id, lun, ...(leadsTo === undefined ? {} : { leadsTo }) });
    await command(this.#initiator, { cdb, lun, write: list });
    const state = await readReservations(this.#initiator, lun);
    this.#note({ kind: "reserved", id, lun, state });
    return state;
  }

  async #change(
    { lun = 0, lba, blocks }: Stretch,
    how: (Note & { readonly kind: "writing" })["how"],
    requestOf: (write: Uint8Array) => Command,
  ): Promise<number> {
    const id = this.#ids.next();
    const request = requestOf(blocksOf(id, lba, blocks));
    this.#note({ kind: "writing", id, lun, lba, blocks, how });
    await command(this.#initiator, { lun, ...request });
    this.#note({ kind: "written", id });
    return id;
  }
}
