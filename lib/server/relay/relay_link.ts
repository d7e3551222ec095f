import type { RelayMessage, RelayPort } from "./relay_message.ts";
import { RelayedStream } from "./relayed_stream.ts";
import type { ConnectionEnds } from "../../iscsi/byte_stream.ts";

/** One end of the link between a relay and the target worker, with the connections that it carries. */
export class RelayLink {
  readonly #port: RelayPort;
  readonly #onOpen: (stream: RelayedStream, ends: ConnectionEnds) => void;
  readonly #streams = new Map<number, RelayedStream>();
  #lastId = 0;

  /** @param onOpen called for each connection that the other end opens */
  constructor(port: RelayPort, onOpen: (stream: RelayedStream, ends: ConnectionEnds) => void) {
    this.#port = port;
    this.#onOpen = onOpen;
    port.onmessage = ({ data }) => this.#onMessage(data);
  }

  /** Opens a connection to the other end. */
  open(ends: ConnectionEnds): RelayedStream {
    const id = ++this.#lastId;
    this.#port.postMessage({ kind: "open", id, ends }, []);
    return this.#add(id);
  }

  /** Closes all connections, because the other end is gone. */
  close(): void {
    for (const stream of [...this.#streams.values()]) stream.close();
  }

  #onMessage(message: RelayMessage): void {
    if (message.kind === "open") return this.#onOpen(this.#add(message.id), message.ends);
    // Messages for a closed connection are dropped.
    this.#streams.get(message.id)?.onMessage(message);
  }

  #add(id: number): RelayedStream {
    const stream = new RelayedStream(id, this.#port, () => this.#streams.delete(id));
    this.#streams.set(id, stream);
    return stream;
  }
}
