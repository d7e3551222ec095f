import { resolve } from "@std/path";
import { ControlClient } from "../control/control_client.ts";
import { ControlError } from "../control/control_error.ts";
import { controlSocketOf, stateFolderOf } from "../provision/state_folder.ts";
import type { LockHolder } from "../provision/lock_record.ts";
import { StorageLock } from "../provision/storage_lock.ts";
import type { Context } from "./context.ts";
import { Interruption, untilInterrupted } from "./interruption.ts";
import { ProgressLine } from "./progress_line.ts";
import { formatDuration } from "./show_text.ts";
import type { ReloadReport, ReloadRequest } from "../control/control_requests.ts";
import { delay } from "../base/delay.ts";
import { systemClock } from "../server/system.ts";
import { repeat } from "../server/timers.ts";

/** The outcome of a request to a running server to take over its conf. */
export type ReloadOutcome =
  /** No server runs on the storage folder. */
  | { readonly kind: "absent" }
  | { readonly kind: "done"; readonly server: LockHolder; readonly report: ReloadReport }
  /** The server keeps its configuration; the message, of one or more lines, has the reason. */
  | { readonly kind: "refused"; readonly server: LockHolder; readonly message: string }
  /** The server may still be working; the message says why the command stopped waiting. */
  | {
    readonly kind: "unfinished";
    readonly server: LockHolder;
    readonly message: string;
    readonly isInterrupted: boolean;
  };

/** A server that has just started accepts requests after a moment. */
const ATTEMPTS = 5;
const ATTEMPT_INTERVAL_MS = 100;

/** A server's control socket accepts only processes of its own host. */
const ONLY_THERE = 'It accepts requests only on its host; run "iscsi build" there';

/** Milliseconds between two updates of the progress. */
const PROGRESS_MS = 1000;

/** Has the server that runs on a storage folder take over its conf. */
export async function requestReload(
  storage: string,
  request: ReloadRequest,
  context: Context,
): Promise<ReloadOutcome> {
  const client = new ControlClient(controlSocketOf(storage));
  using interruption = new Interruption();
  for (let attempt = 1;; attempt++) {
    const server = StorageLock.holder(stateFolderOf(storage), "serve");
    if (server === undefined) return { kind: "absent" };
    try {
      const report = await untilInterrupted(interruption.signal, () => ask(client, request, context));
      if (report !== undefined) return { kind: "done", server, report };
      return { kind: "unfinished", server, message: "Interrupted", isInterrupted: true };
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      const { kind, message } = error;
      if (kind === "noServer" && server.holderHost !== undefined) {
        return { kind: "refused", server, message: ONLY_THERE };
      }
      if (kind === "broken") return { kind: "unfinished", server, message, isInterrupted: false };
      if (kind !== "noServer" || attempt === ATTEMPTS) return { kind: "refused", server, message };
    }
    await delay(ATTEMPT_INTERVAL_MS);
  }
}

/** Requests the reload and shows the time it takes: a server with many files to open is slow. */
async function ask(
  client: ControlClient,
  { file, ...request }: ReloadRequest,
  context: Context,
): Promise<ReloadReport> {
  using progress = new ProgressLine(context);
  const { clock = systemClock } = context;
  const startMs = clock.monotonicMs();
  const stop = repeat(clock, PROGRESS_MS, () => {
    const seconds = Math.floor((clock.monotonicMs() - startMs) / 1000);
    progress.show(`Waiting for the server: ${formatDuration(seconds)}`);
  });
  try {
    return await client.request("reload", { file: resolve(file), ...request });
  } finally {
    stop();
  }
}
