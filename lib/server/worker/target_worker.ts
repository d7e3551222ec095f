/**
 * The program of the target worker, which runs a `TargetServer` under the rights of `workerPermissions`.
 *
 * An uncaught error ends the worker, and the supervisor starts another.
 */
import type { Portal } from "../../access/portals.ts";
import { EventLog } from "../../iscsi/events/event_log.ts";
import { RepetitionFilter } from "../../iscsi/events/repetition_filter.ts";
import { ServerTotals } from "../../iscsi/node/server_totals.ts";
import { FileActivity } from "../../store/file_activity.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import { RelayLink } from "../relay/relay_link.ts";
import { RemotePunching } from "./remote_puncher.ts";
import type { Answers, WorkerRequest } from "./worker_requests.ts";
import { systemClock } from "../system.ts";
import { TargetServer } from "../target/target_server.ts";
import type { TargetServerSettings } from "../target/target_server_settings.ts";
import { type EndingScope, WorkerEnding } from "./worker_ending.ts";
import type { WorkerSettings } from "./worker_settings.ts";
import { errorMessage } from "../../base/error_message.ts";

/** A worker's global scope, which Deno's types for main programs lack. */
interface WorkerScope extends EndingScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}

/** The target worker's message handler. */
class TargetWorker {
  readonly #scope: WorkerScope;
  readonly #activity: FileActivity;
  readonly #relays = new Map<number, RelayLink>();
  readonly #punching: RemotePunching;
  readonly #events: RepetitionFilter;
  readonly #log: EventLog;
  readonly #ending: WorkerEnding;
  #server: TargetServer | undefined;

  constructor(scope: WorkerScope) {
    this.#scope = scope;
    this.#activity = new FileActivity((number, path) => this.#post({ kind: "numbered", number, path }));
    this.#ending = new WorkerEnding(scope, this.#activity, () => this.#abort());
    this.#punching = new RemotePunching((request) => this.#post(request));
    this.#events = new RepetitionFilter((event) => this.#post({ kind: "log", event }), systemClock);
    this.#log = new EventLog((event) => this.#events.write(event));
    scope.onmessage = ({ data }) => this.#onMessage(data);
  }

  #post(message: FromWorker): void {
    this.#scope.postMessage(message);
  }

  async #onMessage(message: ToWorker): Promise<void> {
    try {
      await this.#execute(message);
    } catch (error) {
      this.#ending.end({ kind: "failed", message: errorMessage(error) });
    }
  }

  async #execute(message: ToWorker): Promise<void> {
    if (this.#ending.hasBegun) return;
    switch (message.kind) {
      case "start":
        return this.#start(message.settings);
      case "punched":
        return this.#punching.answer(message.id, message.result);
      case "failedLogin":
        return this.#server?.countFailedLogin(message.peerAddress);
      case "space":
        return this.#server?.updateSpace(message.figures);
      case "ask":
        return await this.#answer(message);
      case "relay":
        return void this.#relays.set(
          message.id,
          new RelayLink(message.link, (...ends) => this.#server?.serve(...ends)),
        );
      case "relayEnded":
        this.#relays.get(message.id)?.close();
        return void this.#relays.delete(message.id);
      case "stop":
        await this.#server?.stop();
        this.#events.flush();
        return await this.#ending.end({ kind: "stopped" });
      case "cut":
        return await this.#ending.end({ kind: "failed", message: message.message });
    }
  }

  #settingsOf({ totals: _totals, mark: _mark, ...settings }: WorkerSettings): TargetServerSettings {
    const sparse = new Set(settings.sparsePaths);
    return {
      ...settings,
      activity: this.#activity,
      puncherOf: (path) => sparse.has(path) ? this.#punching.puncherOf(path) : undefined,
    };
  }

  #start(settings: WorkerSettings): void {
    const { totals: { memory, slot }, mark } = settings;
    this.#activity.mark = new Int32Array(mark);
    const server = TargetServer.start({
      ...this.#settingsOf(settings),
      totals: new ServerTotals(memory, slot),
      log: this.#log,
      clock: systemClock,
      onFault: (path) => this.#post({ kind: "faulty", path }),
      onClosed: (path) => this.#post({ kind: "closed", path }),
      onFailedLogin: (peerAddress) => this.#post({ kind: "failedLogin", peerAddress }),
    });
    this.#server = server;
    for (const portal of portalsOf(server)) this.#post({ kind: "listening", ...portal });
    this.#post({ kind: "ready", faults: server.faults });
  }

  /**
   * Answers a request of the supervisor. An error is reported in the answer and does not end the worker.
   */
  async #answer({ id, question }: ToWorker & { kind: "ask" }): Promise<void> {
    try {
      this.#post({ kind: "answered", id, answer: await this.#answerTo(question) });
    } catch (error) {
      this.#post({ kind: "answered", id, fault: errorMessage(error) });
    }
  }

  async #answerTo(question: WorkerRequest): Promise<Answers[keyof Answers]> {
    const server = this.#server;
    if (server === undefined) throw new Error("target worker has not started");
    switch (question.kind) {
      case "ping":
        return null;
      case "snapshot":
        return server.snapshot();
      case "preview":
        return server.preview(question);
      case "reconfigure": {
        const changes = server.reconfigure(this.#settingsOf(question.settings));
        return { changes, addresses: portalsOf(server), faults: server.faults };
      }
      case "disconnect":
        return server.disconnect(question.sessions, question.graceSeconds);
      case "reservations":
        return server.reservations();
      case "clearReservations":
        await server.clearReservations(question.target, question.lun);
        return null;
      case "hold":
        await server.copies.hold(question.id, server.unitOf(question));
        return null;
      case "unhold":
        return server.copies.unhold(question.id);
      case "beginCopy":
        await server.copies.begin(question.id, server.unitOf(question), question, this.#activity);
        return null;
      case "copyEnded":
        return await server.copies.ended(question.id);
      case "endCopy":
        return await server.copies.end(question.id);
      case "withdraw":
        await server.withdraw(question);
        return null;
      case "readmit":
        server.readmit(question);
        return null;
      case "trim":
        return await server.trim(question);
      case "trimProgress":
        return server.unitOf(question).logicalUnit.trimmer.figures ?? null;
      case "cancelTrim":
        await server.unitOf(question).logicalUnit.trimmer.cancel();
        return null;
    }
  }

  #abort(): void {
    this.#server?.abort();
    this.#events.flush();
  }
}

function portalsOf({ addresses }: TargetServer): Portal[] {
  return addresses.map(({ hostname, port }) => ({ address: hostname, port }));
}

new TargetWorker(globalThis as unknown as WorkerScope);
