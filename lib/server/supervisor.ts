/**
 * Keeps one target worker running: with the rights and portals that fit the conf and the interfaces of the moment,
 * again after a crash, and to an end in order. It never reads a byte from an initiator.
 */
import type { InterfaceAddress } from "../access/interfaces.ts";
import { planPortals, type Portal, type PortalPlan } from "../access/portals.ts";
import { formatPortal, rangeContains } from "../bytes/network.ts";
import type { Config } from "../config/config.ts";
import type { ReportedChange } from "../control/reported_change.ts";
import type { EventLog } from "../iscsi/event_log.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import { settleState } from "../provision/settle_state.ts";
import { measureSpace } from "./measure_space.ts";
import { Relays } from "./relay/relays.ts";
import type { PunchRequest } from "./remote_puncher.ts";
import type { AnswerTo, Question } from "./questions.ts";
import type { Serving } from "./serving.ts";
import { type WorkerNews, WorkerProcess } from "./worker_process.ts";
import {
  filesWithoutRight,
  portalsWithoutRight,
  workerPermissions,
  type WorkerRights,
} from "./worker_permissions.ts";

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
  readonly serving: Serving;
  /** The server's addresses now. */
  readonly interfaces: () => readonly InterfaceAddress[];
  readonly log: EventLog;
  /** The log for events of the worker, which has counted repeated ones itself: `log` by default. */
  readonly workerLog?: EventLog;
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

/** A worker that runs, and under which circumstances it does. */
interface Running {
  readonly worker: WorkerProcess;
  readonly rights: WorkerRights;
  /** As it knows them. */
  surroundings: Surroundings;
  /** Where it listens. */
  addresses: readonly Portal[];
  /** Why it does not at some portals. */
  faults: readonly string[];
  /** Listen where it has no right to. */
  readonly relays: Relays;
  /** Where they are to. */
  relayed: readonly Portal[];
}

/** What a worker is to serve that takes the place of one that does well. */
interface Succession {
  readonly serving: Serving;
  /** What was served before, once the new worker is on its way: to go back to, or to be given back. */
  former?: Serving;
  readonly ready: PromiseWithResolvers<void>;
}

/** How a worker ended by itself, or did not even start. */
interface UnwantedEnd {
  readonly kind: string;
  readonly message: string;
}

