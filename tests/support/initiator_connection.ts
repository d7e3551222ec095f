/**
 * A connection of an initiator: PDUs out, PDUs in, each with a time limit, for tests.
 *
 * Reads no further than asked, keeps nothing running while no caller waits, and checks nothing: the callers do
 * that.
 */
import {
  bytesWithDigests,
  type DigestUse,
  NO_DIGESTS,
  withDigests,
  withoutDigests,
} from "./initiator_digest.ts";
import { HEADER_BYTES, Pdu } from "./initiator_pdu.ts";
import type { RequestPdu } from "./initiator_request.ts";
import type { ByteStream } from "./pipe.ts";

/** Milliseconds to wait in a test for something that is due immediately. */
export const TIME_LIMIT_MS = 5000;

/** A PDU or an end of connection that was due did not arrive. */
export class TimeLimitExceeded extends Error {
  override readonly name = "TimeLimitExceeded";
}

/** The target closed the connection, or broke it. */
export class ConnectionClosed extends Error {
  override readonly name = "ConnectionClosed";
}

/** Waits for a promise for at most a time, or indefinitely. The promise itself is not stopped. */
export async function withTimeLimit<T>(promise: Promise<T>, timeLimitMs: number, what: string): Promise<T> {
  if (timeLimitMs === Infinity) return await promise;
  const { promise: limit, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new TimeLimitExceeded(`Cannot ${what} within ${Math.ceil(timeLimitMs)} ms`)),
    timeLimitMs,
  );
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Sends and receives PDUs over a byte stream. */
export class InitiatorConnection {
  /** The digests of PDUs in both directions from now on. Bytes other than a `RequestPdu` are sent unchanged. */
  digests: DigestUse = NO_DIGESTS;
  readonly #stream: ByteStream;
  /** Received bytes that are not yet part of a PDU that was handed out. */
  #received = new Uint8Array(65536);
  #receivedBytes = 0;
  /** The reading that is under way: it outlives a `receive` whose time is over. */
  #reading: Promise<void> | undefined;
  /** Writes follow one another. */
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** Connects over TCP. */
  static async connect(port: number, hostname = "127.0.0.1"): Promise<InitiatorConnection> {
    const stream = await Deno.connect({ port, hostname });
    stream.setNoDelay(true);
    return new InitiatorConnection(stream);
  }

  /** Sends PDUs, or any bytes. Resolves when the last of them has been taken. */
  send(...parts: readonly (RequestPdu | Uint8Array)[]): Promise<void> {
    const sending = this.#writing.then(async () => {
      for (const part of parts) {
        await this.#write(part instanceof Uint8Array ? part : withDigests(part.encode(), this.digests));
      }
    });
    this.#writing = sending.catch(() => {});
    return sending;
  }

  /**
   * Receives one PDU; `Infinity` is no time limit.
   *
   * @throws {ConnectionClosed} when the target closes the connection before the PDU is complete
   * @throws {TimeLimitExceeded} when it does not arrive; the next `receive` continues with the bytes received so far
   */
  async receive(timeLimitMs: number = TIME_LIMIT_MS): Promise<Pdu> {
    const deadline = performance.now() + timeLimitMs;
    while (true) {
      const pduBytes = this.#nextPduBytes();
      if (this.#receivedBytes >= pduBytes) {
        return new Pdu(withoutDigests(this.#takeBytes(pduBytes), this.digests));
      }
      this.#reserve(pduBytes);
      this.#reading ??= this.#read().finally(() => this.#reading = undefined);
      await withTimeLimit(this.#reading, deadline - performance.now(), "receive a PDU");
    }
  }

  /** Closes the connection without a word, as a broken initiator does, and waits until nothing of it runs. */
  async close(): Promise<void> {
    if (!this.#isClosed) this.#stream.close();
    this.#isClosed = true;
    await this.#reading?.catch(() => {});
    await this.#writing;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    try {
      for (let written = 0; written < bytes.length;) {
        written += await this.#stream.write(bytes.subarray(written));
      }
    } catch (cause) {
      throw new ConnectionClosed("Cannot send: the connection is closed", { cause });
    }
  }

  /** The size of the PDU whose first bytes have been received; the size of a header until that is complete. */
  #nextPduBytes(): number {
    if (this.#receivedBytes < HEADER_BYTES) return HEADER_BYTES;
    return bytesWithDigests(this.#received, this.digests);
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#received.length) return;
    const larger = new Uint8Array(bytes);
    larger.set(this.#received.subarray(0, this.#receivedBytes));
    this.#received = larger;
  }

  #takeBytes(bytes: number): Uint8Array {
    const taken = this.#received.slice(0, bytes);
    this.#received.copyWithin(0, bytes, this.#receivedBytes);
    this.#receivedBytes -= bytes;
    return taken;
  }

  async #read(): Promise<void> {
    const count = await this.#stream.read(this.#received.subarray(this.#receivedBytes)).catch((cause) => {
      throw new ConnectionClosed("Cannot receive: the connection is broken", { cause });
    });
    if (count === null) {
      throw new ConnectionClosed(
        `The target closed the connection; ${this.#receivedBytes} bytes were left over`,
      );
    }
    this.#receivedBytes += count;
  }
}
