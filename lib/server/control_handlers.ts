import type { ControlHandlers } from "../control/control_requests.ts";
import type { ServerStatus } from "../control/server_status.ts";
import { disconnect } from "./disconnect.ts";
import type { SpaceWatch } from "./space_watch.ts";
import type { Supervisor } from "./supervisor.ts";

/** What the requests of the control socket are carried out on. */
export interface ControlHandlersOptions {
  readonly supervisor: Supervisor;
  readonly space: SpaceWatch;
  readonly storage: string;
  /** Of this program. */
  readonly version: string;
}

/** Carries out the requests of the control socket on a running server. */
export function controlHandlers(options: ControlHandlersOptions): ControlHandlers {
  const startedMs = performance.now();
  return {
    disconnect: (request, context) => disconnect(options.supervisor, request, context),
    reservations: () => options.supervisor.ask({ kind: "reservations" }),
    clearReservations: (unit) => options.supervisor.ask({ kind: "clearReservations", ...unit }),
    status: async () => await status(options, Math.floor((performance.now() - startedMs) / 1000)),
  };
}

async function status(
  { supervisor, space, storage, version }: ControlHandlersOptions,
  uptimeSeconds: number,
): Promise<ServerStatus> {
  const node = supervisor.hasWorker ? await supervisor.ask({ kind: "snapshot" }) : null;
  return {
    version,
    pid: Deno.pid,
    uptimeSeconds,
    monotonicMs: performance.now(),
    storage,
    portals: supervisor.portals,
    space: space.report(),
    node,
  };
}
