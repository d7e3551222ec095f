/**
 * Stands in for the target worker: says that it is ready, and then fails as no worker should. With `?quietly` it says
 * that it failed, which ends it as well but for what Deno prints about an error that nobody caught; with `?at-the-end`
 * it says so when it is told to stop.
 */
import type { FromWorker, ToWorker } from "../../lib/server/messages.ts";

interface CrashScope {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}

const scope = globalThis as unknown as CrashScope;
const MESSAGE = "a fault of ours";

scope.onmessage = ({ data }): void => {
  if (data.kind === "stop") return scope.postMessage({ kind: "failed", message: MESSAGE });
  scope.postMessage({ kind: "ready", faults: [] });
  if (import.meta.url.endsWith("?at-the-end")) return;
  if (import.meta.url.endsWith("?quietly")) return scope.postMessage({ kind: "failed", message: MESSAGE });
  setTimeout(() => {
    throw new RangeError(MESSAGE);
  });
};
