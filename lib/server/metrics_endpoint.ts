/**
 * Serves one document over HTTP: whoever asks for `/metrics` or `/` gets it, and everything else is refused. It knows
 * nothing of workers and messages, so that tests run it as it is.
 */
import type { Endpoint } from "../config/config.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import { EXPOSITION_CONTENT_TYPE } from "../metrics/exposition.ts";
import {
  describeStatus,
  formatResponse,
  headLength,
  parseHead,
  type Status,
} from "../metrics/http_request.ts";
import { ConnectionListener } from "./connection_listener.ts";
import { MetricsLimits } from "./metrics_limits.ts";

const PATHS = ["/metrics", "/"];
const METHODS = ["GET", "HEAD"];

/** What an endpoint needs. */
export interface MetricsEndpointOptions {
  /** Makes the document; it may reject, and then there is none for now. */
  readonly collect: () => Promise<string>;
  readonly log: EventLog;
}

/** An HTTP server for metrics. */
export class MetricsEndpoint {
  readonly #listener: ConnectionListener;
  readonly #collect: () => Promise<string>;
  readonly #connections = new Set<Deno.TcpConn>();
  /** The text of a moment ago, or the one that is being made. */
  #text: Promise<string> | undefined;
  /** From when on another one is made. */
  #staleMs = Infinity;

  /**
   * Listens and serves.
   *
   * @throws {Error} when the address cannot be listened at
   */
  constructor(endpoint: Endpoint, { collect, log }: MetricsEndpointOptions) {
    this.#collect = collect;
    const serve = (connection: Deno.TcpConn): void => this.#admit(connection);
    this.#listener = new ConnectionListener(endpoint, { serve, log });
  }

  /** Where it listens. */
  get port(): number {
    return this.#listener.address.port;
  }

  /** Stops listening, and ends every connection. */
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
      // The peer is gone, or has used up its time.
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
    // Whatever else has come must be read before closing, or a reset may overtake the answer.
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

  /** One text serves all who ask at about the same time: however many do, the server makes no more. */
  #recentText(): Promise<string> {
    if (this.#text === undefined || performance.now() > this.#staleMs) {
      this.#staleMs = Infinity;
      this.#text = this.#collect().finally(() => this.#staleMs = performance.now() + MetricsLimits.freshMs);
    }
    return this.#text;
  }
}

/** Receives the head of a request; undefined when the peer has gone before. */
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
