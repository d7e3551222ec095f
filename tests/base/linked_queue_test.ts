import { assertEquals } from "@std/assert";
import { LinkedQueue } from "../../lib/base/linked_queue.ts";

/** Removes and returns all values, the first one first. */
function drain(
  queue: LinkedQueue<number>,
  entries: ReadonlyMap<number, ReturnType<typeof queue.push>>,
): number[] {
  const values: number[] = [];
  for (let value = queue.first; value !== undefined; value = queue.first) {
    values.push(value);
    queue.remove(entries.get(value)!);
  }
  return values;
}

Deno.test("LinkedQueue keeps the order of its values when some are removed anywhere", () => {
  for (const removed of [[], [1], [3], [5], [1, 2], [4, 5], [5, 1, 3], [1, 2, 3, 4, 5]]) {
    const queue = new LinkedQueue<number>();
    const entries = new Map([1, 2, 3, 4, 5].map((value) => [value, queue.push(value)]));
    for (const value of removed) queue.remove(entries.get(value)!);
    entries.set(6, queue.push(6));
    assertEquals([...queue], [1, 2, 3, 4, 5, 6].filter((value) => !removed.includes(value)));
    assertEquals(drain(queue, entries), [1, 2, 3, 4, 5, 6].filter((value) => !removed.includes(value)));
    assertEquals([queue.isEmpty, queue.first], [true, undefined]);
  }
});

Deno.test("LinkedQueue.shift() removes the oldest value", () => {
  const queue = new LinkedQueue<number>();
  queue.push(1);
  queue.push(2);
  assertEquals([queue.shift(), queue.first, queue.shift(), queue.shift()], [1, 2, 2, undefined]);
  queue.push(3);
  assertEquals([...queue], [3]);
});
