/**
 * The program of the metrics worker, which parses HTTP in place of the supervisor. Its only right is to listen at its
 * address; the supervisor sends it the metrics on request.
 */
import { EventLog } from "../../iscsi/events/event_log.ts";
import { MetricsEndpoint } from "./metrics_endpoint.ts";
import type { FromMetricsWorker, ToMetricsWorker } from "./metrics_messages.ts";
import { errorMessage } from "../../base/error_message.ts";

/** A worker's global scope, which Deno's types for main programs lack. */
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
