/** The most workers of one server at the same time. */
export const WORKERS_MAX = 64;

/**
 * Returns the first number that no worker has.
 *
 * @throws {Error} when there are too many workers; the message is for the user
 */
export function freeSlot(used: readonly number[]): number {
  let slot = 0;
  while (used.includes(slot)) slot++;
  if (slot < WORKERS_MAX) return slot;
  throw new Error(
    `${WORKERS_MAX} ports are served, among them some that were removed from the conf; try again in a minute`,
  );
}

/** Handles are 16 bits (RFC 7143, 11.12.6); 0 asks for a new session. */
const TSIH_MAX = 0xffff;

/** The counts of one worker: its sessions, and their connections. */
export interface SessionCounts {
  readonly sessions: number;
  readonly connections: number;
}

/**
 * The sessions of all workers of a server, in memory that they share: the counts of each, for the limits of the server,
 * and the owner of each target session identifying handle.
 *
 * ```text
 *  64 x 2 x 4 bytes   sessions and connections of each worker
 *      65,536 bytes   by handle: the number of the worker that uses it plus 1, or 0
 * ```
 */
export class ServerTotals {
  readonly #counts: Int32Array;
  readonly #owners: Uint8Array;
  readonly #slot: number;

  /** Returns the memory for the workers of one server. */
  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(COUNTS_BYTES + TSIH_MAX + 1);
  }

  /** @param slot the number of this worker among those that run, from 0 */
  constructor(memory: SharedArrayBuffer, slot: number) {
    this.#counts = new Int32Array(memory, 0, 2 * WORKERS_MAX);
    this.#owners = new Uint8Array(memory, COUNTS_BYTES);
    this.#slot = slot;
  }

  /** Sets the counts of this worker. */
  set own({ sessions, connections }: SessionCounts) {
    Atomics.store(this.#counts, 2 * this.#slot, sessions);
    Atomics.store(this.#counts, 2 * this.#slot + 1, connections);
  }

  /** The counts of all other workers together. */
  get others(): SessionCounts {
    let sessions = 0;
    let connections = 0;
    for (let slot = 0; slot < WORKERS_MAX; slot++) {
      if (slot === this.#slot) continue;
      sessions += Atomics.load(this.#counts, 2 * slot);
      connections += Atomics.load(this.#counts, 2 * slot + 1);
    }
    return { sessions, connections };
  }

  /** Takes the first free handle after `last`. There are more handles than sessions. */
  takeTsih(last: number): number {
    let tsih = last;
    do {
      tsih = tsih % TSIH_MAX + 1;
    } while (Atomics.compareExchange(this.#owners, tsih, 0, this.#slot + 1) !== 0);
    return tsih;
  }

  /** Returns a handle, because its session has ended. */
  freeTsih(tsih: number): void {
    Atomics.compareExchange(this.#owners, tsih, this.#slot + 1, 0);
  }

  /** Forgets this worker, because it has ended. */
  clear(): void {
    this.own = { sessions: 0, connections: 0 };
    for (let tsih = 1; tsih <= TSIH_MAX; tsih++) this.freeTsih(tsih);
  }
}

const COUNTS_BYTES = WORKERS_MAX * 2 * Int32Array.BYTES_PER_ELEMENT;
