import { assert, assertEquals, assertRejects } from "@std/assert";
import { type ByteRange, mergeRanges } from "../../lib/store/byte_range.ts";
import { PunchQueue } from "../../lib/store/punch_queue.ts";

function range(offset: number, lengthBytes = 1): ByteRange {
  return { offset, lengthBytes };
}

/** A queue whose batches wait until they are ended. */
function makeQueue(): { queue: PunchQueue; batches: (readonly ByteRange[])[]; end(error?: Error): void } {
  const batches: (readonly ByteRange[])[] = [];
  const waiting: PromiseWithResolvers<void>[] = [];
  const queue = new PunchQueue((ranges) => {
    batches.push(ranges);
    waiting.push(Promise.withResolvers<void>());
    return waiting.at(-1)!.promise;
  });
  return {
    queue,
    batches,
    end: (error) => error === undefined ? waiting.shift()!.resolve() : waiting.shift()!.reject(error),
  };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

Deno.test("PunchQueue punches one batch at a time, and merges later requests", async () => {
  const { queue, batches, end } = makeQueue();
  const ended: string[] = [];
  const add = (name: string, ...ranges: ByteRange[]): Promise<unknown> =>
    queue.add(ranges).then(() => ended.push(name));
  const all = [add("a", range(0)), add("b", range(4)), add("c", range(2), range(5)), add("d", range(3))];
  assert(queue.isBusy);
  await settle();
  assertEquals([batches, ended], [[[range(0)]], []]);
  end();
  await settle();
  assertEquals([batches.slice(1), ended], [[[range(2, 4)]], ["a"]]);
  end();
  await Promise.all(all);
  assertEquals([batches.length, ended, queue.isBusy], [2, ["a", "b", "c", "d"], false]);
});

Deno.test("PunchQueue.endOfBatchWith() finds the batch under way and the waiting one", async () => {
  const { queue, end } = makeQueue();
  const first = queue.add([range(10, 10)]);
  const second = queue.add([range(40, 10)]);
  assertEquals([queue.endOfBatchWith(0, 10), queue.endOfBatchWith(20, 20), queue.endOfBatchWith(50, 9)], [
    undefined,
    undefined,
    undefined,
  ]);
  let isOver = false;
  const waited = queue.endOfBatchWith(19, 1)!.then(() => isOver = true);
  assert(
    queue.endOfBatchWith(45, 1) !== undefined && queue.endOfBatchWith(45, 1) !== queue.endOfBatchWith(10, 1),
  );
  await settle();
  assertEquals(isOver, false);
  end();
  await Promise.all([first, waited]);
  assertEquals(queue.endOfBatchWith(10, 10), undefined);
  assert(queue.endOfBatchWith(40, 1) !== undefined);
  end();
  await second;
});

Deno.test("PunchQueue reports a failure to the callers of that batch, and continues", async () => {
  const { queue, end } = makeQueue();
  const failing = queue.add([range(0)]);
  const over = queue.endOfBatchWith(0, 1)!;
  const next = queue.add([range(0)]);
  end(new Error("no holes"));
  await assertRejects(() => failing, Error, "no holes");
  await over;
  end();
  await next;
  assertEquals(queue.isBusy, false);
});

Deno.test("PunchQueue limits the ranges of a batch, unless a single command exceeds the limit", async () => {
  const { queue, batches, end } = makeQueue();
  const many = (from: number, count: number): ByteRange[] =>
    mergeRanges(Array.from({ length: count }, (_, index) => range(2 * (from + index))));
  const all = [many(0, 1500), many(0, 600), many(600, 424), many(1024, 1), many(0, 3)].map((ranges) =>
    queue.add(ranges)
  );
  while (queue.isBusy) {
    end();
    await settle();
  }
  await Promise.all(all);
  assertEquals(batches.map((ranges) => ranges.length), [1500, 1024, 4]);
});

Deno.test("PunchQueue lets requests wait when there are many batches, and serves them in their order", async () => {
  const { queue, batches, end } = makeQueue();
  const full = mergeRanges(Array.from({ length: 1024 }, (_, index) => range(2 * index)));
  const ended: number[] = [];
  const all = Array.from(
    { length: 20 },
    (_, index) => queue.add(full).then(() => ended.push(index), () => ended.push(-index)),
  );
  const last = queue.add([range(5000)]);
  // A request that waits is not searched: it has not begun.
  assertEquals(queue.endOfBatchWith(5000, 1), undefined);
  for (let batch = 0; batch < 20; batch++) {
    await settle();
    assertEquals(batches.length, batch + 1);
    end(batch === 15 ? new Error("no holes") : undefined);
  }
  await Promise.all(all);
  assertEquals(ended, Array.from({ length: 20 }, (_, index) => index === 15 ? -15 : index));
  assert(queue.endOfBatchWith(5000, 1) !== undefined);
  end();
  await last;
  assertEquals(queue.isBusy, false);
});
