import type { Portal } from "../../access/portals.ts";
import type { Relays } from "./relays.ts";
import { type ListeningScope, portalsWithoutRight } from "../worker_permissions.ts";

/** The portals of one target worker: those at which it listens itself, and those at which relays listen for it. */
export class WorkerPortals {
  /** Portals at which the worker itself listens. */
  own: readonly Portal[] = [];
  /** Reasons for which the worker does not listen at some portals. */
  faults: readonly string[] = [];
  readonly #scope: ListeningScope;
  readonly #relays: Relays;
  #relayed: readonly Portal[] = [];

  constructor(scope: ListeningScope, relays: Relays) {
    this.#scope = scope;
    this.#relays = relays;
  }

  /** All portals that accept connections now. */
  get open(): Portal[] {
    return [...this.own, ...this.#relays.portals];
  }

  /** Portals assigned to relays, whether or not they listen yet. */
  get relayed(): readonly Portal[] {
    return this.#relayed;
  }

  /** Returns the portals that the worker has no right to listen at. */
  withoutRight(portals: readonly Portal[]): Portal[] {
    return portalsWithoutRight(this.#scope, portals);
  }

  /** Assigns these portals to relays, and no others; returns why some cannot be listened at. */
  relay(portals: readonly Portal[]): Promise<string[]> {
    this.#relayed = portals;
    return this.#relays.follow(portals);
  }

  /** Stops accepting connections by relays; open ones are still relayed. */
  stopRelays(): void {
    this.#relays.follow([]);
  }

  /** Ends all relays with their connections. */
  endRelays(): Promise<void> {
    return this.#relays.end();
  }
}
