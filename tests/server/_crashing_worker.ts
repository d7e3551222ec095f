/**
 * Stands in for the target worker: says that it is ready, and then fails as no worker should. With `?quietly` it says
 * that it failed; with `?at-the-end` it says so when it is told to stop; with `?unheard` it dies without a word.
 */
import type { ToWorker } from "../../lib/server/messages.ts";
import { type EndingScope, WorkerEnding } from "../../lib/server/worker_ending.ts";
import { FileActivity } from "../../lib/store/file_activity.ts";

interface CrashScope extends EndingScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}

const scope = globalThis as unknown as CrashScope;
const MESSAGE = "a fault of ours";
const manner = new URL(import.meta.url).search;

if (manner !== "?unheard") new WorkerEnding(scope, new FileActivity(), () => {});

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
