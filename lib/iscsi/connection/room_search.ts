/**
 * Finds room for a login when a limit is reached. A host that lost power logs in again while its old sessions are still
 * there. The search pings silent peers and closes the connections of those that do not answer; the login waits.
 */
import type { Clock } from "../clock.ts";
import { Limits } from "../limits.ts";

/** A connection whose peer may be gone. */
export interface DoubtfulConnection {
  /** Pings a silent peer. Returns false when the peer is known to be alive. */
  probe(nowMs: number): boolean;
  /** Returns true when the peer has sent something since then, or the connection is closed. */
  isDecided(sinceMs: number): boolean;
  /** Closes the connection: the peer has not answered. */
  presumeGone(): void;
}

/** Searches for room, one search at a time for all waiting logins. */
export class RoomSearch {
  readonly #clock: Clock;
  readonly #connections: Iterable<DoubtfulConnection>;
  #underWay: Promise<void> | undefined;

  constructor(clock: Clock, connections: Iterable<DoubtfulConnection>) {
    this.#clock = clock;
    this.#connections = connections;
  }

  /** Starts a search, or joins the one under way. Returns undefined when no peer is silent. */
  begin(): Promise<void> | undefined {
    if (this.#underWay !== undefined) return this.#underWay;
    const nowMs = this.#clock.monotonicMs();
    const doubtful = [...this.#connections].filter((connection) => connection.probe(nowMs));
    if (doubtful.length === 0) return undefined;
    const search = Promise.withResolvers<void>();
    this.#underWay = search.promise;
    this.#check(doubtful, nowMs, () => {
      this.#underWay = undefined;
      search.resolve();
    });
    return search.promise;
  }

  #check(doubtful: readonly DoubtfulConnection[], sinceMs: number, end: () => void): void {
    const silent = doubtful.filter((connection) => !connection.isDecided(sinceMs));
    if (silent.length === 0) return end();
    if (this.#clock.monotonicMs() - sinceMs < Limits.probeMs) {
      this.#clock.after(Limits.probeStepMs, () => this.#check(silent, sinceMs, end));
      return;
    }
    for (const connection of silent) connection.presumeGone();
    end();
  }
}
