import type { Portal } from "../access/portals.ts";
import { plainAddress } from "../bytes/network.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import type { ConnectionEnds } from "../iscsi/byte_stream.ts";
import { errorMessage } from "../base/error_message.ts";
import { delay } from "../base/delay.ts";

/** Milliseconds to wait when the system has no free file descriptor. */
const ACCEPT_RETRY_MS = 100;

/** Milliseconds between two warnings, so that a flood of connections does not fill the log. */
const WARNING_INTERVAL_MS = 60_000;

/** The collaborators of a listener. */
export interface ConnectionListenerOptions {
  readonly serve: (connection: Deno.TcpConn, ends: ConnectionEnds) => void;
  readonly log: EventLog;
}

/** A listener at one address, a portal or the metrics endpoint, that hands over every accepted connection. */
export class ConnectionListener {
  readonly #listener: Deno.TcpListener;
  readonly #options: ConnectionListenerOptions;
  #isClosed = false;
  #warnedMs = -Infinity;

  /** @throws {Error} when it cannot listen at the address */
  constructor(portal: Portal, options: ConnectionListenerOptions) {
    this.#listener = listen(portal);
    this.#options = options;
    this.#accept();
  }

  /** The address at which it listens. */
  get address(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /** Stops accepting; accepted connections stay open. */
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
        // A pause here would let a peer that resets its connections delay all others.
        if (isPeerGone(error)) continue;
        // Usually no file descriptor is left; the peer tries again.
        this.#warnOnce(error);
        await delay(ACCEPT_RETRY_MS);
      }
    }
  }

  #warnOnce(error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#warnedMs < WARNING_INTERVAL_MS) return;
    this.#warnedMs = nowMs;
    const reason = errorMessage(error);
    this.#options.log.warning(`Cannot accept connections: ${reason}; trying again`);
  }

  #handOver(connection: Deno.TcpConn): void {
    const { localAddr, remoteAddr } = connection;
    connection.setNoDelay(true);
    // Keepalive detects a peer that was switched off, which frees its session.
    connection.setKeepAlive(true);
    this.#options.serve(connection, {
      localAddress: plainAddress(localAddr.hostname),
      localPort: localAddr.port,
      peerAddress: plainAddress(remoteAddr.hostname),
    });
  }
}

/** Returns whether an error means that the peer closed the connection before it was accepted. */
function isPeerGone(error: unknown): boolean {
  const { ConnectionAborted, ConnectionReset, NotConnected } = Deno.errors;
  return [ConnectionAborted, ConnectionReset, NotConnected].some((kind) => error instanceof kind);
}

/** Listens at a portal. The IPv6 wildcard includes IPv4; without IPv6 the IPv4 wildcard replaces it. */
function listen({ address, port }: Portal): Deno.TcpListener {
  if (address !== "::") return Deno.listen({ hostname: address, port });
  try {
    return Deno.listen({ hostname: "::", port });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.PermissionDenied) throw error;
    return Deno.listen({ hostname: "0.0.0.0", port });
  }
}
