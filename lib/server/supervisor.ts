/**
 * Keeps one target worker running: with the rights and portals that the conf and the server's addresses call for, again
 * after a crash, and until it stops in order. The supervisor never reads a byte from an initiator.
 */
import type { InterfaceAddress } from "../access/interfaces.ts";
import type { Portal } from "../access/portals.ts";
import { errorMessage } from "../base/error_message.ts";
import { formatPortal } from "../bytes/network.ts";
import type { Config } from "../config/config.ts";
import type { ReportedChange } from "../control/reported_change.ts";
import type { Clock } from "../iscsi/clock.ts";
import type { EventLog } from "../iscsi/events/event_log.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import { settleState } from "../provision/settle_state.ts";
import { Deadline } from "./deadline.ts";
import type { HeldRights } from "./held_rights.ts";
import { PortalWarnings } from "./portal_warnings.ts";
import { Relays } from "./relay/relays.ts";
import { RestartPolicy } from "./restart_policy.ts";
import { type EndCause, punchFor, RunningWorker } from "./running_worker.ts";
import { SerialQueue } from "./serial_queue.ts";
import { ServedBackings } from "./served_backings.ts";
import type { Serving } from "./serving.ts";
import type { StartWorker } from "./start_worker.ts";
import { Succession } from "./succession.ts";
import { SupervisorLimits } from "./supervisor_limits.ts";
import { listeningScope, surroundingsOf } from "./surroundings.ts";
import { pause, repeat } from "./timers.ts";
import { workerPermissions } from "./worker_permissions.ts";
import { WorkerPortals } from "./worker_portals.ts";
import { failedStart, TOO_LATE, UNREQUESTED_STOP, type UnwantedEnd } from "./unwanted_end.ts";
import { type WorkerNews, WorkerProcess } from "./worker_process.ts";
import type { AnswerTo, WorkerRequest } from "./worker_requests.ts";

/** The collaborators of a supervisor. */
export interface SupervisorOptions {
  readonly serving: Serving;
  /** Returns the server's current addresses. */
  readonly interfaces: () => readonly InterfaceAddress[];
  readonly clock: Clock;
  readonly startWorker: StartWorker;
  /** The rights of the process, which limit those of its workers; all by default. */
  readonly rights?: HeldRights;
  readonly log: EventLog;
  /** The log for events of the worker, which has already counted repeated ones: `log` by default. */
  readonly workerLog?: EventLog;
  /** Called for each portal at which the target begins to listen. */
  readonly onListening: (address: string, port: number) => void;
  /** Called when a worker listens at every portal that it can. */
  readonly onReady: () => void;
}

