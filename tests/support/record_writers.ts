/**
 * Initiators that write numbered records with all kinds of commands, and a verifier of copies: a copy must be the disk
 * as it was at one point of the order in which the commands were sent and acknowledged.
 */
import { writeUint16, writeUint32, writeUint64 } from "../../lib/bytes/big_endian.ts";
import { crc32c } from "../../lib/bytes/crc32c.ts";
import type { Initiator } from "./initiator.ts";
import { compareAndWrite, write10, write16, writeAtomic16 } from "./initiator_cdb.ts";
import { ScsiStatus } from "./initiator_sense.ts";
import type { Random } from "./seeded_random.ts";

const BLOCK_BYTES = 512;

/** Blocks of a slot: each command of a writer replaces all of one slot. */
const SLOT_BLOCKS = 8;

/** Milliseconds of a command on a busy disk. */
const TIME_LIMIT_MS = 60_000;

/** Bytes of a slot. */
export const SLOT_BYTES = SLOT_BLOCKS * BLOCK_BYTES;

/** The order of everything that is sent and acknowledged. */
export class History {
  #moment = 0;

  /** Returns the next moment. */
  next(): number {
    return ++this.#moment;
  }
}

/** A command of a writer. */
interface Change {
  readonly slot: number;
  /** The number of the record; 0 for zeros. */
  readonly record: number;
  readonly sentAt: number;
  acknowledgedAt: number;
}

type Kind = "write10" | "write16" | "atomic" | "compareAndWrite" | "writeSame" | "zeros" | "unmap";

const KINDS: readonly Kind[] = [
  ...["write10", "write10", "write16", "atomic", "compareAndWrite", "writeSame", "zeros", "unmap"] as const,
];

/** An initiator that writes into its own slots, one command at a time. */
export class RecordWriter {
  readonly #initiator: Initiator;
  readonly #history: History;
  readonly #random: Random;
  readonly #number: number;
  readonly #firstSlot: number;
  readonly #changes: Change[] = [];
  readonly #content: Uint8Array[];
  #isStopped = false;

  constructor(
    initiator: Initiator,
    options: { history: History; random: Random; number: number; firstSlot: number; slots: number },
  ) {
    this.#initiator = initiator;
    this.#history = options.history;
    this.#random = options.random;
    this.#number = options.number;
    this.#firstSlot = options.firstSlot;
    this.#content = Array.from({ length: options.slots }, () => new Uint8Array(SLOT_BYTES));
  }

  /** The number of commands that were sent. */
  get count(): number {
    return this.#changes.length;
  }

