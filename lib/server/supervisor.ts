/**
 * Keeps one target worker running: with the rights and portals that fit the conf and the interfaces of the moment,
 * again after a crash, and to an end in order. It never reads a byte from an initiator.
 */
import type { InterfaceAddress } from "../access/interfaces.ts";
import { planPortals, type PortalPlan } from "../access/portals.ts";
import { formatPortal, networkContains } from "../bytes/network.ts";
import type { Config } from "../config/config.ts";
import type { EventLog } from "../iscsi/event_log.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import type { Identity } from "../scsi/identity.ts";
import type { HoleService } from "./hole_service.ts";
import { measureSpace } from "./measure_space.ts";
import type { PunchRequest } from "./remote_puncher.ts";
import type { AnswerTo, Question } from "./questions.ts";
import { type WorkerNews, WorkerProcess } from "./worker_process.ts";
import { workerPermissions } from "./worker_permissions.ts";

const SupervisorLimits = {
  /** How long a worker may take to end in order; the process has 5 s in all. */
  stopMs: 4_500,
  /** How often the server's addresses are looked at. */
  interfacesMs: 5_000,
  /** How long a worker that ends may still have holes made; then what has not begun is left alone. */
  punchMs: 2_000,
  /** How long a worker may take to answer a question, unless told otherwise. */
  answerMs: 5_000,
  /** How often the worker is told what space there is. */
  spaceMs: 2_000,
  /** How long to wait before a worker is started again that crashed or could not start. */
  restartMs: 1_000,
  /** Crashes without a minute's pause after which the supervisor gives up. */
  crashes: 5,
  crashPauseMs: 60_000,
} as const;

/** What a supervisor is made of. */
export interface SupervisorOptions {
  readonly config: Config;
  /** By the path of the backing file. */
  readonly identities: ReadonlyMap<string, Identity>;
  /**
   * Makes the nodes to open in place of block devices, and returns them by the devices' paths. Called before each
   * start of a worker, since a device may have got another number while none ran.
   *
   * @throws {ProvisionError} when that cannot be
   */
  readonly makeDeviceNodes: () => ReadonlyMap<string, string>;
  /** The server's addresses now. */
  readonly interfaces: () => readonly InterfaceAddress[];
  /** Gives space back; undefined where none can be given back. */
  readonly holes?: HoleService | undefined;
  readonly log: EventLog;
  /** The target listens here now. */
  readonly onListening: (address: string, port: number) => void;
  /** It listens everywhere it can. */
  readonly onReady: () => void;
}

/** The addresses of a moment, as far as they matter to a conf. */
interface Surroundings {
  readonly plan: PortalPlan;
  readonly interfaces: readonly InterfaceAddress[];
}

/** How a worker ended by itself, or did not even start. */
interface UnwantedEnd {
  readonly kind: string;
  readonly message: string;
}

