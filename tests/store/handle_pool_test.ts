import { assertEquals, assertThrows } from "@std/assert";
import { HandlePool } from "../../lib/store/handle_pool.ts";

/** A pool on a scratch file; `open` may fail from its call number `failFrom` on. */
function makePool(failFrom = Infinity): { pool: HandlePool; opened: () => number; close(): void } {
  const path = Deno.makeTempFileSync();
  let opened = 0;
  const pool = new HandlePool(() => {
    if (opened + 1 >= failFrom) throw new Error("Too many open files (os error 24)");
    opened++;
    return Deno.openSync(path, { read: true });
  });
  return {
    pool,
    opened: () => opened,
    close: () => {
      pool.close();
      Deno.removeSync(path);
    },
  };
}

/** Has `count` works at once in a pool; resolves to the most that ran at a time, and the order in which they began. */
async function useAtOnce(pool: HandlePool, count: number): Promise<{ runningMax: number; order: number[] }> {
  const order: number[] = [];
  const handles = new Set<Deno.FsFile>();
  let runningMax = 0;
  const works = Array.from({ length: count }, async (_, index) => {
    const handle = pool.take() ?? await pool.nextGivenBack();
    assertEquals(handles.has(handle), false, "a handle has one user at a time");
    handles.add(handle);
    order.push(index);
    runningMax = Math.max(runningMax, handles.size);
    await new Promise((resolve) => setTimeout(resolve, 1));
    handles.delete(handle);
    pool.giveBack(handle);
  });
  await Promise.all(works);
  return { runningMax, order };
}

Deno.test("HandlePool opens handles as they are needed, up to a limit, and serves the oldest first", async () => {
  const { pool, opened, close } = makePool();
  assertEquals(opened(), 1);
  await useAtOnce(pool, 1);
  assertEquals(opened(), 1);
  const { runningMax, order } = await useAtOnce(pool, 100);
  assertEquals(runningMax, opened());
  assertEquals(opened(), 32);
  assertEquals(order, order.toSorted((a, b) => a - b));
  close();
});

Deno.test("HandlePool does with the handles that it has when no more can be opened", async () => {
  const { pool, opened, close } = makePool(3);
  const { runningMax, order } = await useAtOnce(pool, 10);
  assertEquals([opened(), runningMax, order.length], [2, 2, 10]);
  close();
});

Deno.test("HandlePool closes what is idle at once, and what is taken when it is given back", () => {
  const { pool, close } = makePool();
  const [first, second] = [pool.take()!, pool.take()!];
  pool.giveBack(first);
  close();
  assertThrows(() => first.statSync(), Deno.errors.BadResource);
  second.statSync();
  pool.giveBack(second);
  assertThrows(() => second.statSync(), Deno.errors.BadResource);
  assertThrows(() => pool.take(), Error, "it is closed");
});
