/**
 * The metrics worker's entry: reads what comes over HTTP, so that the supervisor need not. Its one right is to listen
 * at its address, and it knows nothing but the text that the supervisor gives it when somebody asks.
 */
import { EventLog } from "../iscsi/events/event_log.ts";
import { MetricsEndpoint } from "./metrics_endpoint.ts";
import type { FromMetricsWorker, ToMetricsWorker } from "./metrics_messages.ts";
import { errorMessage } from "../base/error_message.ts";

/** A worker's global scope, of which Deno's types for main programs know nothing. */
interface WorkerScope {
  postMessage(message: FromMetricsWorker): void;
  onmessage: ((event: MessageEvent<ToMetricsWorker>) => void) | null;
}

serve(globalThis as unknown as WorkerScope);

function serve(scope: WorkerScope): void {
  let wanted = Promise.withResolvers<string>();
  const collect = (): Promise<string> => {
    wanted = Promise.withResolvers();
    scope.postMessage({ kind: "wanted" });
    return wanted.promise;
  };
  const log = new EventLog((event) => scope.postMessage({ kind: "log", event }));
  scope.onmessage = ({ data }) => {
    if (data.kind === "text") {
      if (data.text === undefined) wanted.reject(new Error("there are no metrics now"));
      else wanted.resolve(data.text);
      return;
    }
    try {
      new MetricsEndpoint(data.endpoint, { collect, log });
      scope.postMessage({ kind: "listening" });
    } catch (error) {
      scope.postMessage({ kind: "failed", message: errorMessage(error) });
    }
  };
}
