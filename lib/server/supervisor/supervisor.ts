/**
 * Serves a conf: one target worker for each of its ports. The workers share nothing but the process, so one that
 * crashes, or that a disk blocks, disturbs no session of another.
 */
import { errorMessage } from "../../base/error_message.ts";
import type { Config } from "../../config/config.ts";
import { portsOf } from "../../config/port_share.ts";
import type { ReportedChange } from "../../control/reported_change.ts";
import type { WorkerStatus } from "../../control/server_status.ts";
import { freeSlot, ServerTotals } from "../../iscsi/node/server_totals.ts";
import { areSameArrivals, arrivalsAt } from "./arrivals.ts";
import { SpaceGauge } from "../storage/measure_space.ts";
import { mergeChanges } from "./merge_changes.ts";
import { PortRequests } from "./port_requests.ts";
import type { PortSupervisorOptions } from "../port/port_supervisor_options.ts";
import { Retries } from "./retries.ts";
import { SerialQueue } from "../../base/serial_queue.ts";
import { ServedPort } from "./served_port.ts";
import type { Exported, Serving, WorkerLease, WorkerServing } from "../storage/serving.ts";

/** The collaborators of a supervisor. */
export interface SupervisorOptions extends
  Omit<
    PortSupervisorOptions,
    "serving" | "gauge" | "totals" | "onSilent" | "onReleased" | "onFailedLogin"
  > {
  readonly serving: Serving;
}

/** Runs the target workers of all ports until it is stopped. */
export class Supervisor {
  /** The requests to all workers. */
  readonly requests: PortRequests;
  /** Measures the backing files. */
  readonly gauge: SpaceGauge;
  readonly #options: SupervisorOptions;
  readonly #totals = ServerTotals.memory();
  readonly #ports = new Map<number, ServedPort>();
  /** Ports whose workers are not started again, with the reasons. */
  readonly #failed = new Map<number, string>();
  /** Ports whose workers may still change files; only the kernel can release what they have locked. */
  readonly #lost = new Set<ServedPort>();
  readonly #withheld = new Map<string, string>();
  readonly #retries: Retries;
  /** Changes of what is served, one at a time. */
  readonly #changes = new SerialQueue();
  readonly #ended = Promise.withResolvers<void>();
  #serving: Serving;
  #formerStarts = 0;
  #hasBeenReady = false;
  #isStopping = false;
  #failure: string | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#serving = options.serving;
    this.gauge = new SpaceGauge(options.clock);
    this.#retries = new Retries(options.clock);
    this.requests = new PortRequests(() => this.#supervisors, () => this.#serving.config);
  }

