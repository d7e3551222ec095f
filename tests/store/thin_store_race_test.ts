/** Writes, reads, holes and growth of a `ThinStore` in every order that a file allows. */
import { assert } from "@std/assert";
import { StoreError } from "../../lib/store/block_store.ts";
import type { ByteRange } from "../../lib/store/byte_range.ts";
import type { HolePuncher, PunchResult } from "../../lib/store/hole_puncher.ts";
import { equalBytes } from "../../lib/store/write_or_restore.ts";
import { ThinStore } from "../../lib/store/thin_store.ts";
import { MemoryStore } from "../support/memory_store.ts";
import { numberFromEnvironment, seededRandom } from "../support/seeded_random.ts";

const SEED = numberFromEnvironment("FUZZ_SEED", 20070104);
const SECTOR = 512;
const KIB4 = 4096;
const START_BYTES = 24 * KIB4;
/** Beyond this the store does not grow. */
const SIZE_BYTES_MAX = 64 * KIB4;

const ZEROS = new Uint8Array(SIZE_BYTES_MAX);

type Random = (below: number) => number;

/** Something that the file is to do, and the answer to it, which arrives when it likes. */
interface Work {
  perform: (() => void) | undefined;
  readonly answer: () => void;
}

/** A file that does what it is asked for, and answers, when the test says so. */
class ErraticFile extends MemoryStore implements HolePuncher {
  readonly #random: Random;
  readonly work: Work[] = [];

  constructor(random: Random) {
    super({ sizeBytes: START_BYTES, canUnmap: true });
    this.#random = random;
  }

  override read(offset: number, into: Uint8Array): Promise<void> {
    return this.#later(() => super.readNow(offset, into));
  }

