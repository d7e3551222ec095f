/** A writer: one initiator that fills a ring with records, flushes them, and remembers what it was promised. */
import { delay } from "../../lib/base/delay.ts";
import { read16, synchronizeCache16, write16, writeAtomic16 } from "../support/initiator_cdb.ts";
import type { Command } from "../support/initiator_transfer.ts";
import { type Multipath, requireGood } from "./_paths.ts";
import { type Faults, makeRecord, RECORD_BLOCKS, RECORD_BYTES, Ring, type Survival } from "./_records.ts";

/** Slots of a ring: more than records are written between a fault and the look at the ring. */
export const SLOTS = 1024;

/** Milliseconds between two records. */
const PACE_MS = 10;

/** A flush follows every sixth record. One in five is written with FUA, one in seven by WRITE ATOMIC. */
const FLUSH_EVERY = 6;
const FUA_EVERY = 5;
const ATOMIC_EVERY = 7;

const READ_RECORDS = 64;

/** The blocks of a writer. */
export interface Place {
  readonly lun: number;
  readonly firstSlot: number;
}

/** The settings of a writer. */
export interface WriterOptions extends Place {
  readonly number: number;
  /** Relies on a flush by another server than the one that took the records. */
  readonly isTrusting: boolean;
}

/** Writes records until it is paused. */
export class Writer {
  readonly paths: Multipath;
  readonly #ring: Ring;
  readonly #place: Place;
  readonly #isTrusting: boolean;
  readonly #onDone: () => void;
  readonly #abort = new AbortController();
  #isPaused = false;
  #hasFailed = false;
  #work: Promise<void> = Promise.resolve();
  /** Resets before the first of the records that wait for a flush was written. */
  #resets = 0;

  /** @param onDone called with each record and flush that is acknowledged */
  constructor(paths: Multipath, { number, isTrusting, ...place }: WriterOptions, onDone: () => void) {
    this.paths = paths;
    this.#ring = new Ring(number, SLOTS);
    this.#place = place;
    this.#isTrusting = isTrusting;
    this.#onDone = onDone;
  }

  /** The records so far. */
  get count(): number {
    return this.#ring.count;
  }

  /** True when an answer has stopped it; `pause` throws that. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Begins to write. */
  resume(): void {
    this.#isPaused = false;
    this.#work = this.#run();
    this.#work.catch(() => this.#hasFailed = true);
  }

  /** Stops after the record under way. @throws {Refused} when the target refused a command */
  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#work;
  }

  /** Ends, also in the middle of a command. */
  async abort(): Promise<void> {
    this.#abort.abort();
    await this.paths.close();
  }

  /** Reads the ring, and adds its faults. */
  async judge(survival: Survival, faults: Faults): Promise<void> {
    const content = new Uint8Array(SLOTS * RECORD_BYTES);
    for (let slot = 0; slot < SLOTS; slot += READ_RECORDS) {
      const cdb = read16(this.#lbaOf(slot), READ_RECORDS * RECORD_BLOCKS);
      const read = READ_RECORDS * RECORD_BYTES;
      content.set(await this.#command("READ", { cdb, read }), slot * RECORD_BYTES);
    }
    this.#ring.judge(content, survival, faults);
  }

  async #run(): Promise<void> {
    while (!this.#isPaused) {
      const number = this.#ring.send();
      const isFua = number % FUA_EVERY === 0;
      if (this.#ring.pending.length === 0) this.#resets = this.paths.resets;
      await this.#write(number, isFua);
      this.#ring.acknowledge(number);
      if (isFua) this.#ring.flush([number]);
      if (number % FLUSH_EVERY === 0) await this.#flush();
      this.#onDone();
      await delay(PACE_MS);
    }
  }

  async #write(number: number, isFua: boolean): Promise<void> {
    const lba = this.#lbaOf(this.#ring.slotOf(number));
    const isAtomic = number % ATOMIC_EVERY === 0;
    const options = { fua: isFua };
    const cdb = isAtomic ? writeAtomic16(lba, RECORD_BLOCKS, options) : write16(lba, RECORD_BLOCKS, options);
    const write = makeRecord(this.#ring.writer, number);
    await this.#command("WRITE", { cdb, write });
  }

  /**
   * Flushes. A unit attention for a reset may mean that a cache was lost, whatever a later flush says: the records that
   * waited for the flush are written again.
   */
  async #flush(): Promise<void> {
    const numbers = this.#ring.pending;
    while (true) {
      await this.#command("SYNCHRONIZE CACHE", { cdb: synchronizeCache16() });
      if (this.#isTrusting || this.paths.resets === this.#resets) break;
      this.#resets = this.paths.resets;
      for (const number of numbers) await this.#write(number, false);
    }
    this.#ring.flush(numbers);
  }

  async #command(name: string, command: Command): Promise<Uint8Array> {
    const { lun } = this.#place;
    return requireGood(await this.paths.command({ ...command, lun }, this.#abort.signal), name);
  }

  #lbaOf(slot: number): number {
    return (this.#place.firstSlot + slot) * RECORD_BLOCKS;
  }
}
