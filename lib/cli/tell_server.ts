import { resolve } from "@std/path";
import { ControlClient } from "../control/control_client.ts";
import { ControlError } from "../control/control_error.ts";
import type { ReloadReport, ReloadRequest } from "../control/reload_report.ts";
import { controlSocketOf, stateFolderOf } from "../provision/state_folder.ts";
import { type LockHolder, StorageLock } from "../provision/storage_lock.ts";

/** What has come of telling a running server to take over its conf. */
export type Told =
  /** No server runs on the storage folder. */
  | { readonly kind: "absent" }
  | { readonly kind: "done"; readonly server: LockHolder; readonly report: ReloadReport }
  /** It keeps what it has; the message, of one or more lines, says why. */
  | { readonly kind: "refused"; readonly server: LockHolder; readonly message: string };

/** A server that has just started takes requests only in a moment. */
const ATTEMPTS = 5;
const ATTEMPT_INTERVAL_MS = 100;

/** Has the server that runs on a storage folder take over its conf, or says why it does not. */
export async function tellServer(
  storage: string,
  { file, ...request }: ReloadRequest,
): Promise<Told> {
  const client = new ControlClient(controlSocketOf(storage));
  for (let attempt = 1;; attempt++) {
    const server = StorageLock.holder(stateFolderOf(storage), "serve");
    if (server === undefined) return { kind: "absent" };
    try {
      return {
        kind: "done",
        server,
        report: await client.request("reload", { file: resolve(file), ...request }),
      };
    } catch (error) {
      if (!(error instanceof ControlError)) throw error;
      if (error.kind !== "noServer" || attempt === ATTEMPTS) {
        return { kind: "refused", server, message: error.message };
      }
    }
    await new Promise((resolve) => setTimeout(resolve, ATTEMPT_INTERVAL_MS));
  }
}