  override write(offset: number, from: Uint8Array): Promise<void> {
    if (this.#random(12) > 0) return this.#later(() => super.writeNow(offset, from));
    const part = from.subarray(0, this.#random(from.length / SECTOR + 1) * SECTOR);
    return this.#later(() => super.writeNow(offset, part), new StoreError("writeFailed", "told to"));
  }

  punch(ranges: readonly ByteRange[]): Promise<PunchResult> {
    const done = Promise.withResolvers<PunchResult>();
    const result =
      (["punched", "punched", "punched", "refused", "refused", "abandoned"] as const)[this.#random(6)]!;
    const made = result === "punched" ? ranges : ranges.slice(0, this.#random(ranges.length + 1));
    this.work.push({ perform: () => this.#makeHoles(made), answer: () => done.resolve(result) });
    return done.promise;
  }

  /** Performs something that was asked for, or answers what was performed. */
  step(): void {
    const index = this.#random(this.work.length);
    const work = this.work[index]!;
    if (work.perform === undefined) {
      this.work.splice(index, 1);
      work.answer();
    } else {
      work.perform();
      work.perform = undefined;
    }
  }

  #makeHoles(ranges: readonly ByteRange[]): void {
    super.unmap(ranges);
  }

  #later(perform: () => void, failure?: StoreError): Promise<void> {
    const done = Promise.withResolvers<void>();
    const answer = (): void => failure === undefined ? done.resolve() : done.reject(failure);
    this.work.push({ perform, answer });
    return done.promise;
  }
}

/** A write or an unmapping, by when it was asked for and when it ended. */
interface Operation {
  readonly start: number;
  readonly end: number;
  readonly value: number;
  readonly began: number;
  ended: number;
  hasFailed: boolean;
}

/** All that was done since nothing was under way, and what was there then. */
class Model {
  #now = 0;
  readonly #content: number[] = new Array(SIZE_BYTES_MAX / SECTOR).fill(0);
  #operations: Operation[] = [];

  run(range: ByteRange, value: number, begin: () => Promise<void>): void {
    const { offset, lengthBytes } = range;
    const operation: Operation = {
      start: offset / SECTOR,
      end: (offset + lengthBytes) / SECTOR,
      value,
      began: this.#now++,
      ended: Infinity,
      hasFailed: false,
    };
    this.#operations.push(operation);
    begin().catch((error) => {
      assert(error instanceof StoreError, String(error));
      operation.hasFailed = true;
    }).then(() => operation.ended = this.#now++);
  }

  get isQuiet(): boolean {
    return this.#operations.every(({ ended }) => ended !== Infinity);
  }

  /** Checks each sector of what is there: it holds something that nothing has certainly replaced. */
  check(content: Uint8Array, message: string): void {
    for (let sector = 0; sector * SECTOR < content.length; sector++) {
      const own = this.#operations.filter(({ start, end }) => start <= sector && sector < end);
      const isReplaced = (ended: number): boolean =>
        own.some((other) => !other.hasFailed && other.began > ended);
      const allowed = own.filter(({ ended }) => !isReplaced(ended)).map(({ value }) => value);
      if (!isReplaced(-1)) allowed.push(this.#content[sector]!);
      const bytes = content.subarray(sector * SECTOR, (sector + 1) * SECTOR);
      assert(bytes.every((byte) => byte === bytes[0]), `${message}: sector ${sector} is torn`);
      assert(
        allowed.includes(bytes[0]!),
        `${message}: sector ${sector} is ${bytes[0]}, not one of ${allowed}`,
      );
      this.#content[sector] = bytes[0]!;
    }
    this.#operations = [];
  }
}

function contentOf(file: MemoryStore): Uint8Array {
  const content = new Uint8Array(file.sizeBytes);
  file.readNow(0, content);
  return content;
}

/** Bytes that are reported as unmapped read as zeros. */
function assertMapTrue(store: ThinStore, file: MemoryStore, message: string): void {
  const content = contentOf(file);
  for (let offset = 0; offset < store.sizeBytes;) {
    const { isMapped, endBytes } = store.extentAt(offset);
    if (!isMapped) {
      const isZero = equalBytes(content.subarray(offset, endBytes), ZEROS.subarray(offset, endBytes));
      assert(isZero, `${message}: live data in ${offset}-${endBytes}, which is called unmapped`);
    }
    offset = endBytes;
  }
}

function randomRange(random: Random, sizeBytes: number): ByteRange {
  // Around whole pages, since those are what holes are made of.
  const at = random(3) === 0 ? KIB4 : SECTOR;
  const offset = random(sizeBytes / at) * at;
  const lengthBytes = Math.min((1 + random(random(2) === 0 ? 4 : 24)) * at, sizeBytes - offset);
  return { offset, lengthBytes };
}

/** Begins something at random. */
function begin(store: ThinStore, file: ErraticFile, model: Model, random: Random): void {
  const range = randomRange(random, store.sizeBytes);
  const value = 1 + random(255);
  const bytes = new Uint8Array(range.lengthBytes).fill(value);
  switch (random(8)) {
    case 0:
      if (store.sizeBytes >= SIZE_BYTES_MAX || random(4) > 0) return;
      file.sizeBytes += (1 + random(4)) * KIB4;
      return store.adaptToGrowth();
    case 1:
      return void store.read(range.offset, new Uint8Array(range.lengthBytes));
    case 2: {
      const second = randomRange(random, store.sizeBytes);
      // In the model each range ends by itself; it does not know that they end together.
      const done = store.unmap([range, second]);
      for (const part of [range, second]) model.run(part, 0, () => done);
      return;
    }
    case 3:
      return model.run(range, 0, () => store.unmap([range]));
    case 4:
      if (store.writeNow(range.offset, bytes)) model.run(range, value, () => Promise.resolve());
      return;
    default:
      return model.run(range, value, () => store.write(range.offset, bytes));
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn++) await Promise.resolve();
}

Deno.test(`ThinStore reports its map correctly in any order of file operations (FUZZ_SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  for (let round = 0; round < 100; round++) {
    const file = new ErraticFile(random);
    const store = new ThinStore(file, { puncher: file, isEmpty: true });
    const model = new Model();
    for (let part = 0; part < 3; part++) {
      const message = `FUZZ_SEED=${SEED}, round ${round}, part ${part}`;
      for (let step = 0; step < 25 || !model.isQuiet || file.work.length > 0; step++) {
        assert(step < 100_000, `${message}: something never ends`);
        if (step < 25 && random(2) === 0) begin(store, file, model, random);
        else if (file.work.length > 0) file.step();
        await settle();
        assertMapTrue(store, file, message);
      }
      model.check(contentOf(file), message);
    }
  }
});