  /** Writes until it is stopped. */
  async run(): Promise<void> {
    while (!this.#isStopped) await this.#change(this.#random.pick(KINDS));
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #change(kind: Kind): Promise<void> {
    const slot = this.#random.below(this.#content.length);
    const isZero = kind === "zeros" || kind === "unmap";
    const record = isZero ? 0 : this.#changes.length + 1;
    const fresh = this.#recordOf(record);
    const command = commandOf(kind, (this.#firstSlot + slot) * SLOT_BLOCKS, this.#content[slot]!, fresh);
    const change = { slot, record, sentAt: this.#history.next(), acknowledgedAt: Infinity };
    this.#changes.push(change);
    const { status, sense } = await this.#initiator.command(command, TIME_LIMIT_MS);
    if (status !== ScsiStatus.good) {
      throw new Error(`${kind}: status ${status}, code ${sense?.code.toString(16)}`);
    }
    change.acknowledgedAt = this.#history.next();
    this.#content[slot] = fresh;
  }

  #recordOf(record: number): Uint8Array {
    const block = new Uint8Array(BLOCK_BYTES);
    if (record > 0) {
      for (let at = 0; at < BLOCK_BYTES - 8; at += 8) {
        writeUint32(block, at, this.#number + 1);
        writeUint32(block, at + 4, record);
      }
      writeUint32(block, BLOCK_BYTES - 4, crc32c(block.subarray(0, BLOCK_BYTES - 8)));
    }
    return repeat(block);
  }

  /**
   * Returns, for each number of changes after which the slots were as in a copy, the possible moments of the copy.
   */
  possibleMoments(copy: Uint8Array): { readonly from: number; readonly to: number }[] {
    const slots = this.#content.map((_, slot) => {
      const start = (this.#firstSlot + slot) * SLOT_BYTES;
      return copy.subarray(start, start + SLOT_BYTES);
    });
    const records = slots.map((bytes) => this.#readRecord(bytes));
    const current = slots.map(() => 0);
    const moments: { from: number; to: number }[] = [];
    for (let count = 0; count <= this.#changes.length; count++) {
      const change = this.#changes[count - 1];
      if (change !== undefined) current[change.slot] = change.record;
      if (!records.every((record, slot) => record === current[slot])) continue;
      const next = this.#changes[count];
      moments.push({ from: change?.sentAt ?? 0, to: next?.acknowledgedAt ?? Infinity });
    }
    return moments;
  }

  /** Returns the number of the record in a slot; undefined when it is not one record of this writer as a whole. */
  #readRecord(bytes: Uint8Array): number | undefined {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const record = view.getUint32(4);
    return this.#recordOf(record).every((byte, at) => byte === bytes[at]) ? record : undefined;
  }
}

/**
 * Verifies that a copy is the disk at one moment.
 *
 * @throws {Error} when it is not
 */
export function verifyCopy(
  copy: Uint8Array,
  writers: readonly RecordWriter[],
  { from, to }: { readonly from: number; readonly to: number },
): void {
  const possible = writers.map((writer) => writer.possibleMoments(copy));
  const missing = possible.findIndex((moments) => moments.length === 0);
  if (missing >= 0) throw new Error(`The copy never was the content of writer ${missing}`);
  for (let moment = from; moment <= to; moment++) {
    if (possible.every((moments) => moments.some((one) => one.from <= moment && moment <= one.to))) return;
  }
  throw new Error(
    `The copy was not the disk at any moment from ${from} to ${to}: ${JSON.stringify(possible)}`,
  );
}

function commandOf(
  kind: Kind,
  lba: number,
  old: Uint8Array,
  fresh: Uint8Array,
): { readonly cdb: Uint8Array; readonly write: Uint8Array } {
  switch (kind) {
    case "write10":
      return { cdb: write10(lba, SLOT_BLOCKS), write: fresh };
    case "write16":
      return { cdb: write16(lba, SLOT_BLOCKS), write: fresh };
    case "atomic":
      return { cdb: writeAtomic16(lba, SLOT_BLOCKS), write: fresh };
    case "compareAndWrite": {
      const write = new Uint8Array(2 * SLOT_BYTES);
      write.set(old);
      write.set(fresh, SLOT_BYTES);
      return { cdb: compareAndWrite(lba, SLOT_BLOCKS), write };
    }
    case "writeSame":
    case "zeros":
      return { cdb: writeSame10(lba), write: fresh.subarray(0, BLOCK_BYTES) };
    case "unmap":
      return unmapOf(lba);
  }
}

function writeSame10(lba: number): Uint8Array {
  const cdb = write10(lba, SLOT_BLOCKS);
  cdb[0] = 0x41;
  return cdb;
}

function unmapOf(lba: number): { readonly cdb: Uint8Array; readonly write: Uint8Array } {
  const write = new Uint8Array(24);
  writeUint16(write, 0, 22);
  writeUint16(write, 2, 16);
  writeUint64(write, 8, lba);
  writeUint32(write, 16, SLOT_BLOCKS);
  const cdb = new Uint8Array(10);
  cdb[0] = 0x42;
  writeUint16(cdb, 7, write.length);
  return { cdb, write };
}

function repeat(block: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(SLOT_BYTES);
  for (let at = 0; at < SLOT_BYTES; at += BLOCK_BYTES) bytes.set(block, at);
  return bytes;
}
