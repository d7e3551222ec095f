/**
 * Keeps metrics served where the conf says, by a worker of their own: the supervisor, which has many rights, reads no
 * byte from the network. Metrics that cannot be served keep nobody from his disks.
 */
import { formatPortal } from "../bytes/network.ts";
import type { Endpoint } from "../config/config.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import { MetricsLimits } from "./metrics_limits.ts";
import { MalformedValue } from "./decoder.ts";
import { decodeMetricsMessage, type FromMetricsWorker, type ToMetricsWorker } from "./metrics_messages.ts";
import { listeningPermissions } from "./worker_permissions.ts";

/** What the service needs. */
export interface MetricsServiceOptions {
  /** Makes the text; it may reject. */
  readonly collect: () => Promise<string>;
  readonly log: EventLog;
}

/** The supervisor's side of metrics. */
export class MetricsService implements Disposable {
  readonly #options: MetricsServiceOptions;
  #endpoint: Endpoint | undefined;
  #worker: Worker | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  /** What the user was told last of why there are none. */
  #complaint: string | undefined;

  constructor(options: MetricsServiceOptions) {
    this.#options = options;
  }

  /** Serves metrics there from now on, or nowhere. */
  apply(endpoint: Endpoint | undefined): void {
    const isSame = endpoint?.address === this.#endpoint?.address && endpoint?.port === this.#endpoint?.port;
    if (isSame) return;
    this.#end();
    this.#endpoint = endpoint;
    this.#complaint = undefined;
    if (endpoint !== undefined) this.#start(endpoint);
  }

  [Symbol.dispose](): void {
    this.apply(undefined);
  }

  #end(): void {
    clearTimeout(this.#retry);
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #start(endpoint: Endpoint): void {
    const worker = new Worker(new URL("./metrics_worker.ts", import.meta.url).href, {
      type: "module",
      name: "metrics",
      deno: { permissions: listeningPermissions([endpoint]) },
    });
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (worker === this.#worker) this.#take(worker, endpoint, data);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker === this.#worker) this.#handleExit(endpoint, event.message, MetricsLimits.retryMs);
    };
    post(worker, { kind: "start", endpoint });
  }

  #take(worker: Worker, endpoint: Endpoint, data: unknown): void {
    try {
      this.#onMessage(worker, endpoint, decodeMetricsMessage(data));
    } catch (error) {
      if (!(error instanceof MalformedValue)) throw error;
      this.#handleExit(
        endpoint,
        `its worker has sent what is no message: ${error.message}`,
        MetricsLimits.retryMs,
      );
    }
  }

  #onMessage(worker: Worker, endpoint: Endpoint, message: FromMetricsWorker): void {
    switch (message.kind) {
      case "log":
        return this.#options.log.write(message.event);
      case "listening":
        this.#complaint = undefined;
        this.#options.log.info(`Metrics are served at http://${format(endpoint)}/metrics`);
        return;
      case "failed":
        return this.#handleExit(endpoint, message.message, MetricsLimits.listenAgainMs);
      case "wanted":
        this.#options.collect().then(
          (text) => post(worker, { kind: "text", text }),
          () => post(worker, { kind: "text", text: undefined }),
        );
    }
  }

  /** Tries again later; the same trouble is told once. */
  #handleExit(endpoint: Endpoint, reason: string, delayMs: number): void {
    this.#end();
    if (reason !== this.#complaint) {
      this.#options.log.warning(`Cannot serve metrics at ${format(endpoint)}: ${reason}; trying again`);
    }
    this.#complaint = reason;
    this.#retry = setTimeout(() => this.#start(endpoint), delayMs);
  }
}

function post(worker: Worker, message: ToMetricsWorker): void {
  worker.postMessage(message);
}

function format({ address, port }: Endpoint): string {
  return formatPortal(address, port);
}
