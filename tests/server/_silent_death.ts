/**
 * Runs a supervisor whose worker dies without a message, and prints the result as JSON: the supervisor's error, how
 * often it was ready, and whether it gave the lease back. Deno prints the worker's fault to this program's stderr.
 */
import { withScratch } from "../provision/scratch.ts";
import { makeServed } from "./_serving.ts";
import { servingOf, start, withQuickTimes, withWorkers } from "./_supervised.ts";

await withScratch((folder) =>
  withQuickTimes(() =>
    withWorkers(["./_crashing_worker.ts?unheard"], async () => {
      const served = makeServed(folder);
      const ended: string[] = [];
      const serving = servingOf(served);
      const lease = { ...serving.lease, end: () => Promise.resolve(void ended.push("given back")) };
      const running = start(served, undefined, { ...serving, lease });
      const error = await running.ended;
      console.log(JSON.stringify([error, running.readyCount(), ended]));
    })
  )
);
