/**
 * The program of a relay, which listens at a portal that the target worker has no right to, and relays the bytes of
 * each connection to it without parsing them. Its only right is to listen at that portal.
 */
import type { Portal } from "../../access/portals.ts";
import { EventLog } from "../../iscsi/events/event_log.ts";
import { ConnectionListener } from "../connection_listener.ts";
import { joinStreams } from "./join_streams.ts";
import type { FromRelay, ToRelay } from "./relay_control.ts";
import { RelayLink } from "./relay_link.ts";
import { errorMessage } from "../../base/error_message.ts";

/** A worker's global scope, which Deno's types for main programs lack. */
interface WorkerScope {
  postMessage(message: FromRelay): void;
  onmessage: ((event: MessageEvent<ToRelay>) => void) | null;
}

relay(globalThis as unknown as WorkerScope);

function relay(scope: WorkerScope): void {
  let link: RelayLink | undefined;
  let listener: ConnectionListener | undefined;
  let isStopping = false;
  let connections = 0;
  const reportIfStopped = (): void => {
    if (isStopping && connections === 0) scope.postMessage({ kind: "stopped" });
  };
  const start = (portal: Portal, port: MessagePort): void => {
    // Only this end opens connections.
    const toTarget = link = new RelayLink(port, (stream) => stream.close());
    listener = new ConnectionListener(portal, {
      log: new EventLog((event) => scope.postMessage({ kind: "log", event })),
      serve: async (connection, ends) => {
        connections++;
        await joinStreams(connection, toTarget.open(ends));
        connections--;
        reportIfStopped();
      },
    });
    const { hostname: address, port: portNumber } = listener.address;
    scope.postMessage({ kind: "listening", portal: { address, port: portNumber } });
  };
  scope.onmessage = ({ data }) => {
    if (data.kind !== "start") {
      isStopping = true;
      listener?.close();
      if (data.kind === "end") link?.close();
      return reportIfStopped();
    }
    try {
      start(data.portal, data.link);
    } catch (error) {
      scope.postMessage({ kind: "failed", message: errorMessage(error) });
    }
  };
}