/** Runs the target until it is stopped. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #succession: Succession;
  readonly #backings: ServedBackings;
  readonly #restarts = new RestartPolicy();
  readonly #warnings: PortalWarnings;
  /** Changes of the served conf, one at a time. */
  readonly #changes = new SerialQueue();
  #workerStarts = 0;
  /** True if a worker may still change files; only the kernel can release what it has locked. */
  #isUnsettled = false;
  /** Undefined between two workers. */
  #running: RunningWorker | undefined;
  /** Portals that accept connections now. */
  #portals: readonly Portal[] = [];
  /** Ends the current worker in order, for another to replace it. */
  #endForReplacement: () => void = () => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#succession = new Succession(options.serving);
    this.#backings = new ServedBackings((message) => options.log.warning(message));
    this.#warnings = new PortalWarnings(options.log);
  }

  /**
   * Runs until `stop` is aborted, and then releases the storage folder. It releases nothing while an operation of a
   * worker is still under way: the process has to exit, and the kernel releases the locks when the last of its threads
   * has left the files alone.
   *
   * @returns undefined after an orderly stop, else the reason for the failure
   */
  async run(stop: AbortSignal): Promise<string | undefined> {
    using deadline = new Deadline(stop, SupervisorLimits.endMs, this.#options.clock);
    let failure: string | undefined;
    while (!stop.aborted && failure === undefined) failure = await this.#runWorker(stop, deadline);
    const leases = this.#succession.end("the server is about to end");
    if (this.#isUnsettled) return failure;
    await this.#backings[Symbol.asyncDispose]();
    for (const lease of leases) await lease.end();
    return failure;
  }

  /** The conf and files that are served now. */
  get serving(): Serving {
    return this.#succession.serving;
  }

  /** The portals that accept connections now, as `address:port`. */
  get portals(): readonly string[] {
    return this.#portals.map(({ address, port }) => formatPortal(address, port));
  }

  /** The number of workers started so far. */
  get workerStarts(): number {
    return this.#workerStarts;
  }

  /** Reasons for which existing backings cannot be served yet, by their paths. */
  get backingFaults(): ReadonlyMap<string, string> {
    return this.#backings.faults;
  }

  /** True if a worker runs that can answer requests. */
  get hasWorker(): boolean {
    return this.#running !== undefined;
  }

  /**
   * Sends the worker a request and returns its answer.
   *
   * @throws {Error} (rejects) when there is no answer; the message is for the user
   */
  async ask<Asked extends WorkerRequest>(
    request: Asked,
    limitMs: number = SupervisorLimits.answerMs,
  ): Promise<AnswerTo<Asked>> {
    return await this.#runningNow().process.ask(request, limitMs);
  }

  /**
   * Returns the changes that serving `config` would make, with the sessions that each affects.
   *
   * @throws {Error} (rejects) when there is no answer; the message is for the user
   */
  async preview(config: Config): Promise<readonly ReportedChange[]> {
    const { interfaces } = surroundingsOf(config, this.#options.interfaces());
    return await this.ask({ kind: "preview", config, interfaces });
  }

  /**
   * Serves another conf of the same storage folder and node. Sessions the change does not affect are undisturbed.
   *
   * @returns the changes made
   * @throws {Error} (rejects) when it cannot; then nothing has changed, and the message is for the user
   */
  reconfigure(next: Serving): Promise<readonly ReportedChange[]> {
    return this.#changes.run(() => this.#reconfigure(next));
  }

  /**
   * Serves another conf by a new worker: every session ends. Resolves when the new worker is ready.
   *
   * @throws {Error} (rejects) when it cannot; then what was served before is served again
   */
  replace(next: Serving): Promise<void> {
    return this.#changes.run(() => this.#replaceWorker(next));
  }

  #runningNow(): RunningWorker {
    if (this.#running === undefined) throw new Error("no target worker is running at the moment: try again");
    return this.#running;
  }

  async #reconfigure(next: Serving): Promise<readonly ReportedChange[]> {
    const running = this.#runningNow();
    const { relayed } = running.portals;
    try {
      return await this.#applyTo(running, next);
    } catch (error) {
      if (next !== this.serving) await this.#relay(running, relayed);
      await this.#settleBackings(running);
      throw error;
    }
  }

  async #applyTo(running: RunningWorker, next: Serving): Promise<readonly ReportedChange[]> {
    const { config, identities } = next;
    const surroundings = surroundingsOf(config, this.#options.interfaces());
    const { plan, interfaces } = surroundings;
    const unreached = running.portals.withoutRight(plan.portals);
    const portals = plan.portals.filter((portal) => !unreached.includes(portal));
    const backings = await this.#backings.extend(next);
    const [fault] = await this.#relay(running, [...running.portals.relayed, ...unreached]);
    // An unchanged conf follows the server's addresses even while one of them cannot be listened at.
    const mayMissPortals = next === this.serving;
    if (fault !== undefined && !mayMissPortals) throw new Error(fault);
    const settings = { config, identities, ...backings, interfaces, portals, mayMissPortals };
    // Without a time limit: after one, it would be unknown which conf is served.
    const answer = await running.process.ask({ kind: "reconfigure", settings });
    this.#succession.serving = next;
    running.backings = backings;
    this.#warnings.noteUnmatched(plan, running.surroundings.plan);
    running.surroundings = surroundings;
    running.portals.own = answer.addresses;
    this.#warnings.noteFaults(running.portals, answer.faults);
    await this.#settleBackings(running);
    await this.#reach(running, unreached).catch((error) => this.#warnings.warnOnce(error.message));
    return answer.changes;
  }

  /** Releases all backings that the running worker does not need. A worker that has ended leaves that to the next. */
  async #settleBackings(running: RunningWorker): Promise<void> {
    if (this.#running === running) await this.#backings.settle(this.serving, running.backings);
  }

  /**
   * Listens by relays at portals that the worker has no right to, because a worker's rights are fixed at its start. A
   * new worker with these rights replaces it when every portal can be listened at and no session would end.
   */
  async #reach(running: RunningWorker, unreached: readonly Portal[]): Promise<void> {
    const faults = await this.#relay(running, unreached);
    if (unreached.length === 0 || faults.length > 0 || await running.hasSessions()) return;
    const places = unreached.map(({ address, port }) => formatPortal(address, port)).join(" ");
    this.#options.log.info(`Restarting the target worker to listen at ${places}`);
    await this.#replaceWorker(this.serving);
  }

  async #relay(running: RunningWorker, portals: readonly Portal[]): Promise<string[]> {
    const faults = await running.portals.relay(portals);
    this.#reportPortals();
    return faults;
  }

  async #replaceWorker(serving: Serving): Promise<void> {
    this.#runningNow();
    const ready = this.#succession.begin(serving);
    this.#endForReplacement();
    await ready;
  }

  /** Runs one worker until it ends; returns why no other is started, or undefined when one is. */
  async #runWorker(stop: AbortSignal, deadline: Deadline): Promise<string | undefined> {
    this.#succession.takeOver();
    this.#portals = [];
    const running = await Promise.race([this.#begin(), deadline.reached.then(() => TOO_LATE)]);
    if ("message" in running) return await this.#handleExit(running, stop);
    this.#running = running;
    this.#workerStarts++;
    const cause = await this.#untilCause(running, stop);
    this.#running = undefined;
    const end = await running.end(cause, this.serving.lease.holes, deadline);
    if (end.kind === "stopped") {
      return cause === "ending" ? await this.#handleExit(UNREQUESTED_STOP, stop) : undefined;
    }
    // When another worker replaces this one, a failure to stop in order does not end the server.
    if (end.kind !== "lost" && cause === "stop") return end.message;
    return await this.#handleExit(end, stop);
  }

  /** Starts a worker once everything is on stable storage, or returns why it cannot. */
  async #begin(): Promise<RunningWorker | UnwantedEnd> {
    try {
      await settleState(this.serving.config);
    } catch (error) {
      return failedStart(error);
    }
    return this.#isUnsettled ? TOO_LATE : await this.#start();
  }

  /** Starts a worker, or returns why it cannot. */
  async #start(): Promise<RunningWorker | UnwantedEnd> {
    const { clock, interfaces: currentInterfaces } = this.#options;
    const { config, identities } = this.serving;
    const surroundings = surroundingsOf(config, currentInterfaces());
    const { plan, interfaces } = surroundings;
    this.#warnings.noteUnmatched(surroundings.plan);
    const scope = listeningScope(config, plan, this.#options.rights);
    const process = this.#startProcess(workerPermissions({ storage: config.storage, ...scope }));
    try {
      // The worker loads its program meanwhile.
      const backings = await this.#backings.renew(this.serving);
      if (this.#isUnsettled) throw new ProvisionError(TOO_LATE.message);
      // After a crash the same conf is served again, at every portal where that is possible.
      const mayMissPortals = this.#restarts.wasReady && !this.#succession.isUnderWay;
      const settings = { config, portals: plan.portals, identities, interfaces, ...backings, mayMissPortals };
      process.post({ kind: "start", settings });
      const workerPortals = new WorkerPortals(scope, this.#relaysOf(process));
      return new RunningWorker({ process, portals: workerPortals, surroundings, backings, clock });
    } catch (error) {
      process.abandon();
      return failedStart(error);
    }
  }

  #startProcess(permissions: Deno.PermissionOptionsObject): WorkerProcess {
    const process: WorkerProcess = new WorkerProcess({
      ...this.#options,
      permissions,
      onNews: (message) => this.#onNews(process, message),
      onSlowEnd: (reason) =>
        this.#options.log.warning(`Target worker has not ended: ${reason}; ${NO_OTHER_UNTIL_THEN}`),
    });
    return process;
  }

  #relaysOf(worker: WorkerProcess): Relays {
    return new Relays({
      ...this.#options,
      post: (message, transfer) => worker.post(message, transfer),
      onListening: () => this.#reportPortals(),
      onFailure: (message) => this.#warnings.warnOnce(message),
    });
  }

  #onNews(worker: WorkerProcess, message: WorkerNews): void {
    const { log, workerLog = log, onReady } = this.#options;
    switch (message.kind) {
      case "log":
        return workerLog.write(message.event);
      case "punch":
        return void punchFor(worker, this.serving.lease.holes, message);
      case "closed":
        return void this.#backings.closed(message.path);
      case "listening": {
        if (this.#running === undefined) return;
        const { address, port } = message;
        const { portals } = this.#running;
        portals.own = [...portals.own, { address, port }];
        return this.#reportPortals();
      }
      case "ready":
        this.#restarts.noteReady();
        if (this.#running !== undefined) this.#warnings.noteFaults(this.#running.portals, message.faults);
        this.#succession.succeed();
        this.serving.lease.onReady?.();
        return onReady();
    }
  }

  /** Records the portals of the worker and its relays, and reports the new ones. */
  #reportPortals(): void {
    const before = new Set(this.portals);
    this.#portals = this.#running?.portals.open ?? [];
    for (const { address, port } of this.#portals) {
      if (!before.has(formatPortal(address, port))) this.#options.onListening(address, port);
    }
  }

  /** Serves the running worker's periodic needs until it ends or has to. */
  async #untilCause(running: RunningWorker, stop: AbortSignal): Promise<EndCause> {
    const cause = Promise.withResolvers<EndCause>();
    const onAbort = (): void => cause.resolve("stop");
    stop.addEventListener("abort", onAbort, { once: true });
    if (stop.aborted) onAbort();
    this.#endForReplacement = () => cause.resolve("replaced");
    const { clock } = this.#options;
    const sendSpace = (): void => running.sendSpace(this.serving.lease.holes);
    const stopSpace = repeat(clock, SupervisorLimits.spaceMs, sendSpace);
    sendSpace();
    const stopChecks = repeat(clock, SupervisorLimits.interfacesMs, () => this.#checkAddresses(running));
    running.process.ending.then(() => cause.resolve("ending"));
    const result = await cause.promise;
    stopChecks();
    stopSpace();
    stop.removeEventListener("abort", onAbort);
    return result;
  }

  /** Follows the server's addresses, and retries portals that could not be listened at. */
  async #checkAddresses(running: RunningWorker): Promise<void> {
    try {
      // A change in progress may take longer than the interval between two checks.
      await this.#changes.run(() => this.#followAddresses(running));
    } catch (error) {
      this.#warnings.warnOnce(`Cannot follow the server's addresses: ${errorMessage(error)}`);
    }
  }

  async #followAddresses(running: RunningWorker): Promise<void> {
    if (this.#running !== running) return;
    const surroundings = surroundingsOf(this.serving.config, this.#options.interfaces());
    const haveMoved = JSON.stringify(surroundings) !== JSON.stringify(running.surroundings);
    const unreached = running.portals.withoutRight(surroundings.plan.portals);
    if (haveMoved || running.portals.faults.length > 0) {
      await this.#reconfigure(this.serving);
      if (haveMoved) this.#options.log.info("The server's addresses have changed");
    } else if (unreached.length > 0) {
      await this.#reach(running, unreached);
    }
  }

  /** Waits until another worker may be started, or returns why none may. */
  async #handleExit(end: UnwantedEnd, stop: AbortSignal): Promise<string | undefined> {
    const { kind, message } = end;
    if (kind === "lost") this.#isUnsettled = true;
    if (kind === "failed" && this.#succession.rollBack(message)) return undefined;
    const { clock, log } = this.#options;
    const { isLogged, failure } = this.#restarts.decideRestart(end, clock.now());
    if (isLogged) log.error(`Target worker ended: ${message}`, { event: "workerEnded" });
    if (failure === undefined) await pause(clock, SupervisorLimits.restartMs, stop);
    return failure;
  }
}

/** The consequence of a worker that does not end, for the log. */
const NO_OTHER_UNTIL_THEN = "until then no other worker starts and no file is released";
