import type { Portal } from "../../access/portals.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { listeningPermissions } from "../worker_permissions.ts";
import { MalformedValue } from "../decoder.ts";
import { decodeRelayMessage, type FromRelay, type ToRelay } from "./relay_control.ts";

/** How a relay came to its end: `message` unless it was stopped. */
export interface RelayEnd {
  readonly message: string | undefined;
}

/** What a relay is made of. */
export interface PortalRelayOptions {
  readonly portal: Portal;
  /** Called when it listens. */
  readonly onListening: (portal: Portal) => void;
  readonly log: EventLog;
}

/**
 * A relay as the supervisor sees it: a worker that listens at one portal, for a target worker that was started without
 * the right to do so itself and has sessions that are not to be disturbed.
 */
export class PortalRelay {
  /** The other end of its link, for the target worker: to be posted once, and transferred. */
  readonly link: MessagePort;
  readonly #worker: Worker;
  readonly #ended = Promise.withResolvers<RelayEnd>();

  constructor({ portal, onListening, log }: PortalRelayOptions) {
    const { port1, port2 } = new MessageChannel();
    this.link = port1;
    this.#worker = new Worker(new URL("./relay_worker.ts", import.meta.url).href, {
      type: "module",
      name: "relay",
      deno: { permissions: listeningPermissions([portal]) },
    });
    const take = (message: FromRelay): void => {
      if (message.kind === "listening") onListening(message.portal);
      if (message.kind === "log") log.write(message.event);
      if (message.kind === "failed") this.#end(message.message);
      if (message.kind === "stopped") this.#end(undefined);
    };
    this.#worker.onmessage = ({ data }: MessageEvent<unknown>) => {
      try {
        take(decodeRelayMessage(data));
      } catch (error) {
        if (!(error instanceof MalformedValue)) throw error;
        this.#end(`the relay has sent what is no message: ${error.message}`);
      }
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end(event.message);
    };
    const start: ToRelay = { kind: "start", portal, link: port2 };
    this.#worker.postMessage(start, [port2]);
  }

  /** Resolves when it relays nothing any more. */
  get ended(): Promise<RelayEnd> {
    return this.#ended.promise;
  }

  /** Accepts no more connections; it ends when those it has are over. */
  stop(): void {
    const stop: ToRelay = { kind: "stop" };
    this.#worker.postMessage(stop);
  }

  /** Ends it with all its connections, by force when that takes longer than `limitMs`. */
  async end(limitMs: number): Promise<void> {
    const end: ToRelay = { kind: "end" };
    this.#worker.postMessage(end);
    const timeout = setTimeout(() => this.#end(undefined), limitMs);
    await this.ended;
    clearTimeout(timeout);
  }

  #end(message: string | undefined): void {
    this.#worker.terminate();
    this.#ended.resolve({ message });
  }
}
