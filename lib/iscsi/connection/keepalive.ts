/**
 * Detects peers that are gone (RFC 7143, 11.19): pings a peer that has been silent for a while, and closes its
 * connection when it does not answer in time.
 *
 * Anything received counts as a sign of life. Receiving only sets a flag; one timer checks the flags of all
 * connections, so commands are not delayed.
 */
import type { Clock } from "../clock.ts";
import type { Config } from "../../config/config.ts";
import { Limits } from "../limits.ts";

/** The silence after which a peer is pinged (0: never), and the time that it has to answer. */
export type PingSettings = Pick<Config, "pingSeconds" | "pingTimeoutSeconds">;

/** The signs of life of one peer. */
export class PeerActivity {
  /** True when something was received since the last check. */
  hasReceived = true;
  /** The last check at which something had been received. */
  #lastMs = 0;
  #pingedMs: number | undefined;

  /** Returns how long the peer has been silent, to within the time between two checks. */
  silentMs(nowMs: number): number {
    return this.hasReceived ? 0 : nowMs - this.#lastMs;
  }

  /** Records a ping that was sent regardless of the settings. */
  pinged(nowMs: number): void {
    this.#pingedMs ??= nowMs;
  }

  /** Returns true when something was received since then. */
  hasReceivedSince(sinceMs: number): boolean {
    return this.hasReceived || this.#lastMs >= sinceMs;
  }

  /** Decides what to do about the peer now. */
  check(nowMs: number, { pingSeconds, pingTimeoutSeconds }: PingSettings): "nothing" | "ping" | "close" {
    if (this.hasReceived) {
      this.hasReceived = false;
      this.#lastMs = nowMs;
      this.#pingedMs = undefined;
      return "nothing";
    }
    if (pingSeconds === 0) return "nothing";
    if (this.#pingedMs !== undefined) {
      return nowMs - this.#pingedMs < pingTimeoutSeconds * 1000 ? "nothing" : "close";
    }
    if (nowMs - this.#lastMs < pingSeconds * 1000) return "nothing";
    this.#pingedMs = nowMs;
    return "ping";
  }
}

/** A connection that is watched. */
export interface WatchedConnection {
  /** Pings the peer, fails commands that wait for it, or closes the connection, when it is time to. */
  watch(nowMs: number, settings: PingSettings): void;
}

/** Watches all connections once a second, as long as there are any. */
export class Keepalive {
  readonly #clock: Clock;
  readonly #connections: ReadonlySet<WatchedConnection>;
  #settings: PingSettings;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, connections: ReadonlySet<WatchedConnection>, settings: PingSettings) {
    this.#clock = clock;
    this.#connections = connections;
    this.#settings = settings;
  }

  /** Sets the settings, from the next check on. */
  set settings(settings: PingSettings) {
    this.#settings = settings;
  }

  /** Starts or stops the timer. Called when the set of connections has changed. */
  update(): void {
    if (this.#connections.size > 0) {
      this.#cancel ??= this.#clock.after(Limits.keepaliveCheckMs, () => this.#watchAll());
    } else this.#stop();
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #watchAll(): void {
    this.#cancel = undefined;
    for (const connection of [...this.#connections]) {
      connection.watch(this.#clock.monotonicMs(), this.#settings);
    }
    this.update();
  }
}
