/** Helpers of the tests of the relay: two linked ends over a message channel of this process. */
import { RelayLink } from "../../../lib/server/relay/relay_link.ts";
import type { RelayPort } from "../../../lib/server/relay/relay_message.ts";
import type { RelayedStream } from "../../../lib/server/relay/relayed_stream.ts";
import type { ConnectionEnds } from "../../../lib/iscsi/byte_stream.ts";

export const ENDS: ConnectionEnds = {
  localAddress: "192.0.2.1",
  localPort: 3260,
  peerAddress: "192.0.2.7",
};

/** A link: the end that opens connections, and the end at which they arrive. */
export class Linked implements Disposable {
  readonly near: RelayLink;
  readonly far: RelayLink;
  readonly arrived: { readonly stream: RelayedStream; readonly ends: ConnectionEnds }[] = [];
  readonly #channel = new MessageChannel();
  #onArrival: (() => void) | undefined;

  constructor() {
    const { port1, port2 } = this.#channel;
    this.near = new RelayLink(port1 as RelayPort, (stream) => stream.close());
    this.far = new RelayLink(port2 as RelayPort, (stream, ends) => {
      this.arrived.push({ stream, ends });
      this.#onArrival?.();
    });
  }

  /** Opens a connection and returns its two ends. */
  async open(ends: ConnectionEnds = ENDS): Promise<[RelayedStream, RelayedStream]> {
    const count = this.arrived.length;
    const arrival = new Promise<void>((resolve) => this.#onArrival = resolve);
    const near = this.near.open(ends);
    await arrival;
    return [near, this.arrived[count]!.stream];
  }

  [Symbol.dispose](): void {
    this.near.close();
    this.far.close();
    this.#channel.port1.close();
    this.#channel.port2.close();
  }
}
