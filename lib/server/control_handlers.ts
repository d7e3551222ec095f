import type { ControlHandlers } from "../control/control_requests.ts";
import type { ServerStatus } from "../control/server_status.ts";
import { disconnect } from "./disconnect.ts";
import type { Reloader } from "./reloader.ts";
import type { SpaceWatch } from "./space_watch.ts";
import type { Supervisor } from "./supervisor.ts";

/** The parts of the server that handle control requests. */
export interface ControlHandlersOptions {
  readonly supervisor: Supervisor;
  readonly reloader: Reloader;
  readonly space: SpaceWatch;
  /** The version of this program. */
  readonly version: string;
}

/** Returns the handlers of the control requests. */
export function controlHandlers(options: ControlHandlersOptions): ControlHandlers {
  const startedMs = performance.now();
  return {
    disconnect: (request, context) => disconnect(options.supervisor, request, context),
    reservations: () => options.supervisor.requests.reservations(),
    clearReservations: (unit) => options.supervisor.requests.clearReservations(unit),
    reload: (request) => options.reloader.reload(request),
    status: async () => await status(options, Math.floor((performance.now() - startedMs) / 1000)),
  };
}

async function status(
  { supervisor, space, version }: ControlHandlersOptions,
  uptimeSeconds: number,
): Promise<ServerStatus> {
  const node = supervisor.hasWorker ? await supervisor.requests.snapshot() : null;
  return {
    version,
    pid: Deno.pid,
    uptimeSeconds,
    monotonicMs: performance.now(),
    storage: supervisor.serving.config.storage,
    portals: supervisor.portals,
    workers: supervisor.workers,
    space: space.report(),
    node,
  };
}
