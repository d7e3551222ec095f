import type { Portal } from "../../access/portals.ts";
import { errorMessage } from "../../base/error_message.ts";
import { formatPortal } from "../../bytes/network.ts";
import type { ToWorker } from "../worker/messages.ts";
import { PortalRelay, type RelayContext } from "../relay/portal_relay.ts";

/** Milliseconds after which a relay that has not ended is terminated. */
const END_MS = 1_000;

/** The collaborators of a target worker's relays. */
export interface RelaysOptions extends RelayContext {
  /** Sends the target worker a message. */
  readonly post: (message: ToWorker, transfer?: Transferable[]) => void;
  /** Called when a relay listens. */
  readonly onListening: (portal: Portal) => void;
  /** Called when a relay has ended by itself. */
  readonly onFailure: (message: string) => void;
}

/** The relays that listen for one target worker while it runs. */
export class Relays {
  readonly #options: RelaysOptions;
  /** The relays that accept connections, by portal. */
  readonly #accepting = new Map<string, PortalRelay>();
  /** All relays, including those that only serve the connections they have. */
  readonly #all = new Set<PortalRelay>();
  readonly #listening = new Map<PortalRelay, Portal>();
  /** Promises that resolve when a relay listens, or with the reason for which it does not. */
  readonly #settled = new Map<PortalRelay, Promise<string | undefined>>();
  #lastId = 0;

  constructor(options: RelaysOptions) {
    this.#options = options;
  }

  /** The portals at which relays listen now. */
  get portals(): Portal[] {
    return [...this.#accepting.values()].flatMap((relay) => this.#listening.get(relay) ?? []);
  }

  /**
   * Listens at these portals only. Connections that were accepted at other portals stay open.
   *
   * @returns the reasons for which some portals cannot be listened at
   */
  async follow(portals: readonly Portal[]): Promise<string[]> {
    const wanted = new Map(portals.map((portal) => [formatPortal(portal.address, portal.port), portal]));
    for (const [key, relay] of this.#accepting) {
      if (wanted.has(key)) continue;
      this.#accepting.delete(key);
      relay.stop();
    }
    const refused = [...wanted].map(([key, portal]) => this.#tryStart(key, portal));
    const settled = await Promise.all([...this.#accepting.values()].map((relay) => this.#settled.get(relay)));
    return [...refused, ...settled].filter((fault) => fault !== undefined);
  }

  /** Ends all relays and closes their connections. */
  async end(): Promise<void> {
    this.#accepting.clear();
    await Promise.all(this.#all.values().map((relay) => relay.end(END_MS)));
  }

  /** Starts a relay, unless there is one; returns why the process may not. */
  #tryStart(key: string, portal: Portal): string | undefined {
    if (this.#accepting.has(key)) return undefined;
    try {
      this.#start(key, portal);
      return undefined;
    } catch (error) {
      const fault = `Cannot listen at ${key}: ${errorMessage(error)}`;
      this.#options.onFailure(fault);
      return fault;
    }
  }

  #start(key: string, portal: Portal): void {
    const id = ++this.#lastId;
    const settled = Promise.withResolvers<string | undefined>();
    const relay: PortalRelay = new PortalRelay({
      ...this.#options,
      portal,
      onListening: (at) => {
        settled.resolve(undefined);
        this.#listening.set(relay, at);
        this.#options.onListening(at);
      },
    });
    this.#accepting.set(key, relay);
    this.#settled.set(relay, settled.promise);
    this.#all.add(relay);
    this.#options.post({ kind: "relay", id, link: relay.link }, [relay.link]);
    relay.ended.then(({ message }) => {
      this.#forget(key, relay);
      this.#options.post({ kind: "relayEnded", id });
      if (message === undefined) return settled.resolve(undefined);
      const fault = `Cannot listen at ${key}: ${message}`;
      settled.resolve(fault);
      this.#options.onFailure(fault);
    });
  }

  #forget(key: string, relay: PortalRelay): void {
    this.#all.delete(relay);
    this.#listening.delete(relay);
    this.#settled.delete(relay);
    if (this.#accepting.get(key) === relay) this.#accepting.delete(key);
  }
}
