import { assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { StoreError } from "../../lib/store/block_store.ts";
import { FlushQueue } from "../../lib/store/flush_queue.ts";

function toError(cause: unknown): StoreError {
  return new StoreError("flushFailed", `Cannot flush: ${(cause as Error).message}`, { cause });
}

/** A queue whose synchronizations wait until the test ends them, in order. */
function makeQueue(): { queue: FlushQueue; syncs: PromiseWithResolvers<void>[] } {
  const syncs: PromiseWithResolvers<void>[] = [];
  const sync = (): Promise<void> => {
    syncs.push(Promise.withResolvers());
    return syncs.at(-1)!.promise;
  };
  return { queue: new FlushQueue({ sync, toError }), syncs };
}

/** Waits until everything that only waits for a microtask has happened. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("FlushQueue shares the next flush among all callers, and never one that has begun", async () => {
  const { queue, syncs } = makeQueue();
  const first = [queue.flush(), queue.flush()];
  await settle();
  assertEquals(syncs.length, 1);
  const second = [queue.flush(), queue.flush(), queue.flush()];
  await settle();
  assertEquals(syncs.length, 1);
  syncs[0]!.resolve();
  await Promise.all(first);
  await settle();
  assertEquals(syncs.length, 2);
  syncs[1]!.resolve();
  await Promise.all(second);
});

Deno.test("FlushQueue runs one piece of work at a time, in order of arrival, also after a failure", async () => {
  const { queue, syncs } = makeQueue();
  const done: string[] = [];
  const failing = queue.run(() => Promise.reject(new Error("failed")));
  const flush = queue.flush().then(() => done.push("flush"));
  const work = queue.run(() => Promise.resolve(done.push("work")));
  await assertRejects(() => failing, Error, "failed");
  await settle();
  assertEquals([done, syncs.length], [[], 1]);
  syncs[0]!.resolve();
  await Promise.all([flush, work]);
  assertEquals(done, ["flush", "work"]);
});

Deno.test("FlushQueue fails every flush after one that failed, with the same error and without trying", async () => {
  const { queue, syncs } = makeQueue();
  const failed = queue.flush();
  await settle();
  const next = queue.flush();
  syncs[0]!.reject(new Error("EIO"));
  const error = await assertRejects(() => failed, StoreError, "Cannot flush: EIO");
  assertStrictEquals(await assertRejects(() => next), error);
  assertStrictEquals(await assertRejects(() => queue.flush()), error);
  assertStrictEquals(assertThrows(() => queue.throwIfFailed()), error);
  assertStrictEquals(queue.fail(new Error("another")), error);
  assertEquals(syncs.length, 1);
});

Deno.test("FlushQueue tries again after a failure to open the file", async () => {
  let isOpen = false;
  let syncCount = 0;
  const queue = new FlushQueue({
    open: () => isOpen ? Promise.resolve() : Promise.reject(new Error("EMFILE")),
    sync: () => Promise.resolve(void syncCount++),
    toError,
  });
  await assertRejects(() => queue.flush(), StoreError, "Cannot flush: EMFILE");
  assertEquals(syncCount, 0);
  isOpen = true;
  await queue.flush();
  assertEquals(syncCount, 1);
});

Deno.test("FlushQueue calls back at once when idle, and else after what was queued, however that ends", async () => {
  const { queue, syncs } = makeQueue();
  const calls: string[] = [];
  queue.afterQueued(() => calls.push("idle"));
  assertEquals(calls, ["idle"]);
  const flush = queue.flush();
  await settle();
  queue.afterQueued(() => calls.push("failed"));
  await settle();
  assertEquals(calls, ["idle"]);
  syncs[0]!.reject(new Error("EIO"));
  await assertRejects(() => flush);
  await settle();
  assertEquals(calls, ["idle", "failed"]);
  queue.afterQueued(() => calls.push("idle again"));
  assertEquals(calls.at(-1), "idle again");
});
