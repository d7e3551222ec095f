import type { ByteStream } from "../byte_stream.ts";
import { Limits } from "../limits.ts";
import type { SendBuffer } from "../wire/send_buffer.ts";

/** The connection whose replies are sent. */
export interface SendingConnection {
  isClosed(): boolean;
  /** The peer has taken what was sent: there is room for more. */
  sent(): void;
  /** The peer has taken some, and the rest waits for it to take more. */
  isTaking(): void;
  /** Nothing is left to send. */
  idle(): void;
  close(): void;
}

/** Sends the replies of one connection, and measures whether the peer takes them. */
export class ReplySender {
  readonly #stream: ByteStream;
  readonly #buffer: SendBuffer;
  readonly #connection: SendingConnection;
  #isSending = false;
  /** Bytes that the peer has taken since the last check, and the number of checks in a row with too few. */
  #takenBytes = 0;
  #slowSeconds = 0;

  constructor(stream: ByteStream, buffer: SendBuffer, connection: SendingConnection) {
    this.#stream = stream;
    this.#buffer = buffer;
    this.#connection = connection;
  }

  /** True when all replies have been sent. */
  get isIdle(): boolean {
    return !this.#isSending && this.#buffer.length === 0;
  }

  /** Starts to send the replies, unless that is under way already. */
  send(): void {
    if (!this.#isSending && this.#buffer.length > 0) this.#sendAll();
  }

  async #sendAll(): Promise<void> {
    const buffer = this.#buffer;
    this.#isSending = true;
    while (buffer.length > 0 && !this.#connection.isClosed()) {
      let bytes = buffer.take();
      try {
        while (bytes.length > 0) {
          const taken = await this.#stream.write(bytes);
          this.#takenBytes += taken;
          bytes = bytes.subarray(taken);
          if (bytes.length > 0) this.#connection.isTaking();
        }
      } catch {
        // The peer is gone. Closing ends the wait of the receiving side.
        this.#connection.close();
      }
      buffer.giveBack();
      this.#connection.sent();
      if (buffer.length > 0) this.#connection.isTaking();
    }
    // Nothing may be awaited after the last check of the buffer: a later reply starts a new run.
    this.#isSending = false;
    this.#connection.idle();
  }

  /** Returns true when the peer has taken almost none of its replies for too long. Called once a second. */
  checkSlowReader(): boolean {
    const isSlow = this.#isSending && this.#takenBytes < Limits.slowReaderBytesPerSecond;
    this.#slowSeconds = isSlow ? this.#slowSeconds + 1 : 0;
    this.#takenBytes = 0;
    return this.#slowSeconds >= Limits.slowReaderSeconds;
  }
}
