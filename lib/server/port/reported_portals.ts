import type { Portal } from "../../access/portals.ts";
import { formatPortal } from "../../bytes/network.ts";

/** The portals that accept connections now, as they were reported last. */
export class ReportedPortals {
  readonly #onListening: (address: string, port: number) => void;
  #portals: readonly Portal[] = [];

  /** @param onListening called for each portal that is new in a report */
  constructor(onListening: (address: string, port: number) => void) {
    this.#onListening = onListening;
  }

  /** The portals as `address:port`. */
  get texts(): readonly string[] {
    return this.#portals.map(({ address, port }) => formatPortal(address, port));
  }

  /** Replaces the portals, and reports the new ones. */
  report(portals: readonly Portal[]): void {
    const before = new Set(this.texts);
    this.#portals = portals;
    for (const { address, port } of portals) {
      if (!before.has(formatPortal(address, port))) this.#onListening(address, port);
    }
  }

  /** Forgets the portals, because their worker has ended. */
  clear(): void {
    this.#portals = [];
  }
}
