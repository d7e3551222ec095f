/**
 * Hands the PDUs of a target to the callers that wait for them, for tests.
 *
 * Receives only while a caller waits; every wait has a time limit.
 * The first fault of the target, or the end of the connection, ends all waits.
 */
import { type InitiatorConnection, TIME_LIMIT_MS, withTimeLimit } from "./initiator_connection.ts";
import { Opcode, type Pdu } from "./initiator_pdu.ts";
import { readUint32 } from "../../lib/bytes/big_endian.ts";

/** The target rejected a PDU (RFC 7143, 11.17). */
export class Rejected extends Error {
  override readonly name = "Rejected";
  readonly reason: number;
  readonly pdu: Pdu;

  constructor(pdu: Pdu) {
    super(`The target rejected a PDU, reason ${pdu.response}`);
    this.reason = pdu.response;
    this.pdu = pdu;
  }
}

/** Something under way that is answered by PDUs with its initiator task tag. */
export interface Exchange {
  /** Takes a PDU of this exchange. What it throws ends the connection's use. */
  accept(pdu: Pdu): void;
  /** The exchange cannot go on. */
  fail(error: unknown): void;
}

/** The one reader of a connection. */
export class Dispatcher {
  readonly #connection: InitiatorConnection;
  /** Looks at every PDU before it is handed out; returns true when that was all. */
  readonly #inspect: (pdu: Pdu) => boolean;
  readonly #exchanges = new Map<number, Exchange>();
  readonly #unclaimed: Pdu[] = [];
  /** The callers that wait for any PDU; some of them may have timed out. */
  #listeners: PromiseWithResolvers<void>[] = [];
  #waiting = 0;
  #pumping: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(connection: InitiatorConnection, inspect: (pdu: Pdu) => boolean) {
    this.#connection = connection;
    this.#inspect = inspect;
  }

  /** PDUs with this initiator task tag are for `exchange` until it is closed. */
  open(initiatorTaskTag: number, exchange: Exchange): void {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#exchanges.set(initiatorTaskTag, exchange);
  }

  close(initiatorTaskTag: number): void {
    this.#exchanges.delete(initiatorTaskTag);
  }

  /** Receives until the promise, which a PDU settles, is settled. */
  async wait<T>(promise: Promise<T>, what: string, timeLimitMs: number = TIME_LIMIT_MS): Promise<T> {
    this.#waiting++;
    this.#pumping ??= this.#pump().finally(() => this.#pumping = undefined);
    try {
      return await withTimeLimit(promise, timeLimitMs, what);
    } finally {
      this.#waiting--;
    }
  }

  /** Waits until any PDU has arrived. */
  async waitForAny(timeLimitMs: number = TIME_LIMIT_MS): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const listener = Promise.withResolvers<void>();
    this.#listeners.push(listener);
    await this.wait(listener.promise, "receive a PDU", timeLimitMs);
  }

  /** The next PDU that belongs to no exchange. */
  async receive(timeLimitMs: number = TIME_LIMIT_MS): Promise<Pdu> {
    const deadline = performance.now() + timeLimitMs;
    while (this.#unclaimed.length === 0) await this.waitForAny(Math.max(1, deadline - performance.now()));
    return this.#unclaimed.shift()!;
  }

  /** Waits until nothing runs; the connection is closed already. */
  async end(): Promise<void> {
    await this.#pumping;
  }

  async #pump(): Promise<void> {
    try {
      while (this.#waiting > 0 && this.#failure === undefined) {
        this.#dispatch(await this.#connection.receive(Infinity));
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #dispatch(pdu: Pdu): void {
    if (!this.#inspect(pdu)) this.#deliver(pdu);
    for (const listener of this.#listeners) listener.resolve();
    this.#listeners = [];
  }

  #deliver(pdu: Pdu): void {
    const exchange = this.#exchanges.get(pdu.initiatorTaskTag);
    if (exchange !== undefined) return exchange.accept(pdu);
    if (pdu.opcode === Opcode.reject && pdu.data.length >= 20) {
      const rejected = this.#exchanges.get(readUint32(pdu.data, 16));
      if (rejected !== undefined) return rejected.fail(new Rejected(pdu));
    }
    this.#unclaimed.push(pdu);
  }

  #fail(error: unknown): void {
    this.#failure = { error };
    for (const exchange of this.#exchanges.values()) exchange.fail(error);
    for (const listener of this.#listeners) listener.reject(error);
    this.#exchanges.clear();
    this.#listeners = [];
  }
}
