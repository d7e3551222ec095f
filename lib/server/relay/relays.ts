import type { Portal } from "../../access/portals.ts";
import { formatPortal } from "../../bytes/network.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import type { ToWorker } from "../messages.ts";
import { PortalRelay } from "./portal_relay.ts";

/** How long relays may take to let go of their portals. */
const END_MS = 1_000;

/** What the relays of a target worker have to do with others. */
export interface RelaysOptions {
  /** Tells the target worker something. */
  readonly post: (message: ToWorker, transfer?: Transferable[]) => void;
  /** A relay listens here now. */
  readonly onListening: (portal: Portal) => void;
  /** A relay has ended that should not have. */
  readonly onFailure: (message: string) => void;
  readonly log: EventLog;
}

/** The relays that listen for one target worker, as long as it runs. */
export class Relays {
  readonly #options: RelaysOptions;
  /** By their portals: those that accept connections. */
  readonly #accepting = new Map<string, PortalRelay>();
  /** These, and those that only serve the connections they have. */
  readonly #all = new Set<PortalRelay>();
  readonly #listening = new Map<PortalRelay, Portal>();
  /** Resolves when a relay listens, or to why it does not. */
  readonly #settled = new Map<PortalRelay, Promise<string | undefined>>();
  #lastId = 0;

  constructor(options: RelaysOptions) {
    this.#options = options;
  }

  /** Where they listen now. */
  get portals(): Portal[] {
    return [...this.#accepting.values()].flatMap((relay) => this.#listening.get(relay) ?? []);
  }

  /**
   * Listens at these portals from now on, and at no others. Connections that were accepted at others go on.
   *
   * @returns when it listens there or does not: why it does not at some
   */
  async follow(portals: readonly Portal[]): Promise<string[]> {
    const wanted = new Map(portals.map((portal) => [formatPortal(portal.address, portal.port), portal]));
    for (const [key, relay] of this.#accepting) {
      if (wanted.has(key)) continue;
      this.#accepting.delete(key);
      relay.stop();
    }
    for (const [key, portal] of wanted) if (!this.#accepting.has(key)) this.#start(key, portal);
    const settled = await Promise.all([...this.#accepting.values()].map((relay) => this.#settled.get(relay)));
    return settled.filter((fault) => fault !== undefined);
  }

  /** Ends all of them with their connections: the target worker is no more, or wants to listen there itself. */
  async end(): Promise<void> {
    this.#accepting.clear();
    await Promise.all(this.#all.values().map((relay) => relay.end(END_MS)));
  }

  #start(key: string, portal: Portal): void {
    const id = ++this.#lastId;
    const settled = Promise.withResolvers<string | undefined>();
    const relay: PortalRelay = new PortalRelay({
      portal,
      onListening: (at) => {
        settled.resolve(undefined);
        this.#listening.set(relay, at);
        this.#options.onListening(at);
      },
      log: this.#options.log,
    });
    this.#accepting.set(key, relay);
    this.#settled.set(relay, settled.promise);
    this.#all.add(relay);
    this.#options.post({ kind: "relay", id, link: relay.link }, [relay.link]);
    relay.ended.then(({ message }) => {
      this.#all.delete(relay);
      this.#listening.delete(relay);
      this.#settled.delete(relay);
      if (this.#accepting.get(key) === relay) this.#accepting.delete(key);
      this.#options.post({ kind: "relayEnded", id });
      if (message === undefined) return settled.resolve(undefined);
      const fault = `Cannot listen at ${key}: ${message}`;
      settled.resolve(fault);
      this.#options.onFailure(fault);
    });
  }
}
