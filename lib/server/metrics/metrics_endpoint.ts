/**
 * Serves the metrics over HTTP, at `/metrics` and `/`. It does not depend on workers and messages, so tests run it
 * directly. `Deno.serve` limits neither the number nor the duration of connections, so HTTP is implemented here.
 */
import type { Endpoint } from "../../config/config.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { EXPOSITION_CONTENT_TYPE } from "../../metrics/exposition.ts";
import {
  describeStatus,
  formatResponse,
  headLength,
  parseHead,
  type Status,
} from "../../metrics/http_request.ts";
import { ConnectionListener } from "../connection_listener.ts";
import { MetricsLimits } from "./metrics_limits.ts";

const PATHS = ["/metrics", "/"];
const METHODS = ["GET", "HEAD"];

/** The collaborators of an endpoint. */
export interface MetricsEndpointOptions {
  /** Returns the metrics as text; a rejection is answered with status 503. */
  readonly collect: () => Promise<string>;
  readonly log: EventLog;
}

/** An HTTP server for metrics. */
export class MetricsEndpoint {
  readonly #listener: ConnectionListener;
  readonly #collect: () => Promise<string>;
  readonly #connections = new Set<Deno.TcpConn>();
  /** The most recent text, which may still be pending. */
  #text: Promise<string> | undefined;
  /** The time from which a new text is collected. */
  #staleMs = Infinity;

  /**
   * Starts to serve.
   *
   * @throws {Error} when it cannot listen at the address
   */
  constructor(endpoint: Endpoint, { collect, log }: MetricsEndpointOptions) {
    this.#collect = collect;
    const serve = (connection: Deno.TcpConn): void => this.#admit(connection);
    this.#listener = new ConnectionListener(endpoint, { serve, log });
  }

  /** The port at which it listens. */
  get port(): number {
    return this.#listener.address.port;
  }

  /** Stops listening and closes every connection. */
  close(): void {
    this.#listener.close();
    for (const connection of [...this.#connections]) this.#end(connection);
  }

  #admit(connection: Deno.TcpConn): void {
    if (this.#connections.size < MetricsLimits.connections) this.#serve(connection);
    else connection.close();
  }

  async #serve(connection: Deno.TcpConn): Promise<void> {
    this.#connections.add(connection);
    const deadline = setTimeout(() => this.#end(connection), MetricsLimits.connectionMs);
    try {
      await this.#answer(connection);
    } catch {
      // The peer has disconnected or exceeded its time limit.
    } finally {
      clearTimeout(deadline);
      this.#end(connection);
    }
  }

  #end(connection: Deno.TcpConn): void {
    if (this.#connections.delete(connection)) connection.close();
  }

  async #answer(connection: Deno.TcpConn): Promise<void> {
    const head = await receiveHead(connection);
    if (head === undefined) return;
    const response = head === "tooLong" ? refuse(431) : await this.#respond(head);
    for (let sent = 0; sent < response.length;) sent += await connection.write(response.subarray(sent));
    // Unread bytes at the close would cause a reset, which may discard the response.
    await connection.closeWrite();
    await drain(connection);
  }

  async #respond(head: Uint8Array): Promise<Uint8Array> {
    const request = parseHead(head);
    if (request === undefined) return refuse(400);
    const { method, path } = request;
    if (!METHODS.includes(method)) return refuse(405, { Allow: METHODS.join(", ") });
    const withBody = method === "GET";
    if (!PATHS.includes(path)) return refuse(404, {}, withBody);
    try {
      const text = await this.#recentText();
      return formatResponse(
        { status: 200, fields: { "Content-Type": EXPOSITION_CONTENT_TYPE } },
        text,
        withBody,
      );
    } catch {
      return refuse(503, {}, withBody);
    }
  }

  /** Returns the most recent text, so the number of clients does not increase the load on the server. */
  #recentText(): Promise<string> {
    if (this.#text === undefined || performance.now() > this.#staleMs) {
      this.#staleMs = Infinity;
      this.#text = this.#collect().finally(() => this.#staleMs = performance.now() + MetricsLimits.freshMs);
    }
    return this.#text;
  }
}

/** Receives the head of a request; undefined when the peer disconnects first. */
async function receiveHead(connection: Deno.TcpConn): Promise<Uint8Array | "tooLong" | undefined> {
  const buffer = new Uint8Array(MetricsLimits.headBytes);
  for (let received = 0; received < buffer.length;) {
    const count = await connection.read(buffer.subarray(received));
    if (count === null) return undefined;
    received += count;
    const length = headLength(buffer.subarray(0, received));
    if (length !== undefined) return buffer.subarray(0, length);
  }
  return "tooLong";
}

async function drain(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(MetricsLimits.headBytes);
  for (let total = 0; total < MetricsLimits.drainedBytes;) {
    const count = await connection.read(buffer);
    if (count === null) return;
    total += count;
  }
}

function refuse(status: Status, fields: Readonly<Record<string, string>> = {}, withBody = true): Uint8Array {
  const all = { ...fields, "Content-Type": "text/plain; charset=utf-8" };
  return formatResponse({ status, fields: all }, describeStatus(status), withBody);
}
