/** The server's end of the control socket. Limits bound the memory and the time that a client can use. */
import { ControlError } from "./control_error.ts";
import { ControlLimits } from "./control_limits.ts";
import { decodeRequest, encodeLine, type Reply } from "./control_message.ts";
import { CONTROL_REQUESTS, type ControlHandlers, performRequest, requestNameOf } from "./control_requests.ts";
import { LineBuffer } from "./line_buffer.ts";
import { withSocketPath } from "./socket_path.ts";
import { withLimit } from "./with_limit.ts";
import { errorMessage } from "../base/error_message.ts";
import { delay } from "../base/delay.ts";

const READ_BYTES = 4096;

/** Only the owner of the socket may connect. */
const SOCKET_MODE = 0o600;

/** Milliseconds to wait when the system has no free file descriptor. */
const ACCEPT_RETRY_MS = 100;

/** The limits of each client. */
export type ClientLimits = {
  readonly [Name in "requestBytes" | "requestMs" | "replyMs" | "clients"]: number;
};

/** Answers requests at the control socket. */
export class ControlServer {
  readonly #path: string;
  readonly #listener: Deno.UnixListener;
  readonly #handlers: ControlHandlers;
  readonly #limits: ClientLimits;
  /** The connected clients. */
  readonly #clients = new Set<Client>();
  /** Called when a client has left. */
  #onLeave = (): void => {};
  #isClosed = false;

  /**
   * Listens at `path`, in a folder that other users cannot enter. Replaces the socket of a former server; the caller
   * ensures that no other server runs.
   *
   * @throws {Error} (rejects) when it cannot listen; the message is for the user
   */
  static async listen(
    path: string,
    handlers: ControlHandlers,
    limits: ClientLimits = ControlLimits,
  ): Promise<ControlServer> {
    removeSocket(path);
    const listener = await withSocketPath(
      path,
      (path) => Promise.resolve(Deno.listen({ transport: "unix", path })),
    );
    Deno.chmodSync(path, SOCKET_MODE);
    const server = new ControlServer(path, listener, handlers, limits);
    server.#accept();
    return server;
  }

  private constructor(
    path: string,
    listener: Deno.UnixListener,
    handlers: ControlHandlers,
    limits: ClientLimits,
  ) {
    this.#path = path;
    this.#listener = listener;
    this.#handlers = handlers;
    this.#limits = limits;
  }

  /** Disconnects all clients and stops listening. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#listener.close();
    removeSocket(this.#path);
    for (const client of this.#clients) client.close();
  }

  async #accept(): Promise<void> {
    while (!this.#isClosed) {
      // At the client limit, wait for one to leave.
      if (this.#clients.size === this.#limits.clients) await this.#untilOneLeaves();
      try {
        const client = new Client(await this.#listener.accept(), this.#limits);
        this.#clients.add(client);
        this.#serve(client);
      } catch {
        // Usually no file descriptor is left.
        if (!this.#isClosed) await delay(ACCEPT_RETRY_MS);
      }
    }
  }

  async #serve(client: Client): Promise<void> {
    try {
      await client.serve(this.#handlers);
    } catch {
      // The client has disconnected, or is too slow.
    }
    this.#clients.delete(client);
    client.close();
    this.#onLeave();
  }

  #untilOneLeaves(): Promise<void> {
    return new Promise((resolve) => this.#onLeave = resolve);
  }
}

/** A connected client, which sends one request. */
class Client {
  readonly #connection: Deno.UnixConn;
  readonly #limits: ClientLimits;
  readonly #lines: LineBuffer;
  readonly #gone = new AbortController();
  /** Resolves when the last progress message is written. */
  #sending: Promise<void> = Promise.resolve();
  #isSending = false;

  constructor(connection: Deno.UnixConn, limits: ClientLimits) {
    this.#connection = connection;
    this.#limits = limits;
    this.#lines = new LineBuffer(limits.requestBytes);
  }

  /** Receives the request and sends the answer. */
  async serve(handlers: ControlHandlers): Promise<void> {
    let reply: Reply;
    try {
      reply = { kind: "result", result: await this.#perform(handlers) };
    } catch (error) {
      reply = { kind: "error", message: errorMessage(error) };
    }
    await this.#sending;
    await this.#send(reply);
  }

  close(): void {
    this.#gone.abort();
    try {
      this.#connection.close();
    } catch {
      // The connection is closed already.
    }
  }

  async #perform(handlers: ControlHandlers): Promise<unknown> {
    const raw = decodeRequest(
      await withLimit(
        this.#receiveLine(),
        this.#limits.requestMs,
        () => new ControlError("broken", `No request arrived within ${this.#limits.requestMs} ms`),
      ),
    );
    const name = requestNameOf(raw);
    const limitMs = CONTROL_REQUESTS[name].limitMs + ControlLimits.patienceMs;
    this.#watch();
    const context = { progress: (message: string) => this.#sendProgress(message), signal: this.#gone.signal };
    return await withLimit(
      Promise.race([performRequest(name, raw.parameters, handlers, context), this.#untilGone()]),
      limitMs,
      () => new ControlError("refused", `The server has not answered within ${limitMs / 1000} s`),
    );
  }

  async #receiveLine(): Promise<string> {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      const count = await this.#connection.read(buffer);
      if (count === null) throw new ControlError("broken", "Request has no end");
      const [line, ...more] = this.#lines.push(buffer.subarray(0, count));
      if (line === undefined) continue;
      if (more.length === 0 && !this.#lines.isInLine) return line;
      throw new ControlError("broken", "Client sent more than one request");
    }
  }

  /** Aborts the request when the client disconnects, or sends more, before it is answered. */
  async #watch(): Promise<void> {
    await this.#connection.read(new Uint8Array(1)).catch(() => {});
    this.#gone.abort();
  }

  /** Rejects when the client has disconnected, because then no one waits for the result. */
  #untilGone(): Promise<never> {
    return new Promise((_resolve, reject) => {
      const onAbort = (): void => reject(new ControlError("broken", "Client has disconnected"));
      if (this.#gone.signal.aborted) onAbort();
      this.#gone.signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Sends progress unless an earlier message is still being written, because old progress is useless. */
  #sendProgress(message: string): void {
    if (this.#isSending) return;
    this.#sending = this.#send({ kind: "progress", message }).catch(() => this.#gone.abort());
  }

  async #send(reply: Reply): Promise<void> {
    this.#isSending = true;
    const bytes = new TextEncoder().encode(encodeLine(reply));
    const onLimit = (): Error => new ControlError("broken", "Client does not read its answer");
    await withLimit(this.#write(bytes), this.#limits.replyMs, onLimit);
    this.#isSending = false;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      written += await this.#connection.write(bytes.subarray(written));
    }
  }
}

function removeSocket(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
