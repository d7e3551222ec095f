/**
 * Runs a supervisor whose worker dies without a message, and prints the result as JSON: the supervisor's error, how
 * often it was ready, and whether it gave the lease back. Deno prints the worker's fault to this program's stderr.
 */
import { withScratch } from "../../provision/scratch.ts";
import { makeServed } from "../_serving.ts";
import { QUICK_CLOCK, servingOf, start, TestWorkers } from "./_supervised.ts";

await withScratch(async (folder) => {
  const served = makeServed(folder);
  const ended: string[] = [];
  const serving = servingOf(served);
  const lease = { ...serving.lease, end: () => Promise.resolve(void ended.push("given back")) };
  const workers = new TestWorkers(["./_crashing_worker.ts?unreported"]);
  const running = start(served, { serving: { ...serving, lease }, workers, clock: QUICK_CLOCK });
  const error = await running.ended;
  console.log(JSON.stringify([error, running.readyCount(), ended]));
});
