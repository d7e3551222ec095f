import type { ControlHandlers } from "../control/control_requests.ts";
import type { ServerStatus } from "../control/server_status.ts";
import type { Supervisor } from "./supervisor.ts";

/** What the requests of the control socket are carried out on. */
export interface ControlHandlersOptions {
  readonly supervisor: Supervisor;
  readonly storage: string;
  /** Of this program. */
  readonly version: string;
}

/** Carries out the requests of the control socket on a running server. */
export function controlHandlers(options: ControlHandlersOptions): ControlHandlers {
  const startedMs = performance.now();
  return {
    status: async () => await status(options, Math.floor((performance.now() - startedMs) / 1000)),
  };
}

async function status(
  { supervisor, storage, version }: ControlHandlersOptions,
  uptimeSeconds: number,
): Promise<ServerStatus> {
  return {
    version,
    pid: Deno.pid,
    uptimeSeconds,
    storage,
    portals: supervisor.portals,
    node: supervisor.hasWorker ? await supervisor.ask({ kind: "snapshot" }) : null,
  };
}
