import { assertEquals, assertThrows } from "@std/assert";
import type { FromWorker } from "../../../lib/server/worker/messages.ts";
import { type EndingScope, WorkerEnding } from "../../../lib/server/worker/worker_ending.ts";
import { StoreError } from "../../../lib/store/block_store.ts";
import { FileActivity } from "../../../lib/store/file_activity.ts";

/** The global scope of a worker that does nothing but end. */
class Scope implements EndingScope {
  readonly said: (FromWorker | "closed")[] = [];
  readonly #listeners = new Map<string, (event: Event) => void>();

  postMessage(message: FromWorker): void {
    this.said.push(message);
  }

  addEventListener(type: string, listener: (event: Event) => void): void {
    this.#listeners.set(type, listener);
  }

  close(): void {
    this.said.push("closed");
  }

  /** Has something happen, and returns whether that ends with it. */
  dispatch(event: Event): boolean {
    this.#listeners.get(event.type)!(event);
    return event.defaultPrevented;
  }
}

Deno.test("WorkerEnding lets nothing begin, and ends when nothing is under way", async () => {
  const scope = new Scope();
  const activity = new FileActivity();
  activity.begin("/a");
  const deeds: string[] = [];
  const ending = new WorkerEnding(scope, activity, () => {
    assertThrows(() => activity.begin("/b"), StoreError);
    deeds.push("aborted");
  });
  assertEquals(ending.hasBegun, false);
  const ended = ending.end({ kind: "failed", message: "first" });
  await ending.end({ kind: "stopped" });
  assertEquals([ending.hasBegun, deeds], [true, ["aborted"]]);
  assertEquals(scope.said, [{ kind: "ending", files: ["/a"] }]);
  activity.end("/a");
  await ended;
  assertEquals(scope.said.slice(1), [{ kind: "failed", message: "first" }, "closed"]);
});

Deno.test("WorkerEnding ends a worker after a fault, and says where it happened", async () => {
  const fault = new RangeError("a fault of ours");
  fault.stack = `RangeError: a fault of ours\n    at first (a.ts:1:2)\n${"    at others\n".repeat(9)}`;
  const errors: readonly (readonly [event: Event, message: string])[] = [
    [
      new ErrorEvent("error", { error: fault, cancelable: true }),
      `RangeError: a fault of ours at first (a.ts:1:2)${" at others".repeat(4)}`,
    ],
    [new ErrorEvent("error", { error: null, cancelable: true }), "null"],
    [
      new PromiseRejectionEvent("unhandledrejection", {
        promise: Promise.resolve(),
        reason: 7,
        cancelable: true,
      }),
      "7",
    ],
  ];
  for (const [event, message] of errors) {
    const scope = new Scope();
    new WorkerEnding(scope, new FileActivity(), () => {});
    assertEquals(scope.dispatch(event), true);
    await Promise.resolve();
    await Promise.resolve();
    assertEquals(scope.said[0], { kind: "crashed", message });
  }
});

Deno.test("WorkerEnding ends a worker that cannot close everything", async () => {
  const scope = new Scope();
  const ending = new WorkerEnding(scope, new FileActivity(), () => {
    throw new Error("it is closed");
  });
  await ending.end({ kind: "stopped" });
  assertEquals(scope.said, [
    {
      kind: "log",
      event: { level: "error", message: "Target worker cannot close everything: it is closed" },
    },
    { kind: "stopped" },
    "closed",
  ]);
});
