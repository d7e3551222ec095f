/** Compares `RangeLocks` with a model that has two lists and searches them. */
import { assert, assertEquals, assertFalse } from "@std/assert";
import { PASSES_MAX, type RangeHold, RangeLocks } from "../../../lib/scsi/medium/range_locks.ts";
import { numberFromEnvironment, seededRandom } from "../../support/seeded_random.ts";

type Kind = "exclusive" | "sharedInTurn" | "shared";

/** The start and the end of each part of a range. */
type Parts = readonly (readonly [startBytes: number, endBytes: number])[];

interface Held {
  readonly parts: Parts;
  readonly isExclusive: boolean;
}

interface Waiting extends Held {
  readonly name: number;
  readonly kind: Kind;
  passes: number;
}

function overlap({ parts: some }: Held, { parts: others }: Held): boolean {
  return some.some(([start, end]) => others.some((other) => start < other[1] && other[0] < end));
}

/** Joins ranges that overlap or touch, as the locks do: one without bytes lies in them, and not between them. */
function joined(ranges: Parts): Parts {
  const parts: [number, number][] = [];
  for (const [start, end] of ranges.toSorted((one, other) => one[0] - other[0])) {
    const last = parts.at(-1);
    if (last === undefined || last[1] < start) parts.push([start, end]);
    else last[1] = Math.max(last[1], end);
  }
  return parts;
}

/** The rules of range locks, applied to every hold and every request by itself. */
class Model {
  readonly held = new Map<number, Held>();
  readonly waiting: Waiting[] = [];
  /** The outcomes in their order: the names of granted requests, negative for those that failed or were cancelled. */
  readonly outcomes: number[] = [];

  isLocked(range: Held): boolean {
    return this.held.values().some((hold) => hold.isExclusive && overlap(hold, range));
  }

  isAwaited(range: Held, before = this.waiting.length): boolean {
    return this.waiting.slice(0, before).some(({ isExclusive, parts }) =>
      isExclusive && overlap({ parts, isExclusive }, range)
    );
  }

  request(name: number, kind: Kind, parts: Parts): void {
    const request = { name, kind, parts, isExclusive: kind === "exclusive", passes: 0 };
    if (kind === "sharedInTurn" ? !this.#isPossible(request) : this.#isObstructed(request)) {
      this.waiting.push(request);
    } else this.#grant(request);
    this.#serve();
  }

  release(name: number): void {
    assert(this.held.delete(name));
    this.#serve();
  }

  cancel(name: number): void {
    const index = this.waiting.findIndex((request) => request.name === name);
    if (index < 0) return;
    this.waiting.splice(index, 1);
    this.outcomes.push(-name);
    this.#serve();
  }

  #isObstructed(request: Held): boolean {
    return this.isLocked(request) ||
      request.isExclusive && this.held.values().some((hold) => overlap(hold, request));
  }

  #isPossible(request: Waiting): boolean {
    if (this.#isObstructed(request)) return false;
    const index = this.waiting.indexOf(request);
    return request.kind !== "sharedInTurn" || !this.isAwaited(request, index < 0 ? undefined : index);
  }

  /** Grants the oldest possible request, until none is left. */
  #serve(): void {
    let possible: Waiting | undefined;
    while ((possible = this.waiting.find((request) => this.#isPossible(request))) !== undefined) {
      this.waiting.splice(this.waiting.indexOf(possible), 1);
      this.#grant(possible);
    }
  }

  #grant(granted: Waiting): void {
    this.held.set(granted.name, granted);
    this.outcomes.push(granted.name);
    for (const request of [...this.waiting]) {
      // Requests in one queue take turns, and do not pass one another.
      const isSameQueue = granted.isExclusive && request.parts.length === 1 &&
        `${request.parts}` === `${granted.parts}`;
      if (!request.isExclusive || isSameQueue || !overlap(request, granted)) continue;
      if (++request.passes <= PASSES_MAX) continue;
      this.waiting.splice(this.waiting.indexOf(request), 1);
      this.outcomes.push(-request.name);
    }
  }
}

const SEED = numberFromEnvironment("FUZZ_SEED", 20261201);

Deno.test(`RangeLocks decides as a model that searches lists (FUZZ_SEED=${SEED})`, async () => {
  for (let run = 0; run < 40; run++) await compare(SEED + run);
});

/** Performs the same operations on both, and compares them after each. */
async function compare(seed: number): Promise<void> {
  const pair = new Pair(seed);
  const { request, release, cancel, shareAtOnce } = pair;
  const operations = [request, request, request, release, release, cancel, shareAtOnce];
  for (let step = 0; step < 400; step++) {
    const operation = step < 300 ? operations[pair.random(operations.length)]! : release;
    operation();
    await settle();
    pair.assertEqual(`FUZZ_SEED=${seed}, step ${step}`);
  }
  while (pair.model.held.size > 0) {
    release();
    await settle();
  }
  assert(pair.locks.isIdle, `FUZZ_SEED=${seed}: a request waits for ever`);
}

