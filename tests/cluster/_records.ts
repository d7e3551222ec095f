/** Numbered, checksummed records in a ring, and what a ring must hold after a takeover. */
import { readUint32, writeUint32 } from "../../lib/bytes/big_endian.ts";
import { crc32c } from "../../lib/bytes/crc32c.ts";

const BLOCK_BYTES = 512;

/** Blocks of a record: one page. */
export const RECORD_BLOCKS = 8;

/** Bytes of a record. */
export const RECORD_BYTES = RECORD_BLOCKS * BLOCK_BYTES;

/** Makes the record of a writer. All of its blocks name it, so a record that is partly another one is recognised. */
export function makeRecord(writer: number, number: number): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  for (let at = 0; at < BLOCK_BYTES - 8; at += 8) {
    writeUint32(block, at, writer);
    writeUint32(block, at + 4, number);
  }
  writeUint32(block, BLOCK_BYTES - 4, crc32c(block.subarray(0, BLOCK_BYTES - 8)));
  const record = new Uint8Array(RECORD_BYTES);
  for (let start = 0; start < RECORD_BYTES; start += BLOCK_BYTES) record.set(block, start);
  return record;
}

/** Returns the number of the record of a writer; 0 for zeros, and undefined for anything else. */
export function readRecord(writer: number, bytes: Uint8Array): number | undefined {
  if (bytes.every((byte) => byte === 0)) return 0;
  const number = readUint32(bytes, 4);
  const record = makeRecord(writer, number);
  return record.every((byte, at) => byte === bytes[at]) ? number : undefined;
}

/** A slot of a ring. */
interface Slot {
  /** The newest record that was sent, and those that were acknowledged, and that were flushed thereafter. */
  sent: number;
  acknowledged: number;
  flushed: number;
}

/** The faults of a ring. */
export interface Faults {
  /** Slots that hold an older record than they must. */
  lost: number;
  /** Slots with a record that belongs in another slot. */
  duplicated: number;
  /** Slots with something that is no record as a whole, or was never sent. */
  torn: number;
  readonly examples: string[];
}

/** Returns no faults. */
export function noFaults(): Faults {
  return { lost: 0, duplicated: 0, torn: 0, examples: [] };
}

/** The records that must survive: all that were acknowledged, or only those that were flushed. */
export type Survival = "acknowledged" | "flushed";

/** A ring of slots, as one writer knows it. Record n has slot n modulo the number of slots. */
export class Ring {
  readonly writer: number;
  readonly #slots: Slot[];
  /** Acknowledged, but not yet flushed. */
  #pending: number[] = [];
  #next = 1;

  constructor(writer: number, slots: number) {
    this.writer = writer;
    this.#slots = Array.from({ length: slots }, () => ({ sent: 0, acknowledged: 0, flushed: 0 }));
  }

  /** The number of records so far. */
  get count(): number {
    return this.#next - 1;
  }

  /** The records that a flush makes durable. */
  get pending(): readonly number[] {
    return this.#pending;
  }

  /** Returns the slot of a record. */
  slotOf(number: number): number {
    return number % this.#slots.length;
  }

  /** Returns the number of the next record, which is sent now. */
  send(): number {
    const number = this.#next++;
    this.#slot(number).sent = number;
    return number;
  }

  /** Notes an acknowledgement. */
  acknowledge(number: number): void {
    this.#slot(number).acknowledged = number;
    this.#pending.push(number);
  }

  /** Notes a flush of records. */
  flush(numbers: readonly number[]): void {
    for (const number of numbers) {
      const slot = this.#slot(number);
      slot.flushed = Math.max(slot.flushed, number);
    }
    this.#pending = this.#pending.filter((number) => !numbers.includes(number));
  }

  /** Adds the faults of what the ring holds now. */
  judge(content: Uint8Array, survival: Survival, faults: Faults): void {
    this.#slots.forEach((slot, index) => {
      const bytes = content.subarray(index * RECORD_BYTES, (index + 1) * RECORD_BYTES);
      const kind = this.#judgeSlot(index, slot, bytes, survival);
      if (kind === undefined) return;
      faults[kind]++;
      const found = readRecord(this.writer, bytes) ?? bytes.slice(0, 8).toHex();
      faults.examples.push(
        `${kind}: slot ${index} of writer ${this.writer} holds ${found}; flushed ${slot.flushed}, ` +
          `acknowledged ${slot.acknowledged}, sent ${slot.sent}`,
      );
    });
  }

  #judgeSlot(
    index: number,
    slot: Slot,
    bytes: Uint8Array,
    survival: Survival,
  ): "lost" | "duplicated" | "torn" | undefined {
    const found = readRecord(this.writer, bytes);
    if (found === undefined || found > slot.sent) {
      return found !== undefined && found < this.#next ? "duplicated" : "torn";
    }
    if (found !== 0 && this.slotOf(found) !== index) return "duplicated";
    return found < slot[survival] ? "lost" : undefined;
  }

  #slot(number: number): Slot {
    return this.#slots[this.slotOf(number)]!;
  }
}
