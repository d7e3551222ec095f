/**
 * Serves metrics where the conf asks for them, by a worker of their own, because the supervisor, which has many rights,
 * must not read from the network. A failure of the metrics never affects the disks.
 */
import { formatPortal } from "../../bytes/network.ts";
import type { Endpoint } from "../../config/config.ts";
import type { Clock } from "../../iscsi/clock.ts";
import type { EventLog } from "../../iscsi/events/event_log.ts";
import { MalformedValue } from "../decoder.ts";
import { MetricsLimits } from "./metrics_limits.ts";
import { decodeMetricsMessage, type FromMetricsWorker, type ToMetricsWorker } from "./metrics_messages.ts";
import type { StartWorker } from "../start_worker.ts";
import { listeningPermissions } from "../worker_permissions.ts";

/** The collaborators of a metrics service. */
export interface MetricsServiceOptions {
  /** Returns the metrics as text; it may reject. */
  readonly collect: () => Promise<string>;
  readonly log: EventLog;
  readonly clock: Clock;
  readonly startWorker: StartWorker;
}

/** The supervisor's side of the metrics worker. */
export class MetricsService implements Disposable {
  readonly #options: MetricsServiceOptions;
  #endpoint: Endpoint | undefined;
  #worker: Worker | undefined;
  #cancelRetry: () => void = () => {};
  /** The reason that was logged last for a failure; undefined while the metrics are served. */
  #lastReason: string | undefined;

  constructor(options: MetricsServiceOptions) {
    this.#options = options;
  }

  /** Serves the metrics at this endpoint and no other; undefined stops them. */
  apply(endpoint: Endpoint | undefined): void {
    const isSame = endpoint?.address === this.#endpoint?.address && endpoint?.port === this.#endpoint?.port;
    if (isSame) return;
    this.#end();
    this.#endpoint = endpoint;
    this.#lastReason = undefined;
    if (endpoint !== undefined) this.#start(endpoint);
  }

  [Symbol.dispose](): void {
    this.apply(undefined);
  }

  #end(): void {
    this.#cancelRetry();
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  #start(endpoint: Endpoint): void {
    const url = new URL("./metrics_worker.ts", import.meta.url).href;
    const permissions = listeningPermissions([endpoint]);
    const worker = this.#options.startWorker({ url, name: "metrics", permissions });
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
        `its worker has sent an invalid message: ${error.message}`,
        MetricsLimits.retryMs,
      );
    }
  }

  #onMessage(worker: Worker, endpoint: Endpoint, message: FromMetricsWorker): void {
    switch (message.kind) {
      case "log":
        return this.#options.log.write(message.event);
      case "listening":
        this.#lastReason = undefined;
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

  /** Starts another worker later. Logs a reason once until it changes. */
  #handleExit(endpoint: Endpoint, reason: string, delayMs: number): void {
    this.#end();
    if (reason !== this.#lastReason) {
      this.#options.log.warning(`Cannot serve metrics at ${format(endpoint)}: ${reason}; trying again`);
    }
    this.#lastReason = reason;
    this.#cancelRetry = this.#options.clock.after(delayMs, () => this.#start(endpoint));
  }
}

function post(worker: Worker, message: ToMetricsWorker): void {
  worker.postMessage(message);
}

function format({ address, port }: Endpoint): string {
  return formatPortal(address, port);
}
