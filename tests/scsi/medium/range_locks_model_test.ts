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
  const random = seededRandom(seed);
  const spaceBytes = 5 + random(60);
  const locks = new RangeLocks();
  const model = new Model();
  const holds = new Map<number, RangeHold>();
  const cancels = new Map<number, () => void>();
  const outcomes: number[] = [];
  let lastName = 0;

  const anyRange = (shortest: number): [number, number] => {
    const startBytes = random(spaceBytes);
    return [startBytes, startBytes + shortest + random(random(6) === 0 ? spaceBytes : 4)];
  };
  const follow = (name: number, hold: Promise<RangeHold | undefined>): void => {
    hold.then((held) => {
      outcomes.push(held === undefined ? -name : name);
      if (held !== undefined) holds.set(name, held);
    });
  };
  const request = (): void => {
    const name = ++lastName;
    // Now and then a range without bytes.
    const [start, end] = anyRange(random(10) === 0 ? 0 : 1);
    const kinds = ["exclusive", "sharedInTurn", "shared", "exclusive", "several"] as const;
    const kind = kinds[random(kinds.length)]!;
    if (kind === "several") {
      const ranges = Array.from({ length: 1 + random(4) }, () => anyRange(1));
      const byteRanges = ranges.map(([offset, to]) => ({ offset, lengthBytes: to - offset }));
      follow(name, locks.shareAllLater(byteRanges));
      return model.request(name, "shared", joined(ranges));
    }
    if (kind === "shared") follow(name, locks.shareLater(start, end - start));
    else {
      const { hold, cancel } = kind === "exclusive"
        ? locks.lock(start, end - start)
        : locks.queue(start, end - start);
      cancels.set(name, cancel);
      follow(name, hold);
    }
    model.request(name, kind, [[start, end]]);
  };
  const release = (): void => {
    const name = [...holds.keys()][random(holds.size)];
    if (name === undefined) return;
    locks.release(holds.get(name)!);
    holds.delete(name);
    model.release(name);
  };
  const cancel = (): void => {
    const name = [...cancels.keys()][random(cancels.size)];
    if (name === undefined) return;
    // Also those that have been granted, or cancelled before.
    cancels.get(name)!();
    model.cancel(name);
  };
  const shareAtOnce = (): void => {
    const [start, end] = anyRange(1);
    for (let pass = random(30) === 0 ? 700 : 1; pass > 0; pass--) {
      if (locks.isLocked(start, end - start)) return;
      const name = ++lastName;
      holds.set(name, locks.share(start, end - start));
      outcomes.push(name);
      model.request(name, "shared", [[start, end]]);
      if (pass > 1) {
        locks.release(holds.get(name)!);
        holds.delete(name);
        model.release(name);
      }
    }
  };

  const operations = [request, request, request, release, release, cancel, shareAtOnce];
  for (let step = 0; step < 400; step++) {
    const ending = step >= 300;
    (ending ? release : operations[random(operations.length)]!)();
    for (let round = 0; round < 8; round++) await Promise.resolve();
    const where = `FUZZ_SEED=${seed}, step ${step}`;
    assertEquals(sorted(outcomes.splice(0)), sorted(model.outcomes.splice(0)), where);
    assertEquals(sorted(holds.keys()), sorted(model.held.keys()), where);
    assertEquals(locks.isIdle, model.held.size === 0 && model.waiting.length === 0, where);
    const [start, end] = anyRange(1);
    const range = { parts: [[start, end]] as Parts, isExclusive: false };
    assertEquals(locks.isLocked(start, end - start), model.isLocked(range), where);
    assertEquals(locks.isAwaited(start, end - start), model.isAwaited(range), where);
    assertSound(model, where);
  }
  while (holds.size > 0) {
    release();
    for (let round = 0; round < 8; round++) await Promise.resolve();
  }
  assert(locks.isIdle, `FUZZ_SEED=${seed}: something waits for ever`);
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
