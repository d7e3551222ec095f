import type { ByteStream } from "../../iscsi/byte_stream.ts";
import type { RelayMessage, RelayPort } from "./relay_message.ts";

/**
 * Bytes that one end may send before the other reads, in each direction of a connection. This bounds the memory of a
 * relay whose peer never reads.
 */
const WINDOW_BYTES = 1_048_576;

/** Most bytes of one message: enough to hide its overhead, and few enough for both ends to work in parallel. */
const MESSAGE_BYTES_MAX = 262_144;

/**
 * One end of a connection whose bytes are sent as messages. It behaves like a socket: a write waits while the other end
 * does not read, and bytes written before a close are still delivered.
 *
 * The invariant: bytes sent and not yet read <= `WINDOW_BYTES`.
 */
export class RelayedStream implements ByteStream {
  readonly #id: number;
  readonly #port: RelayPort;
  /** Called once, when the stream is closed. */
  readonly #onOver: () => void;
  readonly #received: Uint8Array[] = [];
  #windowBytes = WINDOW_BYTES;
  #otherHasEnded = false;
  readonly #otherClosed = Promise.withResolvers<void>();
  #otherHasClosed = false;
  #isClosed = false;
  /** Resolved at the next change of the state above. */
  #nextChange: PromiseWithResolvers<void> | undefined;

  constructor(id: number, port: RelayPort, onOver: () => void) {
    this.#id = id;
    this.#port = port;
    this.#onOver = onOver;
  }

  /** Resolves when the other end closes; bytes that it has sent can still be read. */
  get otherClosed(): Promise<void> {
    return this.#otherClosed.promise;
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (true) {
      if (this.#isClosed) throw new Deno.errors.BadResource("Cannot read: this end is closed");
      const first = this.#received[0];
      if (first !== undefined) return this.#take(first, into);
      if (this.#otherHasEnded) return null;
      await this.#change();
    }
  }

  async write(from: Uint8Array): Promise<number> {
    while (true) {
      if (this.#isClosed) throw new Deno.errors.BadResource("Cannot write: this end is closed");
      if (this.#otherHasClosed) throw new Deno.errors.BrokenPipe("Cannot write: the other end is closed");
      if (this.#windowBytes > 0) return this.#put(from);
      await this.#change();
    }
  }

  /** Ends the output of this end; reading goes on. */
  end(): void {
    if (!this.#isClosed) this.#port.postMessage({ kind: "end", id: this.#id }, []);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#port.postMessage({ kind: "close", id: this.#id }, []);
    this.#changed();
    this.#onOver();
  }

  /** Handles a message of the other end. */
  onMessage(message: Exclude<RelayMessage, { kind: "open" }>): void {
    switch (message.kind) {
      case "data":
        this.#received.push(message.bytes);
        break;
      case "taken":
        this.#windowBytes += message.bytes;
        break;
      case "end":
        this.#otherHasEnded = true;
        break;
      case "close":
        this.#otherHasEnded = true;
        this.#otherHasClosed = true;
        this.#otherClosed.resolve();
        break;
    }
    this.#changed();
  }

  #take(first: Uint8Array, into: Uint8Array): number {
    const bytes = Math.min(first.length, into.length);
    into.set(first.subarray(0, bytes));
    if (bytes === first.length) this.#received.shift();
    else this.#received[0] = first.subarray(bytes);
    this.#port.postMessage({ kind: "taken", id: this.#id, bytes }, []);
    return bytes;
  }

  #put(from: Uint8Array): number {
    const bytes = from.slice(0, Math.min(this.#windowBytes, MESSAGE_BYTES_MAX));
    this.#windowBytes -= bytes.length;
    const { length } = bytes;
    this.#port.postMessage({ kind: "data", id: this.#id, bytes }, [bytes.buffer]);
    return length;
  }

  #change(): Promise<void> {
    this.#nextChange ??= Promise.withResolvers();
    return this.#nextChange.promise;
  }

  #changed(): void {
    this.#nextChange?.resolve();
    this.#nextChange = undefined;
  }
}
