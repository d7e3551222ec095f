/** The initiators at work, and the time in which they got no answer. */
import { delay } from "../../lib/base/delay.ts";
import { Multipath } from "./_paths.ts";
import { type Faults, noFaults, type Survival } from "./_records.ts";
import { Intruder, reserve } from "./_reservation.ts";
import { SLOTS, Writer, type WriterOptions } from "./_writer.ts";

/** LUN 0 has three writers, LUN 1 the one that has reserved it. */
const SHARED_WRITERS = 3;
const RESERVED_LUN = 1;

/** Records of each writer that show that the target serves again. */
const PROOF_RECORDS = 20;

/** Turns at 20 ms until the initiators must have been served again: a minute. */
const TURNS_MAX = 3000;
const TURN_MS = 20;

/** A writer with the time of its last acknowledgement. */
class Lane {
  readonly writer: Writer;
  #last = performance.now();
  #longestMs = 0;

  constructor(name: string, options: WriterOptions) {
    const paths = new Multipath(`iqn.2000-01.test:${name}`);
    this.writer = new Writer(paths, options, () => this.#note());
  }

  /** The longest time without an acknowledgement since the last reset. */
  get longestMs(): number {
    return this.#longestMs;
  }

  reset(): void {
    this.#last = performance.now();
    this.#longestMs = 0;
  }

  #note(): void {
    const now = performance.now();
    this.#longestMs = Math.max(this.#longestMs, now - this.#last);
    this.#last = now;
  }
}

/** All initiators. */
export class Load {
  readonly #lanes: readonly Lane[];
  readonly #intruder = new Intruder(RESERVED_LUN);

  private constructor(lanes: readonly Lane[]) {
    this.#lanes = lanes;
  }

  /** Logs in, reserves LUN 1, and begins to write. */
  static async start(isTrusting: boolean): Promise<Load> {
    const shared = Array.from({ length: SHARED_WRITERS }, (_, index) => {
      const number = index + 1;
      return new Lane(`writer${number}`, { number, isTrusting, lun: 0, firstSlot: index * SLOTS });
    });
    const number = SHARED_WRITERS + 1;
    const owner = new Lane("owner", { number, isTrusting, lun: RESERVED_LUN, firstSlot: 0 });
    await reserve(owner.writer.paths, RESERVED_LUN);
    const load = new Load([...shared, owner]);
    load.#intruder.start();
    load.resume();
    await load.untilServed();
    return load;
  }

  /** The records so far. */
  get count(): number {
    return this.#lanes.reduce((sum, { writer }) => sum + writer.count, 0);
  }

  /** The attempts of the intruder that were refused so far. */
  get refused(): number {
    return this.#intruder.refused;
  }

  /** Begins to measure the pause. */
  beginPause(): void {
    for (const lane of this.#lanes) lane.reset();
  }

  /** Returns the longest time that an initiator waited for an acknowledgement, in milliseconds. */
  get pauseMs(): number {
    return Math.max(...this.#lanes.map(({ longestMs }) => longestMs));
  }

  /** Waits until each writer has written more records, and has a session on each address. */
  async untilServed(): Promise<void> {
    const wanted = this.#lanes.map(({ writer }) => writer.count + PROOF_RECORDS);
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      if (this.#lanes.every(({ writer }, index) => isServed(writer, wanted[index]!))) return;
      const failed = this.#lanes.find(({ writer }) => writer.hasFailed);
      if (failed !== undefined) await failed.writer.pause();
      await delay(TURN_MS);
    }
    throw new Error("The initiators are not served again");
  }

  resume(): void {
    for (const { writer } of this.#lanes) writer.resume();
  }

  /** Stops the writers and examines what the storage holds. */
  async judge(survival: Survival): Promise<Faults> {
    const faults = noFaults();
    for (const { writer } of this.#lanes) await writer.pause();
    for (const { writer } of this.#lanes) await writer.judge(survival, faults);
    faults.examples.push(...this.#intruder.faults);
    this.#intruder.faults.clear();
    return faults;
  }

  /** Ends all initiators. */
  async end(): Promise<void> {
    await this.#intruder.end();
    for (const { writer } of this.#lanes) {
      const paused = writer.pause().catch(() => {});
      await writer.abort();
      await paused;
    }
  }
}

function isServed(writer: Writer, count: number): boolean {
  return writer.count >= count && writer.paths.paths.every(({ isUp }) => isUp);
}
