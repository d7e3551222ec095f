/**
 * Keeps the target worker of one port running: with the rights and portals that the conf and the server's addresses
 * call for, again after a crash, and until it stops in order. It never reads a byte from an initiator.
 */
import type { Portal } from "../../access/portals.ts";
import { errorMessage } from "../../base/error_message.ts";
import { formatPortal } from "../../bytes/network.ts";
import type { Config } from "../../config/config.ts";
import type { ReportedChange } from "../../control/reported_change.ts";
import type { WorkerStatus } from "../../control/server_status.ts";
import { ServerTotals } from "../../iscsi/node/server_totals.ts";
import { Deadline } from "./deadline.ts";
import { PortalWarnings } from "./portal_warnings.ts";
import { RestartPolicy } from "./restart_policy.ts";
import { NOT_READY, punchFor, type RunningWorker } from "./running_worker.ts";
import { SerialQueue } from "../../base/serial_queue.ts";
import { ServedBackings } from "./served_backings.ts";
import type { PortSupervisorOptions } from "./port_supervisor_options.ts";
import { ReportedPortals } from "./reported_portals.ts";
import type { WorkerServing } from "../storage/serving.ts";
import { Succession } from "./succession.ts";
import { SupervisorLimits } from "./supervisor_limits.ts";
import { pause } from "../timers.ts";
import { TOO_LATE, UNREQUESTED_STOP, type UnwantedEnd } from "./unwanted_end.ts";
import { WorkerLauncher } from "./worker_launcher.ts";
import type { WorkerNews, WorkerProcess } from "../worker/worker_process.ts";
import type { AnswerTo, WorkerRequest } from "../worker/worker_requests.ts";

/** Runs the target worker of a port until it is stopped. */
export class PortSupervisor {
  readonly #options: PortSupervisorOptions;
  readonly #succession: Succession;
  readonly #backings: ServedBackings;
  readonly #launcher: WorkerLauncher;
  readonly #restarts = new RestartPolicy();
  readonly #warnings: PortalWarnings;
  /** Changes of the served conf, one at a time. */
  readonly #changes = new SerialQueue();
  #workerStarts = 0;
  /** True if a worker may still change files; only the kernel can release what it has locked. */
  #isUnsettled = false;
  /** The conf to serve once the worker can. */
  #postponed: WorkerServing | undefined;
  /** Undefined between two workers. */
  #running: RunningWorker | undefined;
  readonly #portals: ReportedPortals;

