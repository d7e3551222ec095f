import type { Portal } from "../../access/portals.ts";
import type { Clock } from "../../iscsi/clock.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { MalformedValue } from "../decoder.ts";
import type { StartWorker } from "../start_worker.ts";
import { listeningPermissions } from "../worker_permissions.ts";
import { decodeRelayMessage, type FromRelay, type ToRelay } from "./relay_control.ts";

/** The end of a relay; `message` is the reason unless it was stopped. */
export interface RelayEnd {
  readonly message: string | undefined;
}

/** The collaborators of all relays. */
export interface RelayContext {
  readonly clock: Clock;
  readonly startWorker: StartWorker;
  readonly log: EventLog;
}

/** The portal and collaborators of a relay. */
export interface PortalRelayOptions extends RelayContext {
  readonly portal: Portal;
  /** Called when the relay listens. */
  readonly onListening: (portal: Portal) => void;
}

/**
 * The supervisor's side of a relay: a worker that listens at one portal for a target worker that lacks the right to do
 * so itself and has sessions that must not be interrupted.
 */
export class PortalRelay {
  /** The other end of the relay's link. The caller transfers it to the target worker, once. */
  readonly link: MessagePort;
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #ended = Promise.withResolvers<RelayEnd>();

  constructor({ portal, onListening, log, clock, startWorker }: PortalRelayOptions) {
    const url = new URL("./relay_worker.ts", import.meta.url).href;
    this.#worker = startWorker({ url, name: "relay", permissions: listeningPermissions([portal]) });
    // After the start, which fails without the right to the portal.
    const { port1, port2 } = new MessageChannel();
    this.link = port1;
    this.#clock = clock;
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
        this.#end(`the relay has sent an invalid message: ${error.message}`);
      }
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#end(event.message);
    };
    const start: ToRelay = { kind: "start", portal, link: port2 };
    this.#worker.postMessage(start, [port2]);
  }

  /** Resolves when the relay has ended. */
  get ended(): Promise<RelayEnd> {
    return this.#ended.promise;
  }

  /** Stops accepting connections. The relay ends when its last connection is closed. */
  stop(): void {
    const stop: ToRelay = { kind: "stop" };
    this.#worker.postMessage(stop);
  }

  /** Closes all connections and ends the relay; terminates its worker after `limitMs`. */
  async end(limitMs: number): Promise<void> {
    const end: ToRelay = { kind: "end" };
    this.#worker.postMessage(end);
    const cancel = this.#clock.after(limitMs, () => this.#end(undefined));
    await this.ended;
    cancel();
  }

  #end(message: string | undefined): void {
    this.#worker.terminate();
    this.#ended.resolve({ message });
  }
}
