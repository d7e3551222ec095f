import { assertEquals, assertThrows } from "@std/assert";
import { HandlePool } from "../../lib/store/handle_pool.ts";
import { countHandles } from "../support/open_handles.ts";

/** Most handles of a pool. */
const HANDLES_MAX = 24;

/** A pool on a scratch file whose handles open when the test says so; every opening after a given number fails. */
class Fixture implements Disposable {
  readonly path = Deno.makeTempFileSync();
  readonly pool: HandlePool;
  readonly opening: (() => void)[] = [];
  asked = 0;

  constructor(openMax = Infinity) {
    this.pool = new HandlePool(this.#open(), () => {
      const isRefused = ++this.asked > openMax;
      return new Promise((resolve, reject) => {
        this.opening.push(() =>
          isRefused ? reject(new Error("Too many open files (os error 24)")) : resolve(this.#open())
        );
      });
    });
  }

  /** Ends every opening that is under way. */
  async openAll(): Promise<void> {
    for (const end of this.opening.splice(0)) end();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  [Symbol.dispose](): void {
    this.pool.close();
    Deno.removeSync(this.path);
  }

  #open(): Deno.FsFile {
    return Deno.openSync(this.path, { read: true });
  }
}

/**
 * Does `count` works at once in a pool; resolves to the largest number that ran at a time, and the order in which they
 * began.
 */
async function useAtOnce(
  { pool, opening }: Fixture,
  count: number,
): Promise<{ runningMax: number; order: number[] }> {
  const order: number[] = [];
  const handles = new Set<Deno.FsFile>();
  let runningMax = 0;
  const works = Array.from({ length: count }, async (_, index) => {
    const handle = pool.take() ?? await pool.nextGivenBack();
    for (const end of opening.splice(0)) end();
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

Deno.test("HandlePool opens handles on demand up to a limit, and serves the oldest caller first", async () => {
  using fixture = new Fixture();
  await useAtOnce(fixture, 1);
  assertEquals(fixture.asked, 0, "one is there from the start");
  const { runningMax, order } = await useAtOnce(fixture, 100);
  assertEquals([runningMax, fixture.asked], [HANDLES_MAX, HANDLES_MAX - 1]);
  assertEquals(order, order.toSorted((a, b) => a - b));
  await useAtOnce(fixture, 100);
  assertEquals(fixture.asked, HANDLES_MAX - 1, "what is open is used again");
});

Deno.test("HandlePool continues with its open handles when no more can be opened, and tries again", async () => {
  using fixture = new Fixture(1);
  const { runningMax, order } = await useAtOnce(fixture, 10);
  assertEquals([runningMax, order.length], [2, 10]);
  const before = fixture.asked;
  await fixture.openAll();
  await useAtOnce(fixture, 3);
  assertEquals(fixture.asked - before, 1);
  await fixture.openAll();
});

Deno.test("HandlePool does not wait for an opening while another handle is returned", async () => {
  using fixture = new Fixture();
  const { pool } = fixture;
  const first = pool.take()!;
  assertEquals(pool.take(), undefined);
  const second = pool.nextGivenBack();
  pool.giveBack(first);
  assertEquals(await second, first);
  await fixture.openAll();
  const opened = pool.take()!;
  assertEquals(opened === first, false, "what was opened meanwhile is there for the next");
  pool.giveBack(first);
  pool.giveBack(opened);
});

Deno.test("HandlePool.close() closes idle handles at once, and taken or opening ones on return", async () => {
  const fixture = new Fixture();
  const { pool } = fixture;
  const first = pool.take()!;
  assertEquals(pool.take(), undefined);
  const waiting = pool.nextGivenBack();
  await fixture.openAll();
  const second = await waiting;
  assertEquals(pool.take(), undefined);
  pool.giveBack(first);
  fixture[Symbol.dispose]();
  assertThrows(() => first.statSync(), Deno.errors.BadResource);
  second.statSync();
  pool.giveBack(second);
  assertThrows(() => second.statSync(), Deno.errors.BadResource);
  Deno.writeFileSync(fixture.path, new Uint8Array());
  await fixture.openAll();
  assertEquals(countHandles(fixture.path), 0);
  Deno.removeSync(fixture.path);
  assertThrows(() => pool.take(), Error, "it is closed");
});