  /**
   * Runs until `stop` is aborted, or no port is served any longer, and then releases the storage folder. It releases
   * nothing while an operation of a worker is still under way: the process has to exit, and the kernel releases the
   * locks when the last of its threads has left the files alone.
   *
   * @returns undefined after an orderly stop, else the reason for the failure
   */
  async run(stop: AbortSignal): Promise<string | undefined> {
    const onStop = (): void => this.#stop();
    stop.addEventListener("abort", onStop, { once: true });
    if (stop.aborted) onStop();
    else this.#beginAll();
    await this.#ended.promise;
    stop.removeEventListener("abort", onStop);
    if (this.#lost.size === 0) await this.#changes.run(() => this.#serving.lease.end());
    return this.#failure;
  }

  /** The conf and files that are served now. */
  get serving(): Serving {
    return this.#serving;
  }

  /** The portals that accept connections now, as `address:port`. */
  get portals(): readonly string[] {
    return this.#supervisors.flatMap(({ portals }) => portals);
  }

  /** The number of workers started so far. */
  get workerStarts(): number {
    return this.#supervisors.reduce((sum, { workerStarts }) => sum + workerStarts, this.#formerStarts);
  }

  /** Reasons for which existing backings cannot be served yet, by their paths. */
  get backingFaults(): ReadonlyMap<string, string> {
    return new Map(this.#supervisors.flatMap(({ backingFaults }) => [...backingFaults]));
  }

  /** True if a worker runs that can answer requests. */
  get hasWorker(): boolean {
    return this.#supervisors.some(({ hasWorker }) => hasWorker);
  }

  /** The state of the worker of each port, in the order of their first logins. */
  get workers(): readonly WorkerStatus[] {
    const failed = [...this.#failed].map(([port, reason]): WorkerStatus => {
      return { port, state: "failed", seconds: null, reason, faults: [] };
    });
    return [...this.#supervisors.map(({ status }) => status), ...failed];
  }

  get #supervisors(): ServedPort["supervisor"][] {
    return [...this.#ports.values()].map(({ supervisor }) => supervisor);
  }

  /**
   * Returns the changes that serving `config` would make, with the sessions that each affects.
   *
   * @throws {Error} (rejects) when there is no answer; the message is for the user
   */
  async preview(config: Config): Promise<readonly ReportedChange[]> {
    const answers = await this.requests.askAll((supervisor) => supervisor.preview(config));
    return mergeChanges(this.#serving.config, config, answers);
  }

  /**
   * Serves another conf of the same storage folder and node. Sessions the change does not affect are undisturbed. A
   * worker that does not answer follows when it does.
   *
   * @returns the changes made
   * @throws {Error} (rejects) when it cannot; then nothing has changed, and the message is for the user
   */
  reconfigure(next: Serving): Promise<readonly ReportedChange[]> {
    return this.#changes.run(async () => {
      try {
        return await this.#reconfigure(next);
      } finally {
        // What was closed during the change was compared with the conf before.
        this.#admitArrivals();
      }
    });
  }

  /**
   * Serves another conf by new workers: every session ends. Resolves when the new workers are ready.
   *
   * @throws {Error} (rejects) when it cannot; then what was served before is served again
   */
  replace(next: Serving): Promise<void> {
    return this.#changes.run(() => this.#replace(next));
  }

  /** Opens a path to no worker until `release`, for this reason. A worker that had it open must have closed it. */
  async withhold(path: string, reason: string): Promise<void> {
    this.#withheld.set(path, reason);
    await this.#admitArrivals();
  }

  /** Ends `withhold`. Resolves when the path is served again, or cannot be. */
  async release(path: string): Promise<void> {
    this.#withheld.delete(path);
    await this.#admitArrivals();
  }

  #beginAll(): void {
    try {
      for (const port of portsOf(this.#serving.config)) this.#begin(port, this.#serving);
    } catch (error) {
      this.#fail(errorMessage(error));
    }
  }

  /**
   * Starts to serve a port.
   *
   * @throws {Error} when the state folder cannot be written, or the server is about to end
   */
  #begin(port: number, serving: Serving, isTrial = false): ServedPort {
    if (this.#isStopping) throw new Error("the server is about to end");
    const { lease } = serving;
    const slot = freeSlot([...this.#ports.values()].map(({ slot }) => slot));
    const served: ServedPort = new ServedPort({
      ...this.#options,
      serving: this.#servingOf(port, serving, lease.forPort(port)),
      gauge: this.gauge,
      totals: { memory: this.#totals, slot },
      onReady: () => this.#onReady(),
      onReleased: () => this.#admitArrivals(),
      onFailedLogin: (peerAddress) => this.requests.shareFailedLogin(port, peerAddress),
    }, isTrial);
    this.#ports.set(port, served);
    this.#failed.delete(port);
    served.ended.then((failure) => this.#onEnded(served, failure));
    return served;
  }

  /** Returns what the worker of a port serves. Files that another worker still has open arrive later. */
  #servingOf(port: number, serving: Exported, lease: WorkerLease): WorkerServing {
    return { ...serving, port, arriving: this.#arrivingAt(port, serving.config), lease };
  }

  #arrivingAt(port: number, config: Config): ReadonlyMap<string, string> {
    return arrivalsAt(port, config, [...this.#ports.values(), ...this.#lost], this.#withheld);
  }

  /** Serves the files that have arrived at their ports. */
  async #admitArrivals(): Promise<void> {
    const concerned = [...this.#ports.values()].filter((served) => this.#hasArrivals(served));
    await Promise.all(concerned.map((served) => this.#changes.run(() => this.#admit(served))));
  }

  #hasArrivals({ port, supervisor: { wanted } }: ServedPort): boolean {
    return !areSameArrivals(wanted.arriving, this.#arrivingAt(port, wanted.config));
  }

  async #admit(served: ServedPort): Promise<void> {
    const { port, supervisor: { wanted } } = served;
    if (this.#isStopping || this.#ports.get(port) !== served || !this.#hasArrivals(served)) return;
    try {
      await served.supervisor.follow(this.#servingOf(port, wanted, wanted.lease));
    } catch (error) {
      const message = `Cannot serve what has moved to port ${port}: ${errorMessage(error)}; ${AGAIN}`;
      this.#options.log.warning(message);
      this.#retries.later(() => this.#admitArrivals());
    }
  }

  async #reconfigure(next: Serving): Promise<readonly ReportedChange[]> {
    if (!this.hasWorker) throw new Error("no target worker is running at the moment: try again");
    const before = this.#serving;
    const wanted = portsOf(next.config);
    const present = [...this.#ports.values()];
    const added = this.#missingOf(next.config);
    const followed: ServedPort[] = [];
    const answers: (readonly ReportedChange[])[] = [];
    try {
      await this.#add(added, next);
      for (const served of present) {
        followed.push(served);
        answers.push(await this.#follow(served, next));
      }
    } catch (error) {
      await this.#undo(before, { added, followed });
      throw error;
    }
    this.#serving = next;
    for (const served of present) {
      if (wanted.includes(served.port)) served.stay();
      else served.retire(this.#options.clock, () => this.#changes.run(() => this.#close(served)));
    }
    this.#retryFailed();
    return mergeChanges(before.config, next.config, answers);
  }

  /** Returns the ports of a conf that are to be added. Those that have failed are tried again without a change. */
  #missingOf(config: Config): number[] {
    return portsOf(config).filter((port) => !this.#ports.has(port) && !this.#failed.has(port));
  }

  /** Ends a port that has no target left, unless it has some again. */
  async #close(served: ServedPort): Promise<void> {
    if (!portsOf(this.#serving.config).includes(served.port)) await served.end();
  }

  /** Starts to serve further ports. Rejects when one of them cannot be served. */
  async #add(ports: readonly number[], next: Serving): Promise<void> {
    const added = ports.map((port) => this.#begin(port, next, true));
    await Promise.all(added.map(({ ready }) => ready));
    for (const served of added) await served.assertServesAll();
    for (const served of added) served.isTrial = false;
  }

  async #follow({ port, supervisor }: ServedPort, next: Serving): Promise<readonly ReportedChange[]> {
    return await supervisor.follow(this.#servingOf(port, next, supervisor.serving.lease));
  }

  /** Serves what was served before, because a change has failed. */
  async #undo(
    before: Serving,
    { added, followed }: { readonly added: readonly number[]; readonly followed: readonly ServedPort[] },
  ): Promise<void> {
    await Promise.all(added.map((port) => this.#ports.get(port)?.end()));
    // The last one has failed, and changed nothing.
    for (const served of followed.slice(0, -1)) {
      try {
        await this.#follow(served, before);
      } catch (error) {
        this.#options.log.error(`Cannot undo the change at port ${served.port}: ${errorMessage(error)}`);
      }
    }
  }

  async #replace(next: Serving): Promise<void> {
    const before = this.#serving;
    this.#assertReplaceable();
    const wanted = portsOf(next.config);
    const leaving = [...this.#ports.values()].filter(({ port }) => !wanted.includes(port));
    const staying = [...this.#ports.values()].filter(({ port }) => wanted.includes(port));
    const added = this.#missingOf(next.config);
    const replaced = await Promise.allSettled(staying.map((served) => this.#replaceWorker(served, next)));
    try {
      for (const result of replaced) if (result.status === "rejected") throw result.reason;
      await this.#add(added, next);
    } catch (error) {
      await Promise.all(added.map((port) => this.#ports.get(port)?.end()));
      const done = staying.filter((_, index) => replaced[index]!.status === "fulfilled");
      await Promise.allSettled(done.map((served) => this.#replaceWorker(served, before)));
      throw error;
    }
    await Promise.all(leaving.map((served) => served.end()));
    this.#serving = next;
    if (before.lease !== next.lease && this.#lost.size === 0) await before.lease.end();
    this.#retryFailed();
  }

  /** Checks that no worker hangs, because all have to end. */
  #assertReplaceable(): void {
    const unable = this.workers.find(({ state }) => state === "hanging" || state === "restarting");
    if (unable === undefined) return;
    throw new Error(`the target worker at port ${unable.port} cannot end: ${unable.reason}; try again`);
  }

  async #replaceWorker({ port, supervisor }: ServedPort, next: Serving): Promise<void> {
    const isSame = next.config.storage === supervisor.serving.config.storage;
    const lease = isSame ? supervisor.serving.lease : next.lease.forPort(port);
    try {
      await supervisor.replace(this.#servingOf(port, next, lease));
    } catch (error) {
      if (!isSame && supervisor.serving.lease !== lease) await lease.end();
      throw error;
    }
  }

  #onReady(): void {
    const ports = [...this.#ports.values()];
    if (ports.every(({ isReady }) => isReady)) {
      this.#hasBeenReady = true;
      this.#options.onReady();
      this.#serving.lease.onReady?.();
    }
    this.#admitArrivals();
  }

  #onEnded(served: ServedPort, failure: string | undefined): void {
    const { port, supervisor } = served;
    this.#ports.delete(port);
    this.#formerStarts += supervisor.workerStarts;
    if (supervisor.isUnsettled) this.#lost.add(served);
    if (failure !== undefined) this.#onFailure(served, failure);
    if (this.#ports.size === 0 && (this.#isStopping || this.#failure !== undefined)) this.#ended.resolve();
    this.#admitArrivals();
  }

  /** Keeps the other ports served, once the server has been ready. The last port ends the server. */
  #onFailure({ port, isTrial, supervisor }: ServedPort, failure: string): void {
    if (isTrial && this.#ports.size > 0 && !supervisor.isUnsettled) return;
    if (this.#isStopping || !this.#hasBeenReady || this.#ports.size === 0) return this.#fail(failure);
    const isWanted = portsOf(this.#serving.config).includes(port);
    if (!supervisor.isUnsettled) return isWanted ? this.#tryLater(port, failure) : undefined;
    this.#failed.set(port, failure);
    const reason = `${failure}; its disks are released when the server is restarted`;
    this.#options.log.error(`Port ${port} is not served: ${reason}`, { event: "workerEnded" });
  }

  #tryLater(port: number, failure: string): void {
    this.#failed.set(port, failure);
    this.#options.log.error(`Port ${port} is not served: ${failure}; ${AGAIN}`, { event: "workerEnded" });
    this.#retries.later(() => this.#changes.run(() => Promise.resolve(this.#retryFailed())));
  }

  /** Starts to serve the ports of the conf that have failed, except those that the former worker may still change. */
  #retryFailed(): void {
    const lost = new Set([...this.#lost].map(({ port }) => port));
    for (const port of this.#failed.keys()) if (!lost.has(port)) this.#failed.delete(port);
    if (this.#isStopping) return;
    for (const port of this.#missingOf(this.#serving.config)) {
      try {
        this.#begin(port, this.#serving);
      } catch (error) {
        this.#tryLater(port, errorMessage(error));
      }
    }
  }

  #fail(failure: string): void {
    this.#failure ??= failure;
    this.#stop();
  }

  #stop(): void {
    this.#isStopping = true;
    this.#retries.cancel();
    for (const served of this.#ports.values()) served.stop();
    if (this.#ports.size === 0) this.#ended.resolve();
  }
}

/** The end of a message about something that is tried again after `SupervisorLimits.retryMs`. */
const AGAIN = "trying again every minute";
