/**
 * A connection for fuzzing: it never waits for a network, and detects when the target is idle.
 */
import type { ByteStream } from "../support/pipe.ts";

/** Milliseconds to wait in one go for a target that may not stall; it needs microseconds. */
const TURN_MS = 1000;

/** The most turns that a target may take: many, because the whole machine may pause for seconds. */
const TURNS_MAX = 10_000;
const LONG_TURNS_MAX = 60;

/** A target that has done nothing after so many turns of the event loop waits for something else. */
const STALL_TURNS = 3;

/** The target's end of a connection; the methods that are not of a `ByteStream` are the other end's. */
export class FuzzStream implements ByteStream {
  readonly #onStall: () => void;
  #incoming: Uint8Array[] = [];
  #outgoing: Uint8Array[] = [];
  #isEnded = false;
  #isClosed = false;
  /** The target waits for more: what it gives to whom. */
  #reader: { into: Uint8Array; resolve: (count: number | null) => void } | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  /** @param onStall called when the target delays an answer: the caller should advance the clock */
  constructor(onStall: () => void) {
    this.#onStall = onStall;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  read(into: Uint8Array): Promise<number | null> {
    if (this.#isClosed) return Promise.reject(new Deno.errors.BadResource("Cannot read: this end is closed"));
    return new Promise((resolve) => {
      this.#reader = { into, resolve };
      this.#serve();
    });
  }

  write(from: Uint8Array): Promise<number> {
    if (this.#isClosed) {
      return Promise.reject(new Deno.errors.BadResource("Cannot write: this end is closed"));
    }
    if (this.#isEnded) return Promise.reject(new Deno.errors.BrokenPipe("Cannot write: the peer is gone"));
    this.#outgoing.push(from.slice());
    return Promise.resolve(from.length);
  }

  close(): void {
    this.#isClosed = true;
    this.#reader?.resolve(null);
    this.#reader = undefined;
    this.#idle?.resolve();
  }

  /** Sends bytes to the target. */
  push(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#incoming.push(bytes);
    this.#serve();
  }

  /** Closes the peer's end: at once, or after the target has read everything. */
  end(): void {
    this.#isEnded = true;
    this.#serve();
  }

  /** Returns the bytes that the target has sent since the last call. */
  take(): Uint8Array[] {
    return this.#outgoing.splice(0);
  }

  /**
   * Resolves when the target has read everything and waits for more, or has closed its end.
   *
   * @param mayStall it may do neither for a while, on purpose
   */
  async untilIdle(mayStall: boolean): Promise<void> {
    const turnsMax = mayStall ? TURNS_MAX : LONG_TURNS_MAX;
    for (let turns = 1; this.#isBusy; turns++) {
      if (turns > turnsMax) throw new Error("The target does not read what was sent");
      this.#idle = Promise.withResolvers();
      const turn = Promise.withResolvers<void>();
      // A login is handled at once, so a held-back one shows after a number of turns, whatever the time.
      const timer = setTimeout(() => turn.resolve(), mayStall ? 0 : TURN_MS);
      await Promise.race([this.#idle.promise, turn.promise]);
      clearTimeout(timer);
      if (mayStall && turns % STALL_TURNS === 0) this.#onStall();
    }
  }

  get #isBusy(): boolean {
    return !this.#isClosed && (this.#reader === undefined || this.#incoming.length > 0);
  }

  #serve(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    const [piece] = this.#incoming;
    if (piece === undefined && !this.#isEnded) return void this.#idle?.resolve();
    this.#reader = undefined;
    if (piece === undefined) return reader.resolve(null);
    const count = Math.min(piece.length, reader.into.length);
    reader.into.set(piece.subarray(0, count));
    if (count === piece.length) this.#incoming.shift();
    else this.#incoming[0] = piece.subarray(count);
    reader.resolve(count);
  }
}