/** Runs the target until it is told to stop. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #wasReady = false;
  #crashes = 0;
  #lastCrash = 0;
  #workerStarts = 0;
  /** Undefined while none runs, which is for a moment at most. */
  #worker: WorkerProcess | undefined;
  /** Where it listens now. */
  #portals: string[] = [];

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /**
   * Runs until `stop` is aborted.
   *
   * @returns undefined when it ended in order, else what went wrong
   */
  async run(stop: AbortSignal): Promise<string | undefined> {
    while (!stop.aborted) {
      const failure = await this.#runWorker(stop);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  /** Where the target listens now, as `address:port`. */
  get portals(): readonly string[] {
    return this.#portals;
  }

  /** How many workers there have been. */
  get workerStarts(): number {
    return this.#workerStarts;
  }

  /** Whether a worker is there to be asked. */
  get hasWorker(): boolean {
    return this.#worker !== undefined;
  }

  /**
   * Asks the worker something.
   *
   * @throws {Error} (rejects) when there is no answer; the message is for the user
   */
  async ask<Asked extends Question>(
    question: Asked,
    limitMs: number = SupervisorLimits.answerMs,
  ): Promise<AnswerTo<Asked>> {
    if (this.#worker === undefined) throw new Error("no target worker is running at the moment: try again");
    return await this.#worker.ask(question, limitMs);
  }

  /** Runs one worker to its end, and returns why there must not be another, if so. */
  async #runWorker(stop: AbortSignal): Promise<string | undefined> {
    const { holes } = this.#options;
    // No hole that an earlier worker asked for may be made while the next one writes.
    await holes?.renew();
    const surroundings = this.#survey();
    this.#portals = [];
    const worker = this.#start(surroundings);
    if (!(worker instanceof WorkerProcess)) return await this.#endure(worker, stop);
    this.#worker = worker;
    this.#workerStarts++;
    worker.ended.then(() => this.#worker = undefined);
    const space = setInterval(() => this.#tellSpace(worker), SupervisorLimits.spaceMs);
    this.#tellSpace(worker);
    const cause = await this.#untilCause(worker, surroundings, stop);
    clearInterval(space);
    if (cause !== "stop" && cause !== "moved") return await this.#endure(cause, stop);
    const patience = setTimeout(() => holes?.abandon(), SupervisorLimits.punchMs);
    const end = await worker.stop(SupervisorLimits.stopMs);
    clearTimeout(patience);
    return end.kind === "stopped" ? undefined : end.message;
  }

  #tellSpace(worker: WorkerProcess): void {
    const { holes } = this.#options;
    if (holes !== undefined) worker.post({ kind: "space", figures: measureSpace(holes.paths) });
  }

  async #punch(worker: WorkerProcess, { id, path, ranges }: PunchRequest): Promise<void> {
    const result = await this.#options.holes?.punch(path, ranges) ?? "refused";
    worker.post({ kind: "punched", id, result });
  }

  #survey(): Surroundings {
    const { config, interfaces } = this.#options;
    const all = interfaces();
    const networks = config.targets.flatMap((target) => target.networks);
    return {
      plan: planPortals({ targets: config.targets, port: config.port, interfaces: all }),
      interfaces: all.filter(({ address }) => networks.some((network) => networkContains(network, address))),
    };
  }

  /** Starts a worker, or says why it cannot. */
  #start({ plan, interfaces }: Surroundings): WorkerProcess | UnwantedEnd {
    const { config, identities, log } = this.#options;
    for (const { networkText, targetName } of plan.unmatched) {
      log.warning(`No interface is in network ${networkText} of [${targetName}] now; waiting for one`);
    }
    try {
      const needs = { config, portals: plan.portals, standIns: this.#options.makeDeviceNodes() };
      const sparsePaths = this.#options.holes?.paths ?? [];
      const worker = new WorkerProcess(
        { kind: "start", ...needs, identities, interfaces, sparsePaths },
        workerPermissions(needs),
        (message) => message.kind === "punch" ? this.#punch(worker, message) : this.#hear(message),
      );
      return worker;
    } catch (error) {
      if (!(error instanceof ProvisionError)) throw error;
      return { kind: "failed", message: error.message };
    }
  }

  #hear(message: Exclude<WorkerNews, PunchRequest>): void {
    const { log, onListening, onReady } = this.#options;
    if (message.kind === "log") log.write(message.event);
    if (message.kind === "listening") {
      this.#portals.push(formatPortal(message.address, message.port));
      onListening(message.address, message.port);
    }
    if (message.kind === "ready") {
      this.#wasReady = true;
      onReady();
    }
  }

  /** Waits until there is a reason to do something about the worker. */
  async #untilCause(
    worker: WorkerProcess,
    surroundings: Surroundings,
    stop: AbortSignal,
  ): Promise<"stop" | "moved" | UnwantedEnd> {
    const cause = Promise.withResolvers<"stop" | "moved" | UnwantedEnd>();
    const onAbort = (): void => cause.resolve("stop");
    stop.addEventListener("abort", onAbort, { once: true });
    if (stop.aborted) onAbort();
    const before = JSON.stringify(surroundings);
    const timer = setInterval(() => {
      if (JSON.stringify(this.#survey()) !== before) cause.resolve("moved");
    }, SupervisorLimits.interfacesMs);
    worker.ended.then((end) =>
      cause.resolve({ kind: end.kind, message: "message" in end ? end.message : "it stopped unasked" })
    );
    const result = await cause.promise;
    clearInterval(timer);
    stop.removeEventListener("abort", onAbort);
    if (result === "moved") this.#options.log.info("The server's addresses have changed: starting anew");
    return result;
  }

  /** Waits until another worker may be started, or returns why none must be. */
  async #endure(end: UnwantedEnd, stop: AbortSignal): Promise<string | undefined> {
    const failure = this.#judge(end);
    if (failure === undefined) await delay(SupervisorLimits.restartMs, stop);
    return failure;
  }

  /** What to do about a worker that ended by itself: undefined to start another, else why not. */
  #judge({ kind, message }: UnwantedEnd): string | undefined {
    // What could not start once will not start the next time either, unless it has run before.
    if (kind === "failed" && !this.#wasReady) return message;
    this.#options.log.error(`Target worker ended: ${message}`, { event: "workerEnded" });
    const now = Date.now();
    this.#crashes = now - this.#lastCrash < SupervisorLimits.crashPauseMs ? this.#crashes + 1 : 1;
    this.#lastCrash = now;
    return this.#crashes < SupervisorLimits.crashes
      ? undefined
      : `target worker ended ${this.#crashes} times in a short while, last: ${message}`;
  }
}

/** Waits, but not beyond the abortion of `stop`. */
function delay(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
