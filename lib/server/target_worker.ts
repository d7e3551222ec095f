/**
 * The target worker's entry: runs a `TargetServer` for the supervisor, under the rights of `workerPermissions`.
 *
 * What is thrown here and not caught is a fault of ours: it ends the worker, and the supervisor starts another.
 */
import { EventLog } from "../iscsi/event_log.ts";
import { RepetitionFilter } from "../iscsi/repetition_filter.ts";
import type { FromWorker, ToWorker } from "./messages.ts";
import { RemotePunching } from "./remote_puncher.ts";
import type { Answers, Question } from "./questions.ts";
import { systemClock } from "./system_clock.ts";
import { TargetServer } from "./target_server.ts";

/** A worker's global scope, of which Deno's types for main programs know nothing. */
interface WorkerScope {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  close(): void;
}

serve(globalThis as unknown as WorkerScope);

function serve(scope: WorkerScope): void {
  let server: TargetServer | undefined;
  const punching = new RemotePunching((request) => scope.postMessage(request));
  const events = new RepetitionFilter((event) => scope.postMessage({ kind: "log", event }), systemClock);
  const log = new EventLog((event) => events.write(event));
  scope.onmessage = async ({ data }) => {
    try {
      switch (data.kind) {
        case "start":
          return void (server = start(scope, data, { punching, log }));
        case "punched":
          return punching.answer(data.id, data.result);
        case "space":
          return server?.updateSpace(data.figures);
        case "ask":
          return await answer(scope, data, server);
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

function start(
  scope: WorkerScope,
  options: ToWorker & { kind: "start" },
  { punching, log }: { punching: RemotePunching; log: EventLog },
): TargetServer {
  const server = TargetServer.start({
    ...options,
    log,
    clock: systemClock,
    puncherOf: (path) => options.sparsePaths.includes(path) ? punching.puncherOf(path) : undefined,
  });
  for (const { hostname: address, port } of server.addresses) {
    scope.postMessage({ kind: "listening", address, port });
  }
  scope.postMessage({ kind: "ready" });
  return server;
}

async function answerOf(server: TargetServer, question: Question): Promise<Answers[keyof Answers]> {
  switch (question.kind) {
    case "snapshot":
      return server.snapshot();
    case "disconnect":
      return server.disconnect(question.sessions, question.graceSeconds);
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
  server: TargetServer | undefined,
): Promise<void> {
  try {
    if (server === undefined) throw new Error("target worker has not started");
    scope.postMessage({ kind: "answered", id, answer: await answerOf(server, question) });
  } catch (error) {
    scope.postMessage({
      kind: "answered",
      id,
      fault: error instanceof Error ? error.message : String(error),
    });
  }
}
