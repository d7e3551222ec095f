import { assertEquals, assertRejects } from "@std/assert";
import { VolatileCache } from "../../../lib/scsi/medium/volatile_cache.ts";

function flushNow(cache: VolatileCache): Promise<void> {
  return cache.flush(() => Promise.resolve());
}

Deno.test("VolatileCache is not durable until the first flush, because of earlier processes", async () => {
  const cache = new VolatileCache();
  assertEquals(cache.isDurable, false);
  await flushNow(cache);
  assertEquals(cache.isDurable, true);
});

Deno.test("VolatileCache is not durable from the start of a write to the end of the next flush", async () => {
  const cache = new VolatileCache();
  await flushNow(cache);
  cache.begin();
  assertEquals(cache.isDurable, false);
  cache.end();
  assertEquals(cache.isDurable, false);
  await flushNow(cache);
  assertEquals(cache.isDurable, true);
});

Deno.test("VolatileCache does not count a flush for a write that ends after the flush began", async () => {
  const cache = new VolatileCache();
  cache.begin();
  await flushNow(cache);
  assertEquals(cache.isDurable, false, "the write is under way");
  const flushed = cache.flush(() => {
    cache.end();
    return Promise.resolve();
  });
  await flushed;
  assertEquals(cache.isDurable, false, "the write ended while the flush was under way");
  await flushNow(cache);
  assertEquals(cache.isDurable, true);
});

Deno.test("VolatileCache counts a synchronous change", async () => {
  const cache = new VolatileCache();
  await flushNow(cache);
  cache.change();
  assertEquals(cache.isDurable, false);
  await flushNow(cache);
  assertEquals(cache.isDurable, true);
});

Deno.test("VolatileCache does not change after a flush that fails or is overtaken", async () => {
  const cache = new VolatileCache();
  const fail = (): Promise<void> => Promise.reject(new Error("told to fail"));
  await assertRejects(() => cache.flush(fail), Error, "told to fail");
  assertEquals(cache.isDurable, false);
  const early = Promise.withResolvers<void>();
  const slow = cache.flush(() => early.promise);
  cache.change();
  await flushNow(cache);
  assertEquals(cache.isDurable, true);
  early.resolve();
  await slow;
  assertEquals(cache.isDurable, true);
});
