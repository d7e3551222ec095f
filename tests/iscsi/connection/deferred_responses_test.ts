import { assertEquals } from "@std/assert";
import { DeferredResponses } from "../../../lib/iscsi/connection/deferred_responses.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";

Deno.test("after() responds at once when there is nothing to wait for, and wakes nobody", () => {
  const calls: string[] = [];
  new DeferredResponses(() => calls.push("wake")).after(undefined, () => calls.push("respond"));
  assertEquals(calls, ["respond"]);
});

Deno.test("after() responds when the work has settled, and then has the response sent", async () => {
  const calls: string[] = [];
  const settled = Promise.withResolvers<void>();
  new DeferredResponses(() => calls.push("wake")).after(settled.promise, () => calls.push("respond"));
  assertEquals(calls, []);
  settled.resolve();
  await settled.promise;
  assertEquals(calls, ["respond", "wake"]);
});

Deno.test("isFull counts the responses that wait, and not those that have been sent", async () => {
  const deferred = new DeferredResponses(() => {});
  const settled = Promise.withResolvers<void>();
  for (let count = 0; count < Limits.immediateCommands; count++) {
    assertEquals(deferred.isFull, false);
    deferred.after(settled.promise, () => {});
  }
  assertEquals(deferred.isFull, true);
  settled.resolve();
  await settled.promise;
  assertEquals(deferred.isFull, false);
});
