/**
 * A target worker that reports that it is ready and then throws. With `?quietly` it reports a failure instead; with
 * `?at-the-end` it does so when it is stopped; with `?unreported` it throws without reporting its operations.
 */
import type { ToWorker } from "../../../lib/server/worker/messages.ts";
import { type EndingScope, WorkerEnding } from "../../../lib/server/worker/worker_ending.ts";
import { FileActivity } from "../../../lib/store/file_activity.ts";

interface CrashScope extends EndingScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}

const scope = globalThis as unknown as CrashScope;
const MESSAGE = "a fault of ours";
const manner = new URL(import.meta.url).search;

if (manner !== "?unreported") new WorkerEnding(scope, new FileActivity(), () => {});

scope.onmessage = ({ data }): void => {
  if (data.kind === "stop") return scope.postMessage({ kind: "failed", message: MESSAGE });
  if (data.kind !== "start") return;
  scope.postMessage({ kind: "ready", faults: [] });
  if (manner === "?at-the-end") return;
  if (manner === "?quietly") return scope.postMessage({ kind: "failed", message: MESSAGE });
  setTimeout(() => {
    throw new RangeError(MESSAGE);
  });
};
