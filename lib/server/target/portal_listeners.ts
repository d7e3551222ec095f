import type { Portal } from "../../access/portals.ts";
import { formatPortal } from "../../bytes/network.ts";
import { reasonOf } from "../../provision/provision_error.ts";
import { ConnectionListener, type ConnectionListenerOptions } from "../connection_listener.ts";

/** Listeners for the portals of a new configuration, which are not in use yet. */
export interface PreparedListeners {
  /** Listeners by the portal of the conf; those of the current configuration are kept. */
  readonly listeners: ReadonlyMap<string, ConnectionListener>;
  /** Reasons for which some portals have none, by portal. */
  readonly faults: ReadonlyMap<string, string>;
}

/** The listeners of a target server, one for each portal. */
export class PortalListeners {
  readonly #options: ConnectionListenerOptions;
  #listeners: ReadonlyMap<string, ConnectionListener> = new Map();
  #faults: ReadonlyMap<string, string> = new Map();

  constructor(options: ConnectionListenerOptions) {
    this.#options = options;
  }

  /** The addresses of the listeners. */
  get addresses(): readonly Deno.NetAddr[] {
    return [...this.#listeners.values()].map(({ address }) => address);
  }

  /** Reasons for which some portals have no listener. Each reconfiguration retries them. */
  get faults(): readonly string[] {
    return [...this.#faults.values()];
  }

  /**
   * Opens the listeners that these portals need beyond the current ones.
   *
   * @throws {Error} when a portal that had no fault before cannot be listened at, unless `mayMissPortals`; then nothing
   * stays open
   */
  prepare(portals: readonly Portal[], mayMissPortals: boolean): PreparedListeners {
    const wanted = new Map(portals.map((portal) => [formatPortal(portal.address, portal.port), portal]));
    const listeners = new Map([...this.#listeners].filter(([key]) => wanted.has(key)));
    const faults = new Map<string, string>();
    for (const [key, portal] of wanted) {
      if (listeners.has(key)) continue;
      try {
        listeners.set(key, new ConnectionListener(portal, this.#options));
      } catch (error) {
        const fault = `Cannot listen at ${key}: ${reasonOf(error)}`;
        if (!mayMissPortals && !this.#faults.has(key)) {
          this.discard({ listeners, faults });
          throw new Error(fault, { cause: error });
        }
        faults.set(key, fault);
      }
    }
    return { listeners, faults };
  }

  /** Accepts connections by the prepared listeners only, and closes the others. */
  replace({ listeners, faults }: PreparedListeners): void {
    closeExcept(this.#listeners, listeners);
    this.#listeners = listeners;
    this.#faults = faults;
  }

  /** Closes prepared listeners that are not in use, because the configuration is not applied. */
  discard({ listeners }: PreparedListeners): void {
    closeExcept(listeners, this.#listeners);
  }

  /** Closes all listeners; accepted connections stay open. */
  close(): void {
    for (const listener of this.#listeners.values()) listener.close();
  }
}

function closeExcept(
  listeners: ReadonlyMap<string, ConnectionListener>,
  kept: ReadonlyMap<string, ConnectionListener>,
): void {
  for (const [key, listener] of listeners) if (!kept.has(key)) listener.close();
}
