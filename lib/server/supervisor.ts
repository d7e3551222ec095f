/**
 * Keeps one target worker running: with the rights and portals that fit the conf and the interfaces of the moment,
 * again after a crash, and to an end in order. It never reads a byte from an initiator.
 */
import type { InterfaceAddress } from "../access/interfaces.ts";
import type { Portal, PortalPlan } from "../access/portals.ts";
import { formatPortal } from "../bytes/network.ts";
import type { Config } from "../config/config.ts";
import type { ReportedChange } from "../control/reported_change.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import { settleState } from "../provision/settle_state.ts";
import { Deadline } from "./deadline.ts";
import { measureSpace } from "./measure_space.ts";
import { Relays } from "./relay/relays.ts";
import type { PunchRequest } from "./remote_puncher.ts";
import type { AnswerTo, WorkerRequest } from "./worker_requests.ts";
import { RestartPolicy } from "./restart_policy.ts";
import { ServedBackings, type WorkerBackings } from "./served_backings.ts";
import type { Serving } from "./serving.ts";
import { Succession } from "./succession.ts";
import { SupervisorLimits } from "./supervisor_limits.ts";
import { describeUnmatched, type Surroundings, surroundingsOf } from "./surroundings.ts";
import { type ProcessEnd, type WorkerNews, WorkerProcess } from "./worker_process.ts";
import { portalsWithoutRight, workerPermissions, type WorkerRights } from "./worker_permissions.ts";
import { errorMessage } from "../base/error_message.ts";
import { delay } from "../base/delay.ts";

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

/** A worker that runs, and under which circumstances it does. */
interface Running {
  readonly worker: WorkerProcess;
  readonly rights: WorkerRights;
  /** As it knows them. */
  surroundings: Surroundings;
  backings: WorkerBackings;
  /** Where it listens. */
  addresses: readonly Portal[];
  /** Why it does not at some portals. */
  faults: readonly string[];
  /** Listen where it has no right to. */
  readonly relays: Relays;
  /** Where they are to. */
  relayed: readonly Portal[];
}

/** The end of a worker that was not told to end, or did not even start. */
type UnwantedEnd = Exclude<ProcessEnd, { readonly kind: "stopped" }>;

/** A reason to do something about a worker: it is to end, for another or for good, or it ends by itself. */
type Cause = "stop" | "succeeded" | "ending";

