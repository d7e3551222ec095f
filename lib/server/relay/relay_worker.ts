/**
 * A relay's entry: listens at a portal that the target worker has no right to, and hands each connection's bytes on to
 * it. It understands none of them, and its one right is that portal.
 */
import type { Portal } from "../../access/portals.ts";
import { EventLog } from "../../iscsi/events/event_log.ts";
import { ConnectionListener } from "../connection_listener.ts";
import { joinStreams } from "./join_streams.ts";
import type { FromRelay, ToRelay } from "./relay_control.ts";
import { RelayLink } from "./relay_link.ts";
import { errorMessage } from "../../base/error_message.ts";

/** A worker's global scope, of which Deno's types for main programs know nothing. */
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
  const stopIfOver = (): void => {
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
        stopIfOver();
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
      return stopIfOver();
    }
    try {
      start(data.portal, data.link);
    } catch (error) {
      scope.postMessage({ kind: "failed", message: errorMessage(error) });
    }
  };
}
