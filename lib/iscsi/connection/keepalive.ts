/**
 * Finds out which peers are gone (RFC 7143, 11.19): one that was silent for a while is pinged, and one that does not
 * answer that in time is taken for gone. Whatever comes is a sign of life; it is only noted that something has come,
 * and looked at once in a while for all connections together, so that it costs a command nothing.
 */
import type { Clock } from "../clock.ts";
import type { Config } from "../../config/config.ts";
import { Limits } from "../limits.ts";

/** How patient the node is; without pings (0 seconds) silence alone ends nothing. */
export type PingSettings = Pick<Config, "pingSeconds" | "pingTimeoutSeconds">;

/** What is known of one peer. */
export class PeerActivity {
  /** Something has come since the last look. */
  hasCome = true;
  #lastMs = 0;
  #pingedMs: number | undefined;

  /** For how long nothing has come, but for less than the time between two looks. */
  silentMs(nowMs: number): number {
    return this.hasCome ? 0 : nowMs - this.#lastMs;
  }

  /** The peer is pinged now, whatever the settings say. */
  pinged(nowMs: number): void {
    this.#pingedMs ??= nowMs;
  }

  /** Something has come since then. */
  hasComeSince(sinceMs: number): boolean {
    return this.hasCome || this.#lastMs >= sinceMs;
  }

  /** What is to be done about the peer now. */
  look(nowMs: number, { pingSeconds, pingTimeoutSeconds }: PingSettings): "nothing" | "ping" | "close" {
    if (this.hasCome) {
      this.hasCome = false;
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
  /** Pings the peer, gives up what waits for it, or closes the connection, if it is time to. */
  watch(nowMs: number, settings: PingSettings): void;
}

/** Looks at all connections once a second, as long as there are any. */
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

  /** Is this patient from now on. */
  set settings(settings: PingSettings) {
    this.#settings = settings;
  }

  /** There are other connections than there were. */
  update(): void {
    if (this.#connections.size > 0) {
      this.#cancel ??= this.#clock.after(Limits.keepaliveCheckMs, () => this.#look());
    } else this.#stop();
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #look(): void {
    this.#cancel = undefined;
    for (const connection of [...this.#connections]) {
      connection.watch(this.#clock.monotonicMs(), this.#settings);
    }
    this.update();
  }
}
