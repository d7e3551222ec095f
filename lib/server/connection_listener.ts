import type { Portal } from "../access/portals.ts";
import { plainAddress } from "../bytes/network.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import type { ConnectionEnds } from "../iscsi/byte_stream.ts";
import { errorMessage } from "../base/error_message.ts";
import { delay } from "../base/delay.ts";

/** How long to wait when the system has no more sockets to give. */
const ACCEPT_RETRY_MS = 100;

/** How often that is told: whoever opens many connections must not fill the log as well. */
const COMPLAINT_INTERVAL_MS = 60_000;

/** What becomes of the connections that a listener accepts. */
export interface ConnectionListenerOptions {
  readonly serve: (connection: Deno.TcpConn, ends: ConnectionEnds) => void;
  readonly log: EventLog;
}

/** Listens at one address (a portal, or that of the metrics) until it is closed, and hands over every connection. */
export class ConnectionListener {
  readonly #listener: Deno.TcpListener;
  readonly #options: ConnectionListenerOptions;
  #isClosed = false;
  #complainedMs = -Infinity;

  /** @throws {Error} when the address cannot be listened at */
  constructor(portal: Portal, options: ConnectionListenerOptions) {
    this.#listener = listen(portal);
    this.#options = options;
    this.#accept();
  }

  /** Where it listens. */
  get address(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /** Accepts no more; connections that were handed over go on. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener.close();
  }

  async #accept(): Promise<void> {
    while (!this.#isClosed) {
      try {
        this.#handOver(await this.#listener.accept());
      } catch (error) {
        if (this.#isClosed) return;
        // Waiting for others would hold up everybody, as often as somebody likes to reset his connections.
        if (isPeerGone(error)) continue;
        // Mostly no file descriptor is left; the peer tries again.
        this.#warnOnce(error);
        await delay(ACCEPT_RETRY_MS);
      }
    }
  }

  #warnOnce(error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#complainedMs < COMPLAINT_INTERVAL_MS) return;
    this.#complainedMs = nowMs;
    const reason = errorMessage(error);
    this.#options.log.warning(`Cannot accept connections: ${reason}; trying again`);
  }

  #handOver(connection: Deno.TcpConn): void {
    const { localAddr, remoteAddr } = connection;
    connection.setNoDelay(true);
    // A peer that was switched off is found out, if late, and its session and limits are free again.
    connection.setKeepAlive(true);
    this.#options.serve(connection, {
      localAddress: plainAddress(localAddr.hostname),
      localPort: localAddr.port,
      peerAddress: plainAddress(remoteAddr.hostname),
    });
  }
}

/** Whether a connection was over before it was accepted, which says nothing about the next one. */
function isPeerGone(error: unknown): boolean {
  const { ConnectionAborted, ConnectionReset, NotConnected } = Deno.errors;
  return [ConnectionAborted, ConnectionReset, NotConnected].some((kind) => error instanceof kind);
}

/** The wildcard address of IPv6 takes in IPv4 as well; a machine without IPv6 listens at that of IPv4. */
function listen({ address, port }: Portal): Deno.TcpListener {
  if (address !== "::") return Deno.listen({ hostname: address, port });
  try {
    return Deno.listen({ hostname: "::", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.PermissionDenied) throw error;
    return Deno.listen({ hostname: "0.0.0.0", port });
  }
}
