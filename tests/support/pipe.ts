/**
 * A connection without a network: two ends, each reading what the other writes.
 *
 * It behaves as a TCP connection does: a write may take fewer bytes than were offered, waits while the other end
 * does not read, and what was written before an end closed is still delivered.
 */

/** The part of a connection that the protocol uses: `Deno.TcpConn` has this shape. */
export interface ByteStream {
  /** Fills a part of `into`, which is not empty, and returns how much; null when the other end has closed. */
  read(into: Uint8Array): Promise<number | null>;
  /** Takes a part of `from` and returns how much. */
  write(from: Uint8Array): Promise<number>;
  close(): void;
}

/** Deviations of a pipe from one with ample capacity. */
export interface PipeOptions {
  /** Bytes that one end can write before the other has to read. */
  readonly capacityBytes?: number;
  /** Most that one read delivers: 1 shows whether a reader depends on where the pieces end. */
  readonly deliveryBytesMax?: number;
}

/** Bytes on their way in one direction. */
class Channel {
  readonly #ring: Uint8Array;
  readonly #deliveryBytesMax: number;
  #start = 0;
  #length = 0;
  #isWriterClosed = false;
  #isReaderClosed = false;
  /** The callers that wait for a change; each checks again when woken. */
  #waiters: (() => void)[] = [];

  constructor({ capacityBytes = 65536, deliveryBytesMax = Infinity }: PipeOptions) {
    this.#ring = new Uint8Array(capacityBytes);
    this.#deliveryBytesMax = deliveryBytesMax;
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (true) {
      if (this.#isReaderClosed) throw new Deno.errors.BadResource("Cannot read: this end is closed");
      if (this.#length > 0) return this.#take(into);
      if (this.#isWriterClosed) return null;
      await this.#change();
    }
  }

  async write(from: Uint8Array): Promise<number> {
    while (true) {
      if (this.#isWriterClosed) throw new Deno.errors.BadResource("Cannot write: this end is closed");
      if (this.#isReaderClosed) throw new Deno.errors.BrokenPipe("Cannot write: the other end is closed");
      if (this.#length < this.#ring.length) return this.#put(from);
      await this.#change();
    }
  }

  closeReader(): void {
    this.#isReaderClosed = true;
    this.#wake();
  }

  closeWriter(): void {
    this.#isWriterClosed = true;
    this.#wake();
  }

  #take(into: Uint8Array): number {
    const count = Math.min(into.length, this.#length, this.#deliveryBytesMax);
    const untilWrap = Math.min(count, this.#ring.length - this.#start);
    into.set(this.#ring.subarray(this.#start, this.#start + untilWrap));
    into.set(this.#ring.subarray(0, count - untilWrap), untilWrap);
    this.#start = (this.#start + count) % this.#ring.length;
    this.#length -= count;
    this.#wake();
    return count;
  }

  #put(from: Uint8Array): number {
    const count = Math.min(from.length, this.#ring.length - this.#length);
    const end = (this.#start + this.#length) % this.#ring.length;
    const untilWrap = Math.min(count, this.#ring.length - end);
    this.#ring.set(from.subarray(0, untilWrap), end);
    this.#ring.set(from.subarray(untilWrap, count));
    this.#length += count;
    this.#wake();
    return count;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}

/** One end: it reads from one channel and writes into the other. */
class PipeEnd implements ByteStream {
  readonly #incoming: Channel;
  readonly #outgoing: Channel;

  constructor(incoming: Channel, outgoing: Channel) {
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  read(into: Uint8Array): Promise<number | null> {
    return this.#incoming.read(into);
  }

  write(from: Uint8Array): Promise<number> {
    return this.#outgoing.write(from);
  }

  close(): void {
    this.#incoming.closeReader();
    this.#outgoing.closeWriter();
  }
}

/** Makes a connection and returns its two ends. */
export function createPipe(options: PipeOptions = {}): [ByteStream, ByteStream] {
  const there = new Channel(options);
  const back = new Channel(options);
  return [new PipeEnd(back, there), new PipeEnd(there, back)];
}
