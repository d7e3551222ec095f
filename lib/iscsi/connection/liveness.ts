import { Limits } from "../limits.ts";
import { PeerActivity, type PingSettings, type WatchedConnection } from "./keepalive.ts";
import type { DoubtfulConnection } from "./room_search.ts";

/** The connection whose peer is observed. */
export interface ObservedConnection {
  /** Returns true in full-feature phase, until the last replies are sent. */
  isInFullFeaturePhase(): boolean;
  /** Returns true for a peer that is not received from, or waits for a login or logout response: it counts as alive. */
  isWaitedFor(): boolean;
  /** Returns true when the peer has taken almost none of its replies for too long. Called once a second. */
  checkSlowReader(): boolean;
  /** Ends the commands that have waited too long for the initiator. Called once a second. */
  watchTransfers(): void;
  ping(): void;
  /** Logs the reason, and closes the connection. */
  giveUp(reason: string): void;
}

/** Detects that the peer of one connection is gone, or no longer takes its replies. */
export class Liveness implements WatchedConnection, DoubtfulConnection {
  readonly #connection: ObservedConnection;
  readonly #activity = new PeerActivity();

  constructor(connection: ObservedConnection) {
    this.#connection = connection;
  }

  /** Records a sign of life. */
  confirm(): void {
    this.#activity.hasReceived = true;
  }

  watch(nowMs: number, settings: PingSettings): void {
    const connection = this.#connection;
    if (!connection.isInFullFeaturePhase()) return;
    // Unread replies hold memory, and whatever the commands behind them hold of a medium.
    if (connection.checkSlowReader()) {
      const rate = `fewer than ${Limits.slowReaderBytesPerSecond} bytes a second`;
      return connection.giveUp(
        `the peer reads ${rate} of its replies, for ${Limits.slowReaderSeconds} s`,
      );
    }
    connection.watchTransfers();
    if (connection.isWaitedFor()) this.confirm();
    switch (this.#activity.check(nowMs, settings)) {
      case "nothing":
        return;
      case "ping":
        return connection.ping();
      case "close":
        return connection.giveUp(
          `no answer to a ping within ${settings.pingTimeoutSeconds} s`,
        );
    }
  }

  probe(nowMs: number): boolean {
    const connection = this.#connection;
    if (!connection.isInFullFeaturePhase() || connection.isWaitedFor()) return false;
    if (this.#activity.silentMs(nowMs) < Limits.silentMs) return false;
    this.#activity.pinged(nowMs);
    connection.ping();
    return true;
  }

  isDecided(sinceMs: number): boolean {
    const connection = this.#connection;
    return !connection.isInFullFeaturePhase() || connection.isWaitedFor() ||
      this.#activity.hasReceivedSince(sinceMs);
  }

  presumeGone(): void {
    const seconds = Limits.probeMs / 1000;
    this.#connection.giveUp(
      `no answer to a ping within ${seconds} s, while a login waits for room`,
    );
  }
}