/** Runs the target until it is told to stop. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  #serving: Serving;
  #wasReady = false;
  #crashes = 0;
  #lastCrash = 0;
  #workerStarts = 0;
  /** Undefined while none runs, which is for a moment at most. */
  #running: Running | undefined;
  /** Where it listens now. */
  #portals: readonly Portal[] = [];
  /** Changes come one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #succession: Succession | undefined;
  /** Ends the worker in order, for another to take its place. */
  #succeed: () => void = () => {};
  #lastComplaint = "";

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#serving = options.serving;
  }

  /**
   * Runs until `stop` is aborted, and gives back what it has of the storage folder.
   *
   * @returns undefined when it ended in order, else what went wrong
   */
  async run(stop: AbortSignal): Promise<string | undefined> {
    let failure: string | undefined;
    while (!stop.aborted && failure === undefined) failure = await this.#runWorker(stop);
    // Whoever waits for the next worker waits in vain.
    this.#succession?.ready.reject(new Error("the server is about to end"));
    this.#takeOver();
    const tenures = new Set([this.#succession?.former, this.#serving].map((serving) => serving?.tenure));
    for (const tenure of tenures) await tenure?.end();
    return failure;
  }

  /** What is served now. */
  get serving(): Serving {
    return this.#serving;
  }

  /** Where the target listens now, as `address:port`. */
  get portals(): readonly string[] {
    return this.#portals.map(({ address, port }) => formatPortal(address, port));
  }

  /** How many workers there have been. */
  get workerStarts(): number {
    return this.#workerStarts;
  }

  /** Whether a worker is there to be asked. */
  get hasWorker(): boolean {
    return this.#running !== undefined;
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
    return await this.#runningNow().worker.ask(question, limitMs);
  }

  /**
   * Says what would change if a conf were served, and which sessions would notice.
   *
   * @throws {Error} (rejects) when there is no answer; the message is for the user
   */
  async preview(config: Config): Promise<readonly ReportedChange[]> {
    const { interfaces } = this.#survey(config);
    return await this.ask({ kind: "preview", config, interfaces });
  }

  /**
   * Serves something else from the same storage folder and under the same node, without those noticing whom it does not
   * concern.
   *
   * @returns what has changed
   * @throws {Error} (rejects) when it cannot; nothing has changed then, and the message is for the user
   */
  reconfigure(next: Serving): Promise<readonly ReportedChange[]> {
    return this.#inTurn(() => this.#reconfigure(next));
  }

  /**
   * Serves something else by another worker: every session ends. Resolves when that is ready.
   *
   * @throws {Error} (rejects) when it cannot; what was served before is served again then
   */
  replace(next: Serving): Promise<void> {
    return this.#inTurn(() => this.#startAnew(next));
  }

  /** Does something when all that was asked for before is done. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => {});
    return done;
  }

  #runningNow(): Running {
    if (this.#running === undefined) throw new Error("no target worker is running at the moment: try again");
    return this.#running;
  }

  async #reconfigure(next: Serving): Promise<readonly ReportedChange[]> {
    const running = this.#runningNow();
    const { config, identities, devices, unavailable, tenure } = next;
    const surroundings = this.#survey(config);
    const { plan, interfaces } = surroundings;
    const unreached = portalsWithoutRight(running.rights, plan.portals);
    const files = filesWithoutRight(running.rights, config).filter((file) =>
      !devices.some(({ path }) => path === file) && !unavailable.has(file)
    );
    const portals = plan.portals.filter((portal) => !unreached.includes(portal));
    const standIns = tenure.standIns.extend(devices, files);
    const { relayed } = running;
    followHoles(next);
    try {
      const [fault] = await this.#relay(running, [...relayed, ...unreached]);
      // The addresses of the server may well change while one of them cannot be listened at.
      if (fault !== undefined && next !== this.#serving) throw new Error(fault);
      const sparsePaths = tenure.holes?.paths ?? [];
      const mayMissPortals = next === this.#serving;
      const units = { config, identities, unavailable, standIns, sparsePaths };
      const settings = { ...units, interfaces, portals, mayMissPortals };
      const question = { kind: "reconfigure", settings } as const;
      // However long that takes: given up half-way, nobody would know what is served.
      const { changes, addresses, faults } = await running.worker.ask(question);
      this.#serving = next;
      this.#warnOfUnmatched(plan, running.surroundings.plan);
      running.surroundings = surroundings;
      running.addresses = addresses;
      this.#noteFaults(running, faults);
      await this.#reach(running, unreached).catch((error) => this.#complain(error.message));
      return changes;
    } catch (error) {
      if (next !== this.#serving) await this.#relay(running, relayed);
      followHoles(this.#serving);
      throw error;
    }
  }

  /**
   * Portals that the worker has no right to, as rights are fixed when a worker starts: relays listen there for it.
   * Another worker, which has, takes its place once nothing speaks against listening there and no session would end.
   */
  async #reach(running: Running, unreached: readonly Portal[]): Promise<void> {
    const faults = await this.#relay(running, unreached);
    if (unreached.length === 0 || faults.length > 0 || await hasSessions(running.worker)) return;
    const places = unreached.map(({ address, port }) => formatPortal(address, port)).join(" ");
    this.#options.log.info(`Starting anew to listen at ${places}`);
    await this.#startAnew(this.#serving);
  }

  /** Has relays listen at these portals and no others, and returns why they do not at some. */
  async #relay(running: Running, portals: readonly Portal[]): Promise<string[]> {
    running.relayed = portals;
    const faults = await running.relays.follow(portals);
    this.#followListening();
    return faults;
  }

  async #startAnew(serving: Serving): Promise<void> {
    this.#runningNow();
    const ready = Promise.withResolvers<void>();
    this.#succession = { serving, ready };
    this.#succeed();
    await ready.promise;
  }

  /** Says once what goes wrong again and again. */
  #complain(message: string): void {
    if (message !== this.#lastComplaint) this.#options.log.warning(message);
    this.#lastComplaint = message;
  }

  /** Says why the worker does not listen at some portals, until it does. */
  #noteFaults(running: Running, faults: readonly string[]): void {
    if (faults.length > 0) this.#complain(`${faults.join("; ")}; trying again`);
    else if (running.faults.length > 0) this.#lastComplaint = "";
    running.faults = faults;
  }

  /** Runs one worker to its end, and returns why there must not be another, if so. */
  async #runWorker(stop: AbortSignal): Promise<string | undefined> {
    this.#takeOver();
    const { holes } = this.#serving.tenure;
    // No hole that an earlier worker asked for may be made while the next one writes.
    await holes?.renew();
    this.#portals = [];
    const running = await settle(this.#serving) ?? this.#start(this.#survey(this.#serving.config));
    if ("message" in running) return await this.#endure(running, stop);
    const { worker, relays } = running;
    this.#running = running;
    this.#workerStarts++;
    worker.ended.then(() => {
      if (this.#running === running) this.#running = undefined;
    });
    const space = setInterval(() => this.#tellSpace(worker), SupervisorLimits.spaceMs);
    this.#tellSpace(worker);
    const cause = await this.#untilCause(running, stop);
    clearInterval(space);
    if (cause !== "stop" && cause !== "succeeded") {
      await relays.end();
      return await this.#endure(cause, stop);
    }
    this.#running = undefined;
    relays.follow([]);
    const patience = setTimeout(() => holes?.abandon(), SupervisorLimits.punchMs);
    const end = await worker.stop(SupervisorLimits.stopMs);
    clearTimeout(patience);
    await relays.end();
    if (end.kind === "stopped") return undefined;
    // Another is about to take its place: then that is no reason to serve nobody any more.
    return cause === "stop" ? end.message : await this.#endure(end, stop);
  }

  /** Goes over to what is to be served next, if that is something else. */
  #takeOver(): void {
    if (this.#succession === undefined || this.#succession.former !== undefined) return;
    this.#succession.former = this.#serving;
    this.#serving = this.#succession.serving;
  }

  /** What was to be served is ready: nothing is wanted any more of what was before. */
  #succeeded(): void {
    if (this.#succession === undefined) return;
    const { former, serving, ready } = this.#succession;
    this.#succession = undefined;
    if (former === undefined || former.tenure === serving.tenure) return ready.resolve();
    former.tenure.end().then(ready.resolve, ready.reject);
  }

  /** Goes back to what was served before, if the first worker that was to serve something else cannot. */
  #goBack({ message }: UnwantedEnd): boolean {
    if (this.#succession?.former === undefined) return false;
    const { former, ready } = this.#succession;
    this.#succession = undefined;
    this.#serving = former;
    ready.reject(new Error(message));
    return true;
  }

  #tellSpace(worker: WorkerProcess): void {
    const { holes } = this.#serving.tenure;
    if (holes !== undefined) worker.post({ kind: "space", figures: measureSpace(holes.paths) });
  }

  async #punch(worker: WorkerProcess, { id, path, ranges }: PunchRequest): Promise<void> {
    const result = await this.#serving.tenure.holes?.punch(path, ranges) ?? "refused";
    worker.post({ kind: "punched", id, result });
  }

  #survey({ targets, port }: Config): Surroundings {
    const all = this.#options.interfaces();
    const networks = targets.flatMap((target) => target.networks);
    return {
      plan: planPortals({ targets, port, interfaces: all }),
      interfaces: all.filter((address) => networks.some((network) => rangeContains(network, address))),
    };
  }

  /** Warns of the networks that no interface is in, and was said to be in before. */
  #warnOfUnmatched({ unmatched }: PortalPlan, before?: PortalPlan): void {
    const known = new Set(before?.unmatched.map((pair) => JSON.stringify(pair)));
    for (const pair of unmatched) {
      if (known.has(JSON.stringify(pair))) continue;
      const { networkText, targetName } = pair;
      this.#options.log.warning(
        `No interface is in network ${networkText} of [${targetName}] now; waiting for one`,
      );
    }
  }

  /** Starts a worker, or says why it cannot. */
  #start(surroundings: Surroundings): Running | UnwantedEnd {
    const { config, identities, devices, unavailable, tenure } = this.#serving;
    const { plan: { portals }, interfaces } = surroundings;
    this.#warnOfUnmatched(surroundings.plan);
    try {
      const needs = { config, portals, standIns: tenure.standIns.renew(devices) };
      const rights = workerPermissions(needs);
      const worker = new WorkerProcess(
        rights,
        (message) => message.kind === "punch" ? this.#punch(worker, message) : this.#hear(message),
      );
      // Whether holes can be made is asked while the worker loads what it is made of.
      followHoles(this.#serving);
      const sparsePaths = tenure.holes?.paths ?? [];
      // Whoever was served before is served again, wherever that can be.
      const mayMissPortals = this.#wasReady && this.#succession === undefined;
      const settings = { ...needs, identities, unavailable, interfaces, sparsePaths, mayMissPortals };
      worker.post({ kind: "start", settings });
      const relays = this.#relaysOf(worker);
      return { worker, rights, surroundings, addresses: [], faults: [], relays, relayed: [] };
    } catch (error) {
      if (!(error instanceof ProvisionError)) throw error;
      return { kind: "failed", message: error.message };
    }
  }

  #relaysOf(worker: WorkerProcess): Relays {
    return new Relays({
      post: (message, transfer) => worker.post(message, transfer),
      onListening: () => this.#followListening(),
      onFailure: (message) => this.#complain(message),
      log: this.#options.log,
    });
  }

  #hear(message: Exclude<WorkerNews, PunchRequest>): void {
    const { log, workerLog = log, onReady } = this.#options;
    if (message.kind === "log") workerLog.write(message.event);
    if (message.kind === "listening" && this.#running !== undefined) {
      const { address, port } = message;
      this.#running.addresses = [...this.#running.addresses, { address, port }];
      this.#followListening();
    }
    if (message.kind === "ready") {
      this.#wasReady = true;
      if (this.#running !== undefined) this.#noteFaults(this.#running, message.faults);
      this.#succeeded();
      this.#serving.tenure.onReady?.();
      onReady();
    }
  }

  /** Takes note of where worker and relays listen now, and tells what is new. */
  #followListening(): void {
    const before = new Set(this.portals);
    this.#portals = [...this.#running?.addresses ?? [], ...this.#running?.relays.portals ?? []];
    for (const { address, port } of this.#portals) {
      if (!before.has(formatPortal(address, port))) this.#options.onListening(address, port);
    }
  }

  /** Waits until there is a reason to do something about the worker. */
  async #untilCause(running: Running, stop: AbortSignal): Promise<"stop" | "succeeded" | UnwantedEnd> {
    const cause = Promise.withResolvers<"stop" | "succeeded" | UnwantedEnd>();
    const onAbort = (): void => cause.resolve("stop");
    stop.addEventListener("abort", onAbort, { once: true });
    if (stop.aborted) onAbort();
    this.#succeed = () => cause.resolve("succeeded");
    const timer = setInterval(() => this.#lookAround(running), SupervisorLimits.interfacesMs);
    running.worker.ended.then((end) =>
      cause.resolve({ kind: end.kind, message: "message" in end ? end.message : "it stopped unasked" })
    );
    const result = await cause.promise;
    clearInterval(timer);
    stop.removeEventListener("abort", onAbort);
    return result;
  }

  /** Follows the server's addresses, and tries again what could not be done before. */
  async #lookAround(running: Running): Promise<void> {
    try {
      // A change may be under way that takes longer than it is to the next look.
      await this.#inTurn(() => this.#follow(running));
    } catch (error) {
      this.#complain(
        `Cannot follow the server's addresses: ${error instanceof Error ? error.message : error}`,
      );
    }
  }

  async #follow(running: Running): Promise<void> {
    if (this.#running !== running) return;
    const surroundings = this.#survey(this.#serving.config);
    const haveMoved = JSON.stringify(surroundings) !== JSON.stringify(running.surroundings);
    const unreached = portalsWithoutRight(running.rights, surroundings.plan.portals);
    if (haveMoved || running.faults.length > 0) {
      await this.#reconfigure(this.#serving);
      if (haveMoved) this.#options.log.info("The server's addresses have changed");
    } else if (unreached.length > 0) {
      await this.#reach(running, unreached);
    }
  }

  /** Waits until another worker may be started, or returns why none must be. */
  async #endure(end: UnwantedEnd, stop: AbortSignal): Promise<string | undefined> {
    if (end.kind === "failed" && this.#goBack(end)) return undefined;
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

/** Holes are made in the files that are served, and in nothing else. */
function followHoles({ config, devices, unavailable, tenure }: Serving): void {
  tenure.holes?.follow({ config, devicePaths: [...devices.map(({ path }) => path), ...unavailable.keys()] });
}

/** Makes durable what a predecessor may have left in memory only, or returns why that cannot be. */
async function settle({ config }: Serving): Promise<UnwantedEnd | undefined> {
  try {
    await settleState(config);
    return undefined;
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
    return { kind: "failed", message: error.message };
  }
}

async function hasSessions(worker: WorkerProcess): Promise<boolean> {
  const { sessions } = await worker.ask({ kind: "snapshot" }, SupervisorLimits.answerMs);
  return sessions.some(({ targetName }) => targetName !== null);
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