/** Runs the target until it is told to stop. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #succession: Succession;
  readonly #backings: ServedBackings;
  readonly #restarts = new RestartPolicy();
  #wasReady = false;
  #workerStarts = 0;
  /** A worker has not said that nothing of it is under way: what it had is the kernel's to give back. */
  #isUnsettled = false;
  /** Undefined while none runs, which is for a moment at most. */
  #running: Running | undefined;
  /** Where it listens now. */
  #portals: readonly Portal[] = [];
  /** Changes come one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Ends the worker in order, for another to take its place. */
  #succeed: () => void = () => {};
  #lastWarning = "";

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#succession = new Succession(options.serving);
    this.#backings = new ServedBackings((message) => options.log.warning(message));
  }

  /**
   * Runs until `stop` is aborted, and gives back what it has of the storage folder. When something that its worker
   * has begun is still under way by then, it gives nothing back: the process has to end, and the kernel takes the
   * locks back when the last of its threads has left the files alone.
   *
   * @returns undefined when it ended in order, else what went wrong
   */
  async run(stop: AbortSignal): Promise<string | undefined> {
    using deadline = new Deadline(stop, SupervisorLimits.endMs);
    let failure: string | undefined;
    while (!stop.aborted && failure === undefined) failure = await this.#runWorker(stop, deadline);
    const leases = this.#succession.end("the server is about to end");
    if (this.#isUnsettled) return failure;
    await this.#backings[Symbol.asyncDispose]();
    for (const lease of leases) await lease.end();
    return failure;
  }

  /** What is served now. */
  get serving(): Serving {
    return this.#succession.serving;
  }

  /** Where the target listens now, as `address:port`. */
  get portals(): readonly string[] {
    return this.#portals.map(({ address, port }) => formatPortal(address, port));
  }

  /** How many workers there have been. */
  get workerStarts(): number {
    return this.#workerStarts;
  }

  /** Why some backings cannot be served, though they are there, by their paths: to be tried again. */
  get backingFaults(): ReadonlyMap<string, string> {
    return this.#backings.faults;
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
  async ask<Asked extends WorkerRequest>(
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
    const { interfaces } = surroundingsOf(config, this.#options.interfaces());
    return await this.ask({ kind: "preview", config, interfaces });
  }

  /**
   * Serves something else from the same storage folder and under the same node, without those noticing whom it does
   * not concern.
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
    const { config, identities } = next;
    const surroundings = surroundingsOf(config, this.#options.interfaces());
    const { plan, interfaces } = surroundings;
    const unreached = portalsWithoutRight(running.rights, plan.portals);
    const portals = plan.portals.filter((portal) => !unreached.includes(portal));
    const { relayed } = running;
    try {
      const backings = await this.#backings.extend(next);
      const [fault] = await this.#relay(running, [...relayed, ...unreached]);
      // The addresses of the server may well change while one of them cannot be listened at.
      if (fault !== undefined && next !== this.serving) throw new Error(fault);
      const mayMissPortals = next === this.serving;
      const settings = { config, identities, ...backings, interfaces, portals, mayMissPortals };
      const question = { kind: "reconfigure", settings } as const;
      // However long that takes: given up half-way, nobody would know what is served.
      const { changes, addresses, faults } = await running.worker.ask(question);
      this.#succession.serving = next;
      running.backings = backings;
      this.#warnOfUnmatched(plan, running.surroundings.plan);
      running.surroundings = surroundings;
      running.addresses = addresses;
      this.#noteFaults(running, faults);
      await this.#settle(running);
      await this.#reach(running, unreached).catch((error) => this.#warnOnce(error.message));
      return changes;
    } catch (error) {
      if (next !== this.serving) await this.#relay(running, relayed);
      await this.#settle(running);
      throw error;
    }
  }

  /** Keeps what the worker needs that runs, and nothing else. One that has ended leaves that to the next. */
  async #settle(running: Running): Promise<void> {
    if (this.#running === running) await this.#backings.settle(this.serving, running.backings);
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
    await this.#startAnew(this.serving);
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
    const ready = this.#succession.begin(serving);
    this.#succeed();
    await ready;
  }

  /** Says once what goes wrong again and again. */
  #warnOnce(message: string): void {
    if (message !== this.#lastWarning) this.#options.log.warning(message);
    this.#lastWarning = message;
  }

  /** Says why the worker does not listen at some portals, until it does. */
  #noteFaults(running: Running, faults: readonly string[]): void {
    if (faults.length > 0) this.#warnOnce(`${faults.join("; ")}; trying again`);
    else if (running.faults.length > 0) this.#lastWarning = "";
    running.faults = faults;
  }

  /** Runs one worker to its end, and returns why there must not be another, if so. */
  async #runWorker(stop: AbortSignal, deadline: Deadline): Promise<string | undefined> {
    this.#succession.takeOver();
    this.#portals = [];
    const running = await Promise.race([this.#begin(), deadline.reached.then(() => TOO_LATE)]);
    if ("message" in running) return await this.#handleExit(running, stop);
    const { worker } = running;
    this.#running = running;
    this.#workerStarts++;
    const space = setInterval(() => this.#tellSpace(worker), SupervisorLimits.spaceMs);
    this.#tellSpace(worker);
    const cause = await this.#untilCause(running, stop);
    clearInterval(space);
    this.#running = undefined;
    const end = await this.#untilEnded(running, cause, deadline);
    switch (end.kind) {
      case "stopped":
        return cause === "ending" ? await this.#handleExit(UNASKED, stop) : undefined;
      default:
        // Another is about to take its place: then that is no reason to serve nobody.
        if (end.kind !== "lost" && cause === "stop") return end.message;
        return await this.#handleExit(end, stop);
    }
  }

  /** Starts a worker on what is on stable storage, or says why it cannot. */
  async #begin(): Promise<Running | UnwantedEnd> {
    const end = await settle(this.serving);
    if (end !== undefined) return end;
    return this.#isUnsettled ? TOO_LATE : await this.#start();
  }

  /**
   * Waits until nothing is under way that a worker has begun, neither in itself nor in a program that makes holes for
   * it: no other worker may start before, and nothing may be given back. When the process must end before, the worker
   * counts as lost.
   */
  async #untilEnded(running: Running, cause: Cause, deadline: Deadline): Promise<ProcessEnd> {
    const { worker, relays } = running;
    const { holes } = this.serving.lease;
    const patience = setTimeout(() => holes?.abandon(), cause === "ending" ? 0 : SupervisorLimits.punchMs);
    const settled = async (): Promise<ProcessEnd> => {
      // Until it has ended, a worker that ends in order still answers those who are connected by relays.
      if (cause === "ending") await relays.end();
      else relays.follow([]);
      const end = await (cause === "ending" ? worker.ended : worker.stop(SupervisorLimits.stopMs));
      await relays.end();
      await holes?.renew();
      return end;
    };
    const late = deadline.reached.then((): ProcessEnd => ({ kind: "lost", message: worker.abandon() }));
    const end = await Promise.race([settled(), late]);
    clearTimeout(patience);
    return end;
  }

  #tellSpace(worker: WorkerProcess): void {
    const { holes } = this.serving.lease;
    if (holes !== undefined) worker.post({ kind: "space", figures: measureSpace(holes.paths) });
  }

  async #punch(worker: WorkerProcess, { id, path, ranges }: PunchRequest): Promise<void> {
    const result = await this.serving.lease.holes?.punch(path, ranges) ?? "refused";
    worker.post({ kind: "punched", id, result });
  }

  #warnOfUnmatched(plan: PortalPlan, before?: PortalPlan): void {
    for (const message of describeUnmatched(plan, before)) this.#options.log.warning(message);
  }

  /** Starts a worker, or says why it cannot. */
  async #start(): Promise<Running | UnwantedEnd> {
    const { config, identities } = this.serving;
    const surroundings = surroundingsOf(config, this.#options.interfaces());
    const { plan: { portals }, interfaces } = surroundings;
    this.#warnOfUnmatched(surroundings.plan);
    const rights = workerPermissions({ storage: config.storage, portals });
    const worker: WorkerProcess = new WorkerProcess(rights, {
      onNews: (message) => this.#onNews(worker, message),
      onSlowEnd: (reason) =>
        this.#options.log.warning(`Target worker has not ended: ${reason}; ${UNTIL_THEN}`),
    });
    try {
      // The worker loads its program meanwhile.
      const backings = await this.#backings.renew(this.serving);
      if (this.#isUnsettled) throw new ProvisionError(TOO_LATE.message);
      // Whoever was served before is served again, wherever that can be.
      const mayMissPortals = this.#wasReady && !this.#succession.isUnderWay;
      const settings = { config, portals, identities, interfaces, ...backings, mayMissPortals };
      worker.post({ kind: "start", settings });
      const relays = this.#relaysOf(worker);
      return { worker, rights, surroundings, backings, addresses: [], faults: [], relays, relayed: [] };
    } catch (error) {
      worker.abandon();
      if (!(error instanceof ProvisionError)) throw error;
      return { kind: "failed", message: error.message };
    }
  }

  #relaysOf(worker: WorkerProcess): Relays {
    return new Relays({
      post: (message, transfer) => worker.post(message, transfer),
      onListening: () => this.#followListening(),
      onFailure: (message) => this.#warnOnce(message),
      log: this.#options.log,
    });
  }

  #onNews(worker: WorkerProcess, message: WorkerNews): void {
    const { log, workerLog = log, onReady } = this.#options;
    switch (message.kind) {
      case "log":
        return workerLog.write(message.event);
      case "punch":
        return void this.#punch(worker, message);
      case "closed":
        return void this.#backings.closed(message.path);
      case "listening": {
        if (this.#running === undefined) return;
        const { address, port } = message;
        this.#running.addresses = [...this.#running.addresses, { address, port }];
        return this.#followListening();
      }
      case "ready":
        this.#wasReady = true;
        if (this.#running !== undefined) this.#noteFaults(this.#running, message.faults);
        this.#succession.succeed();
        this.serving.lease.onReady?.();
        return onReady();
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
  async #untilCause(running: Running, stop: AbortSignal): Promise<Cause> {
    const cause = Promise.withResolvers<Cause>();
    const onAbort = (): void => cause.resolve("stop");
    stop.addEventListener("abort", onAbort, { once: true });
    if (stop.aborted) onAbort();
    this.#succeed = () => cause.resolve("succeeded");
    const timer = setInterval(() => this.#lookAround(running), SupervisorLimits.interfacesMs);
    running.worker.ending.then(() => cause.resolve("ending"));
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
      this.#warnOnce(
        `Cannot follow the server's addresses: ${errorMessage(error)}`,
      );
    }
  }

  async #follow(running: Running): Promise<void> {
    if (this.#running !== running) return;
    const surroundings = surroundingsOf(this.serving.config, this.#options.interfaces());
    const haveMoved = JSON.stringify(surroundings) !== JSON.stringify(running.surroundings);
    const unreached = portalsWithoutRight(running.rights, surroundings.plan.portals);
    if (haveMoved || running.faults.length > 0) {
      await this.#reconfigure(this.serving);
      if (haveMoved) this.#options.log.info("The server's addresses have changed");
    } else if (unreached.length > 0) {
      await this.#reach(running, unreached);
    }
  }

  /** Waits until another worker may be started, or returns why none must be. */
  async #handleExit(end: UnwantedEnd, stop: AbortSignal): Promise<string | undefined> {
    const { message } = end;
    if (end.kind === "lost") {
      this.#isUnsettled = true;
      return message;
    }
    if (end.kind === "failed" && this.#succession.rollBack(message)) return undefined;
    // What could not start once will not start the next time either, unless it has run before.
    if (end.kind === "failed" && !this.#wasReady) return message;
    this.#options.log.error(`Target worker ended: ${message}`, { event: "workerEnded" });
    const failure = this.#restarts.note(message, Date.now());
    if (failure === undefined) await delay(SupervisorLimits.restartMs, stop);
    return failure;
  }
}

/** What is said to follow from a worker that does not end. */
const UNTIL_THEN = "nothing else is served before, and nothing that it uses is given back";

/** The end of a worker that could not even start while the process had the time for that. */
const TOO_LATE: UnwantedEnd = { kind: "lost", message: "target worker has not started: a disk hangs" };

/** The end of a worker that ended in order, and had not been told to. */
const UNASKED: UnwantedEnd = { kind: "crashed", message: "it stopped unasked" };

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
