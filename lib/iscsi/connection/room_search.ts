/**
 * Finds room for a login that has none: a host that has lost its power comes back with new sessions, while its old
 * ones are still there. Peers that have been silent are pinged at once, and those that do not answer soon are taken for
 * gone. The login waits for that.
 */
import type { Clock } from "../clock.ts";
import { Limits } from "../limits.ts";

/** A connection whose peer may be gone. */
export interface DoubtfulConnection {
  /** Pings a peer that has been silent; false when there is no doubt that it is there. */
  probe(nowMs: number): boolean;
  /** The peer has sent something since then, or the connection is closed. */
  isDecided(sinceMs: number): boolean;
  /** Closes the connection: the peer has not answered. */
  presumeGone(): void;
}

/** Searches for room, once at a time, however many logins wait for it. */
export class RoomSearch {
  readonly #clock: Clock;
  readonly #connections: Iterable<DoubtfulConnection>;
  #underWay: Promise<void> | undefined;

  constructor(clock: Clock, connections: Iterable<DoubtfulConnection>) {
    this.#clock = clock;
    this.#connections = connections;
  }

  /** Begins a search, or joins the one that is under way. Returns undefined when there is nobody to ask. */
  begin(): Promise<void> | undefined {
    if (this.#underWay !== undefined) return this.#underWay;
    const nowMs = this.#clock.monotonicMs();
    const doubtful = [...this.#connections].filter((connection) => connection.probe(nowMs));
    if (doubtful.length === 0) return undefined;
    const search = Promise.withResolvers<void>();
    this.#underWay = search.promise;
    this.#look(doubtful, nowMs, () => {
      this.#underWay = undefined;
      search.resolve();
    });
    return search.promise;
  }

  #look(doubtful: readonly DoubtfulConnection[], sinceMs: number, end: () => void): void {
    const silent = doubtful.filter((connection) => !connection.isDecided(sinceMs));
    if (silent.length === 0) return end();
    if (this.#clock.monotonicMs() - sinceMs < Limits.probeMs) {
      this.#clock.after(Limits.probeStepMs, () => this.#look(silent, sinceMs, end));
      return;
    }
    for (const connection of silent) connection.presumeGone();
    end();
  }
}
