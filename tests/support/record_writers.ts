/**
 * Initiators that write numbered records with all kinds of commands, and a verifier of copies: a copy must be the disk
 * as it was at one point of the order in which the commands were sent and acknowledged.
 */
import { readUint16, writeUint32 } from "../../lib/bytes/big_endian.ts";
import { crc32c } from "../../lib/bytes/crc32c.ts";
import type { Initiator } from "./initiator.ts";
import { inquiry } from "./initiator_cdb.ts";
import { ScsiStatus, SenseKey } from "./initiator_sense.ts";
import type { Random } from "./seeded_random.ts";
import {
  BLOCK_BYTES,
  type ChangeRow,
  CHANGES,
  type ChangingCommand,
  copyOf,
  ERASURES,
  orWriteOf,
  SLOT_BLOCKS,
  SLOT_BYTES,
} from "./writing_commands.ts";

/** Milliseconds of a command on a busy disk. */
const TIME_LIMIT_MS = 60_000;

/** The order of everything that is sent and acknowledged, and the turns of those that erase the whole disk. */
export class History {
  readonly writers: RecordWriter[] = [];
  #moment = 0;
  #under = 0;
  #erasure: Promise<void> | undefined;
  #onIdle: () => void = () => {};

  /** Returns the next moment. */
  next(): number {
    return ++this.#moment;
  }

