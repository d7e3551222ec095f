import { assertEquals } from "@std/assert";
import { WorkUnderWay } from "../../lib/iscsi/work_under_way.ts";

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

Deno.test("sessions() returns those that began work that is not done", async () => {
  const work = new WorkUnderWay();
  const complete = begin(work, 0, true, "first");
  begin(work, 0, true, "second");
  begin(work, 1, false, "second");
  assertEquals(work.sessions(), new Set(["first", "second"]));
  complete();
  await Promise.resolve();
  assertEquals([work.sessions(), work.count], [new Set(["second"]), 2]);
});