  constructor(options: PortSupervisorOptions) {
    this.#options = options;
    this.#succession = new Succession(options.serving);
    const warn = (message: string): void => options.log.warning(message);
    this.#backings = new ServedBackings(warn, options.onReleased);
    this.#warnings = new PortalWarnings(options.log);
    this.#portals = new ReportedPortals(options.onListening);
    this.#launcher = new WorkerLauncher({
      ...options,
      backings: this.#backings,
      warnings: this.#warnings,
      onNews: (process, message) => this.#onNews(process, message),
      onRelayListening: () => this.#portals.report(this.#running?.portals.open ?? []),
      onSilent: (process) => this.#onSilent(process),
      onAnswer: (silentMs) => this.#onAnswer(silentMs),
    });
  }

  /**
   * Runs until `stop` is aborted, and then releases the worker's lease, unless an operation of a worker is still under
   * way. The kernel releases the locks then, when the process has exited.
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
  get serving(): WorkerServing {
    return this.#succession.serving;
  }

  /** The portals that accept connections now, as `address:port`. */
  get portals(): readonly string[] {
    return this.#portals.texts;
  }

  /** The number of workers started so far. */
  get workerStarts(): number {
    return this.#workerStarts;
  }

  /** Reasons for which existing backings cannot be served yet, by their paths. */
  get backingFaults(): ReadonlyMap<string, string> {
    return this.#backings.faults;
  }

  /** True if operations of a worker that did not end may still change files. */
  get isUnsettled(): boolean {
    return this.#isUnsettled;
  }

  /** Returns whether a worker may have a path open. */
  has(path: string): boolean {
    return this.#backings.has(path);
  }

  /** True if a worker runs. */
  get hasWorker(): boolean {
    return this.#running !== undefined;
  }

  /** True if a worker runs that answers, as far as is known. */
  get isResponsive(): boolean {
    return this.#running !== undefined && !this.#running.pulse.isSilent;
  }

  /** The conf and files that are to be served: those that are, or others once the worker can follow. */
  get wanted(): WorkerServing {
    return this.#postponed ?? this.serving;
  }

  /** The state of the worker. */
  get status(): WorkerStatus {
    const { port } = this.serving;
    return { port, ...this.#running?.status ?? NOT_READY };
  }

  /** Counts a login that has failed at another worker. */
  countFailedLogin(peerAddress: string): void {
    this.#running?.process.post({ kind: "failedLogin", peerAddress });
  }

  /**
   * Sends the worker a request and returns its answer. A limit of null waits as long as the worker runs.
   *
   * @throws {Error} (rejects) when there is no answer; the message is for the user
   */
  async ask<Asked extends WorkerRequest>(
    request: Asked,
    limitMs: number | null = SupervisorLimits.answerMs,
  ): Promise<AnswerTo<Asked>> {
    return await this.#runningNow().process.ask(request, limitMs ?? undefined);
  }

  /**
   * Returns the changes that serving `config` would make, with the sessions that each affects.
   *
   * @throws {Error} (rejects) when there is no answer; the message is for the user
   */
  async preview(config: Config): Promise<readonly ReportedChange[]> {
    const { interfaces } = this.#launcher.surroundingsOf({ config, port: this.serving.port });
    return await this.ask({ kind: "preview", config, interfaces });
  }

  /**
   * Serves another conf of the same storage folder and node. Sessions the change does not affect are undisturbed.
   *
   * @returns the changes made
   * @throws {Error} (rejects) when it cannot; then nothing has changed, and the message is for the user
   */
  reconfigure(next: WorkerServing): Promise<readonly ReportedChange[]> {
    return this.#changes.run(() => this.#reconfigure(next));
  }

  /**
   * Serves another conf like `reconfigure`, or once the worker can: when it has been restarted, or answers again.
   *
   * @throws {Error} (rejects) when it cannot; then nothing has changed, and the message is for the user
   */
  async follow(next: WorkerServing): Promise<readonly ReportedChange[]> {
    const done = this.isResponsive ? this.reconfigure(next) : undefined;
    const changes = done && await Promise.race([done, this.#running?.pulse.untilSilent()]);
    this.#postponed = changes === undefined ? next : undefined;
    // Without an answer, the conf is served again later, so this failure is reported then.
    done?.catch(() => {});
    return changes ?? [];
  }

  /** Serves the conf that was postponed. After a failure it is tried again with the next check of addresses. */
  async #catchUp(): Promise<void> {
    const next = this.#postponed;
    if (next === undefined || !this.isResponsive) return;
    try {
      await this.#reconfigure(next);
      if (this.#postponed === next) this.#postponed = undefined;
    } catch (error) {
      this.#warnings.warnOnce(`${this.#name} cannot follow: ${errorMessage(error)}; trying again`);
    }
  }

  /**
   * Serves another conf by a new worker: every session ends. Resolves when the new worker is ready.
   *
   * @throws {Error} (rejects) when it cannot; then what was served before is served again
   */
  replace(next: WorkerServing): Promise<void> {
    return this.#changes.run(async () => {
      const postponed = this.#postponed;
      this.#postponed = undefined;
      try {
        await this.#replaceWorker(next);
      } catch (error) {
        this.#postponed = postponed;
        throw error;
      }
    });
  }

  #runningNow(): RunningWorker {
    if (this.#running === undefined) throw new Error("no target worker is running at the moment: try again");
    return this.#running;
  }

  async #reconfigure(next: WorkerServing): Promise<readonly ReportedChange[]> {
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

  async #applyTo(running: RunningWorker, next: WorkerServing): Promise<readonly ReportedChange[]> {
    const surroundings = this.#launcher.surroundingsOf(next, running.surroundings);
    const { plan, interfaces } = surroundings;
    const unreached = running.portals.withoutRight(plan.portals);
    const portals = plan.portals.filter((portal) => !unreached.includes(portal));
    const backings = await this.#backings.extend(next);
    const [fault] = await this.#relay(running, [...running.portals.relayed, ...unreached]);
    // An unchanged conf follows the server's addresses even while one of them cannot be listened at.
    const mayMissPortals = next === this.serving;
    if (fault !== undefined && !mayMissPortals) throw new Error(fault);
    const details = { ...backings, interfaces, portals, mayMissPortals };
    const settings = this.#launcher.settingsFor(running.process, next, details);
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
    this.#portals.report(this.#running?.portals.open ?? []);
    return faults;
  }

  async #replaceWorker(serving: WorkerServing): Promise<void> {
    const running = this.#runningNow();
    const ready = this.#succession.begin(serving);
    running.replace();
    await ready;
  }

  /** Runs one worker until it ends; returns why no other is started, or undefined when one is. */
  async #runWorker(stop: AbortSignal, deadline: Deadline): Promise<string | undefined> {
    this.#succession.takeOver();
    // Kept until the worker is ready: another one may have to start instead.
    if (this.#postponed !== undefined) this.#succession.serving = this.#postponed;
    this.#portals.clear();
    // After a crash the same conf is served again, at every portal where that is possible.
    const mayMissPortals = this.#restarts.wasReady && !this.#succession.isUnderWay;
    const begun = this.#launcher.launch(this.serving, mayMissPortals, () => this.#isUnsettled);
    const running = await Promise.race([begun, deadline.reached.then(() => TOO_LATE)]);
    if ("message" in running) return await this.#handleExit(running, stop);
    this.#running = running;
    this.#workerStarts++;
    const cause = await running.untilCause(stop, {
      holes: () => this.serving.lease.holes,
      onCheckAddresses: () => this.#checkAddresses(running),
    });
    this.#running = undefined;
    const end = await running.end(cause, this.serving.lease.holes, deadline);
    if (end.kind !== "lost") new ServerTotals(this.#options.totals.memory, this.#options.totals.slot).clear();
    if (end.kind === "stopped") {
      return cause === "ending" ? await this.#handleExit(UNREQUESTED_STOP, stop) : undefined;
    }
    // When another worker replaces this one, a failure to stop in order does not end the server.
    if (end.kind !== "lost" && cause === "stop") return end.message;
    return await this.#handleExit(end, stop);
  }

  #onSilent(process: WorkerProcess): void {
    const message = `${this.#name} does not answer: ${process.describeBlockage()}; only its targets wait`;
    this.#options.log.error(message, { event: "workerHangs" });
    this.#options.onSilent();
  }

  #onAnswer(silentMs: number): void {
    const message = `${this.#name} answers again, after ${Math.round(silentMs / 1000)} s`;
    this.#options.log.info(message, { event: "workerAnswers" });
    this.#changes.run(() => this.#catchUp());
  }

  get #name(): string {
    return `Target worker at port ${this.serving.port}`;
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
      case "faulty":
        return this.#backings.suspect(message.path);
      case "failedLogin":
        return this.#options.onFailedLogin(message.peerAddress);
      case "listening": {
        if (this.#running === undefined) return;
        const { address, port } = message;
        const { portals } = this.#running;
        portals.own = [...portals.own, { address, port }];
        return this.#portals.report(this.#running?.portals.open ?? []);
      }
      case "ready":
        this.#restarts.noteReady();
        this.#running?.pulse.noteReady();
        if (this.#running !== undefined) this.#warnings.noteFaults(this.#running.portals, message.faults);
        this.#succession.succeed();
        if (this.#postponed === this.serving) this.#postponed = undefined;
        this.#changes.run(() => this.#catchUp());
        return onReady();
    }
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
    if (this.#running !== running || !this.isResponsive) return;
    await this.#catchUp();
    const surroundings = this.#launcher.surroundingsOf(this.serving, running.surroundings);
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
