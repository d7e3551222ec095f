/**
 * Stands in for the target worker: says that it is ready, and then fails as no worker should. With `?quietly` it says
 * that it failed, which ends it as well but for what Deno prints about an error that nobody caught.
 */
import type { FromWorker } from "../../lib/server/messages.ts";

interface CrashScope {
  postMessage(message: FromWorker): void;
  onmessage: (() => void) | null;
}

const scope = globalThis as unknown as CrashScope;
const MESSAGE = "a fault of ours";

scope.onmessage = (): void => {
  scope.postMessage({ kind: "ready" });
  if (import.meta.url.endsWith("?quietly")) return scope.postMessage({ kind: "failed", message: MESSAGE });
  setTimeout(() => {
    throw new RangeError(MESSAGE);
  });
};
