/**
 * The target worker's entry: runs a `TargetServer` for the supervisor, under the rights of `workerPermissions`.
 *
 * What is thrown here and not caught is a fault of ours: it ends the worker, and the supervisor starts another.
 */
import type { Portal } from "../access/portals.ts";
import { EventLog } from "../iscsi/event_log.ts";
import { RepetitionFilter } from "../iscsi/repetition_filter.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import { RelayLink } from "./relay/relay_link.ts";
import { RemotePunching } from "./remote_puncher.ts";
import type { Answers, Question } from "./questions.ts";
import { systemClock } from "./system_clock.ts";
import { TargetServer, type TargetServerSettings } from "./target_server.ts";
import type { WorkerSettings } from "./worker_settings.ts";

/** A worker's global scope, of which Deno's types for main programs know nothing. */
interface WorkerScope {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  close(): void;
}

serve(globalThis as unknown as WorkerScope);

function serve(scope: WorkerScope): void {
  let server: TargetServer | undefined;
  const relays = new Map<number, RelayLink>();
  const punching = new RemotePunching((request) => scope.postMessage(request));
  const events = new RepetitionFilter((event) => scope.postMessage({ kind: "log", event }), systemClock);
  const log = new EventLog((event) => events.write(event));
  scope.onmessage = async ({ data }) => {
    try {
      switch (data.kind) {
        case "start":
          return void (server = start(scope, settingsOf(data.settings, punching), log));
        case "punched":
          return punching.answer(data.id, data.result);
        case "space":
          return server?.updateSpace(data.figures);
        case "ask":
          return await answer(scope, data, { server, punching });
        case "relay":
          return void relays.set(data.id, new RelayLink(data.link, (...ends) => server?.serve(...ends)));
        case "relayEnded":
          relays.get(data.id)?.close();
          return void relays.delete(data.id);
        case "stop":
          await server?.stop();
          events.flush();
          scope.postMessage({ kind: "stopped" });
          return scope.close();
      }
    } catch (error) {
      scope.postMessage({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
    }
  };
}

function settingsOf(settings: WorkerSettings, punching: RemotePunching): TargetServerSettings {
  const sparse = new Set(settings.sparsePaths);
  return {
    ...settings,
    puncherOf: (path) => sparse.has(path) ? punching.puncherOf(path) : undefined,
  };
}

function start(scope: WorkerScope, settings: TargetServerSettings, log: EventLog): TargetServer {
  const server = TargetServer.start({ ...settings, log, clock: systemClock });
  for (const portal of portalsOf(server)) scope.postMessage({ kind: "listening", ...portal });
  scope.postMessage({ kind: "ready", faults: server.faults });
  return server;
}

function portalsOf({ addresses }: TargetServer): Portal[] {
  return addresses.map(({ hostname, port }) => ({ address: hostname, port }));
}

/** What a question is put to. */
interface Asked {
  readonly server: TargetServer | undefined;
  readonly punching: RemotePunching;
}

async function answerOf({ server, punching }: Asked, question: Question): Promise<Answers[keyof Answers]> {
  if (server === undefined) throw new Error("target worker has not started");
  switch (question.kind) {
    case "snapshot":
      return server.snapshot();
    case "preview":
      return server.preview(question);
    case "reconfigure": {
      const changes = server.reconfigure(settingsOf(question.settings, punching));
      return { changes, addresses: portalsOf(server), faults: server.faults };
    }
    case "disconnect":
      return server.disconnect(question.sessions, question.graceSeconds);
    case "renegotiate":
      return await server.renegotiate(question.sessions);
    case "reservations":
      return server.reservations();
    case "clearReservations":
      await server.clearReservations(question.target, question.lun);
      return null;
  }
}

/** Answers a question of the supervisor's; a fault is told and ends nothing, as it is the asker's or the disk's. */
async function answer(
  scope: WorkerScope,
  { id, question }: ToWorker & { kind: "ask" },
  asked: Asked,
): Promise<void> {
  try {
    scope.postMessage({ kind: "answered", id, answer: await answerOf(asked, question) });
  } catch (error) {
    scope.postMessage({
      kind: "answered",
      id,
      fault: error instanceof Error ? error.message : String(error),
    });
  }
}
