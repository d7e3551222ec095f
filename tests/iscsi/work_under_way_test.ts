import { assert, assertEquals } from "@std/assert";
import { WorkUnderWay } from "../../lib/iscsi/work_under_way.ts";
import { numberFromEnvironment, seededRandom } from "../support/seeded_random.ts";

/** Adds a piece of work, and returns the function that completes it. */
function begin(work: WorkUnderWay, lun: number, changesMedium: boolean, session: unknown = "s"): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  work.add({ lun, changesMedium, done: promise }, session);
  return resolve;
}

/** Returns true once the promise has resolved. */
async function isResolved(promise: Promise<unknown>): Promise<boolean> {
  let isDone = false;
  promise.then(() => isDone = true);
  for (let round = 0; round < 5; round++) await Promise.resolve();
  return isDone;
}

Deno.test("settled() waits only for what can change the medium of the logical unit", async () => {
  const work = new WorkUnderWay();
  begin(work, 0, false);
  assertEquals([work.settled(), work.settled(0)], [undefined, undefined]);
  const complete = begin(work, 1, true);
  assertEquals(work.settled(0), undefined);
  const [one, all] = [work.settled(1)!, work.settled()!];
  assertEquals([await isResolved(one), await isResolved(all)], [false, false]);
  complete();
  assertEquals([await isResolved(one), await isResolved(all)], [true, true]);
  assertEquals(work.settled(), undefined);
});

Deno.test("done() waits for all work, and for none that begins later", async () => {
  const work = new WorkUnderWay();
  assertEquals(work.done(), undefined);
  const completes = [begin(work, 0, false), begin(work, 1, true)];
  const done = work.done()!;
  begin(work, 2, true);
  completes[0]!();
  assertEquals(await isResolved(done), false);
  completes[1]!();
  assertEquals([await isResolved(done), work.count], [true, 1]);
});

Deno.test("lingeringSessions counts the sessions that have ended with work that is not done", async () => {
  const work = new WorkUnderWay();
  const complete = begin(work, 0, true, "first");
  begin(work, 0, true, "second");
  begin(work, 1, false, "second");
  assertEquals(work.lingeringSessions, 0);
  for (const session of ["first", "second", "idle"]) work.sessionEnded(session);
  assertEquals(work.lingeringSessions, 2);
  complete();
  await Promise.resolve();
  assertEquals([work.lingeringSessions, work.count], [1, 2]);
});

Deno.test("settled() returns one promise to all that ask while no work begins", async () => {
  const work = new WorkUnderWay();
  const completes = Array.from({ length: 3 }, () => begin(work, 0, true));
  const first = work.settled(0)!;
  completes[1]!();
  await Promise.resolve();
  assert(work.settled(0) === first);
  begin(work, 0, true);
  assert(work.settled(0) !== first);
});

Deno.test("settled() waits for exactly the work that began before, in whatever order it ends", async () => {
  const random = seededRandom(numberFromEnvironment("FUZZ_SEED", 20261130));
  const work = new WorkUnderWay();
  const underWay = new Set<() => void>();
  const asked: { readonly left: Set<() => void>; isResolved: boolean }[] = [];
  for (let step = 0; step < 400; step++) {
    const choice = random(3);
    if (choice === 0) underWay.add(begin(work, 0, true));
    else if (choice === 1 && underWay.size > 0) {
      const complete = [...underWay][random(underWay.size)]!;
      complete();
      underWay.delete(complete);
      for (const { left } of asked) left.delete(complete);
    } else {
      const settled = work.settled(0);
      assertEquals(settled === undefined, underWay.size === 0);
      const entry = { left: new Set(underWay), isResolved: settled === undefined };
      settled?.then(() => entry.isResolved = true);
      asked.push(entry);
    }
    for (let round = 0; round < 5; round++) await Promise.resolve();
    for (const { left, isResolved } of asked) assertEquals(isResolved, left.size === 0);
  }
  for (const complete of underWay) complete();
  for (let round = 0; round < 5; round++) await Promise.resolve();
  assert(asked.every(({ isResolved }) => isResolved));
});
