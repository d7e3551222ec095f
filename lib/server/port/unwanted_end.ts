import { ProvisionError } from "../../provision/provision_error.ts";
import type { ProcessEnd } from "../worker/worker_process.ts";

/** The end of a worker without a request to stop, or before it could even start. */
export type UnwantedEnd = Exclude<ProcessEnd, { readonly kind: "stopped" }>;

/** The end of a worker that did not start before the process had to exit. */
export const TOO_LATE: UnwantedEnd = { kind: "lost", message: "target worker has not started: a disk hangs" };

/** The end of a worker that stopped in order without a request to stop. */
export const UNREQUESTED_STOP: UnwantedEnd = { kind: "crashed", message: "it exited unexpectedly" };

/** Returns the end of a worker that could not start because of the storage folder; throws any other error again. */
export function failedStart(error: unknown): UnwantedEnd {
  if (!(error instanceof ProvisionError)) throw error;
  return { kind: "failed", message: error.message };
}