async function settle(): Promise<void> {
  for (let round = 0; round < 8; round++) await Promise.resolve();
}

/** Range locks and their model, which get the same requests. */
class Pair {
  readonly random: (bound: number) => number;
  readonly locks = new RangeLocks();
  readonly model = new Model();
  readonly #spaceBytes: number;
  readonly #holds = new Map<number, RangeHold>();
  readonly #cancels = new Map<number, () => void>();
  readonly #outcomes: number[] = [];
  #lastName = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.#spaceBytes = 5 + this.random(60);
  }

  readonly request = (): void => {
    const name = ++this.#lastName;
    // Now and then a range without bytes.
    const [start, end] = this.#anyRange(this.random(10) === 0 ? 0 : 1);
    const kinds = ["exclusive", "exclusive", "sharedInTurn", "shared", "several"] as const;
    const kind = kinds[this.random(kinds.length)]!;
    if (kind === "several") return this.#requestSeveral(name);
    if (kind === "shared") this.#follow(name, this.locks.shareLater(start, end - start));
    else {
      const { hold, cancel } = kind === "exclusive"
        ? this.locks.lock(start, end - start)
        : this.locks.queue(start, end - start);
      this.#cancels.set(name, cancel);
      this.#follow(name, hold);
    }
    this.model.request(name, kind, [[start, end]]);
  };

  readonly release = (): void => {
    const name = [...this.#holds.keys()][this.random(this.#holds.size)];
    if (name !== undefined) this.#release(name);
  };

  /** Cancels a request, which may have been granted or cancelled before. */
  readonly cancel = (): void => {
    const name = [...this.#cancels.keys()][this.random(this.#cancels.size)];
    if (name === undefined) return;
    this.#cancels.get(name)!();
    this.model.cancel(name);
  };

  /** Shares a range that is not locked, now and then so often that exclusive requests fail. */
  readonly shareAtOnce = (): void => {
    const [start, end] = this.#anyRange(1);
    for (let pass = this.random(30) === 0 ? PASSES_MAX - this.random(8) : 1; pass > 0; pass--) {
      if (this.locks.isLocked(start, end - start)) return;
      const name = ++this.#lastName;
      this.#holds.set(name, this.locks.share(start, end - start));
      this.#outcomes.push(name);
      this.model.request(name, "shared", [[start, end]]);
      if (pass > 1) this.#release(name);
    }
  };

  assertEqual(where: string): void {
    const { locks, model } = this;
    assertEquals(sorted(this.#outcomes.splice(0)), sorted(model.outcomes.splice(0)), where);
    assertEquals(sorted(this.#holds.keys()), sorted(model.held.keys()), where);
    assertEquals(locks.isIdle, model.held.size === 0 && model.waiting.length === 0, where);
    const [start, end] = this.#anyRange(1);
    const range: Held = { parts: [[start, end]], isExclusive: false };
    assertEquals(locks.isLocked(start, end - start), model.isLocked(range), where);
    assertEquals(locks.isAwaited(start, end - start), model.isAwaited(range), where);
    assertSound(model, where);
  }

  #requestSeveral(name: number): void {
    const ranges = Array.from({ length: 1 + this.random(4) }, () => this.#anyRange(1));
    const byteRanges = ranges.map(([offset, end]) => ({ offset, lengthBytes: end - offset }));
    this.#follow(name, this.locks.shareAllLater(byteRanges));
    this.model.request(name, "shared", joined(ranges));
  }

  #follow(name: number, hold: Promise<RangeHold | undefined>): void {
    hold.then((held) => {
      this.#outcomes.push(held === undefined ? -name : name);
      if (held !== undefined) this.#holds.set(name, held);
    });
  }

  #release(name: number): void {
    this.locks.release(this.#holds.get(name)!);
    this.#holds.delete(name);
    this.model.release(name);
  }

  #anyRange(shortestBytes: number): [number, number] {
    const { random } = this;
    const startBytes = random(this.#spaceBytes);
    return [startBytes, startBytes + shortestBytes + random(random(6) === 0 ? this.#spaceBytes : 4)];
  }
}

function sorted(names: Iterable<number>): number[] {
  return [...names].sort((one, other) => one - other);
}

/** Asserts that no exclusive hold overlaps another one. */
function assertSound({ held }: Model, where: string): void {
  const all = [...held.values()];
  for (const [index, hold] of all.entries()) {
    for (const other of all.slice(index + 1)) {
      assertFalse((hold.isExclusive || other.isExclusive) && overlap(hold, other), where);
    }
  }
}
