/** A compromised target worker: it sends an invalid message at its start or, with `?when-asked`, an invalid answer. */
import type { ToWorker } from "../../../lib/server/worker/messages.ts";
import { type EndingScope, WorkerEnding } from "../../../lib/server/worker/worker_ending.ts";
import { FileActivity } from "../../../lib/store/file_activity.ts";

interface LyingScope extends Omit<EndingScope, "postMessage"> {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}

const scope = globalThis as unknown as LyingScope;
const ending = new WorkerEnding(scope, new FileActivity(), () => {});

scope.onmessage = ({ data }): void => {
  switch (data.kind) {
    case "start":
      scope.postMessage({ kind: "ready", faults: [] });
      if (new URL(import.meta.url).search === "") {
        scope.postMessage({ kind: "log", event: { level: "high" } });
      }
      return;
    case "ask":
      // The supervisor pings whenever it likes.
      if (data.question.kind === "ping") {
        return scope.postMessage({ kind: "answered", id: data.id, answer: null });
      }
      return scope.postMessage({ kind: "answered", id: data.id, answer: { sessions: "all" } });
    case "stop":
      return void ending.end({ kind: "stopped" });
    case "cut":
      return void ending.end({ kind: "failed", message: data.message });
  }
};