  /** Does work while no writer erases the disk. */
  async together(work: () => Promise<void>): Promise<void> {
    while (this.#erasure !== undefined) await this.#erasure;
    this.#under++;
    try {
      await work();
    } finally {
      if (--this.#under === 0) this.#onIdle();
    }
  }

  /** Does work that erases the disk, while no other writer does any. */
  async alone(work: () => Promise<void>): Promise<void> {
    while (this.#erasure !== undefined) await this.#erasure;
    const idle = new Promise<void>((resolve) => this.#onIdle = resolve);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#erasure = promise;
    try {
      if (this.#under > 0) await idle;
      await work();
    } finally {
      this.#erasure = undefined;
      resolve();
    }
  }
}

/** A change of a slot, or of all slots of a writer. */
interface Change {
  readonly slot: number | "all";
  /** The number of the record; 0 for zeros. */
  readonly record: number;
  readonly sentAt: number;
  acknowledgedAt: number;
}

type Kind = keyof typeof CHANGES | "orWrite" | "extendedCopy";

const KINDS = [...Object.keys(CHANGES), "write10", "orWrite", "extendedCopy"] as readonly Kind[];

/** One command of this many erases the whole disk. */
const ERASE_ONE_IN = 60;

/** An initiator that writes into its own slots, one command at a time. */
export class RecordWriter {
  readonly #initiator: Initiator;
  readonly #history: History;
  readonly #random: Random;
  readonly #number: number;
  readonly #firstSlot: number;
  readonly #changes: Change[] = [];
  /** The numbers of the records in the slots. */
  readonly #records: number[];
  readonly #erases: boolean;
  #naa: Uint8Array | undefined;
  #isStopped = false;

  constructor(
    initiator: Initiator,
    options: {
      history: History;
      random: Random;
      number: number;
      firstSlot: number;
      slots: number;
      /** Erase the whole disk now and then; false by default. */
      erases?: boolean;
    },
  ) {
    this.#initiator = initiator;
    this.#history = options.history;
    this.#random = options.random;
    this.#number = options.number;
    this.#firstSlot = options.firstSlot;
    this.#records = Array.from({ length: options.slots }, () => 0);
    this.#erases = options.erases ?? false;
    options.history.writers.push(this);
  }

  /** The number of commands that were sent. */
  get count(): number {
    return this.#changes.length;
  }

  /** Writes until it is stopped. */
  async run(): Promise<void> {
    while (!this.#isStopped) {
      if (this.#erases && this.#random.oneIn(ERASE_ONE_IN)) await this.#history.alone(() => this.#erase());
      else await this.#history.together(() => this.#change(this.#random.pick(KINDS)));
    }
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #change(kind: Kind): Promise<void> {
    const slot = this.#random.below(this.#records.length);
    const { record, command } = await this.#commandFor(kind, slot);
    const change = { slot, record, sentAt: this.#history.next(), acknowledgedAt: Infinity };
    this.#changes.push(change);
    await this.#send(kind, command);
    change.acknowledgedAt = this.#history.next();
    this.#records[slot] = record;
  }

  /** Returns a command, and the number of the record in the slot after it. */
  async #commandFor(kind: Kind, slot: number): Promise<{ record: number; command: ChangingCommand }> {
    const next = this.#changes.length + 1;
    const lba = this.#lbaOf(slot);
    if (kind === "extendedCopy") {
      const from = this.#random.below(this.#records.length);
      this.#naa ??= await readNaa(this.#initiator);
      return { record: this.#records[from]!, command: copyOf(this.#naa, this.#lbaOf(from), lba) };
    }
    // The result of OR is a record where nothing was.
    const isZero = this.#records[slot] === 0;
    if (kind === "orWrite" && isZero) return { record: next, command: orWriteOf(lba, this.#recordOf(next)) };
    const { command, makesZeros }: ChangeRow = CHANGES[kind === "orWrite" ? "write16" : kind];
    const record = makesZeros ? 0 : next;
    const [old, fresh] = [this.#records[slot]!, record].map((record) => this.#recordOf(record));
    return { record, command: command(lba, old!, fresh!) };
  }

  /** Erases the disk, also where the other writers write. */
  async #erase(): Promise<void> {
    const kind = this.#random.pick(Object.keys(ERASURES) as (keyof typeof ERASURES)[]);
    const change: Change = {
      slot: "all",
      record: 0,
      sentAt: this.#history.next(),
      acknowledgedAt: Infinity,
    };
    for (const writer of this.#history.writers) writer.#changes.push(change);
    await this.#send(kind, ERASURES[kind]);
    change.acknowledgedAt = this.#history.next();
    for (const writer of this.#history.writers) writer.#records.fill(0);
  }

  async #send(kind: string, command: ChangingCommand): Promise<void> {
    for (;;) {
      const { status, sense } = await this.#initiator.command(command, TIME_LIMIT_MS);
      if (status === ScsiStatus.good) return;
      // The erasure of another writer is reported once.
      if (sense?.key === SenseKey.unitAttention) continue;
      throw new Error(`${kind}: status ${status}, code ${sense?.code.toString(16)}`);
    }
  }

  #lbaOf(slot: number): number {
    return (this.#firstSlot + slot) * SLOT_BLOCKS;
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
    const slots = this.#records.map((_, slot) => {
      const start = (this.#firstSlot + slot) * SLOT_BYTES;
      return copy.subarray(start, start + SLOT_BYTES);
    });
    const records = slots.map((bytes) => this.#readRecord(bytes));
    const current = slots.map(() => 0);
    const moments: { from: number; to: number }[] = [];
    for (let count = 0; count <= this.#changes.length; count++) {
      const change = this.#changes[count - 1];
      if (change?.slot === "all") current.fill(0);
      else if (change !== undefined) current[change.slot] = change.record;
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

function repeat(block: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(SLOT_BYTES);
  for (let at = 0; at < SLOT_BYTES; at += BLOCK_BYTES) bytes.set(block, at);
  return bytes;
}

/** Returns the designator of a LUN by which EXTENDED COPY finds it (SPC-4, 7.8.6.6). */
async function readNaa(initiator: Initiator): Promise<Uint8Array> {
  const { data } = await initiator.command({ cdb: inquiry(255, 0x83), read: 255 });
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  for (let at = 4; at < 4 + readUint16(data, 2);) {
    const lengthBytes = view.getUint8(at + 3);
    const [association, type] = [view.getUint8(at + 1) >> 4 & 3, view.getUint8(at + 1) & 15];
    if (association === 0 && type === 3) return data.slice(at + 4, at + 4 + lengthBytes);
    at += 4 + lengthBytes;
  }
  throw new Error("the LUN has no NAA designator");
}
