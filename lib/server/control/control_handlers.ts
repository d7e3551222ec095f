import type { InterfaceAddress } from "../../access/interfaces.ts";
import { describeOpenAccess } from "../../access/open_access.ts";
import { networkPaths } from "../../access/target_portals.ts";
import type { ControlHandlers } from "../../control/control_requests.ts";
import type { ServerStatus } from "../../control/server_status.ts";
import type { CopyService } from "./copy_service.ts";
import { disconnect } from "./disconnect.ts";
import type { LiveConfService } from "./live_conf_service.ts";
import type { Reloader } from "./reloader.ts";
import type { SpaceWatch } from "../storage/space_watch.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { TrimService } from "./trim_service.ts";
import type { UnitReplacements } from "./unit_replacements.ts";

/** The parts of the server that handle control requests. */
export interface ControlHandlersOptions {
  readonly supervisor: Supervisor;
  readonly reloader: Reloader;
  readonly space: SpaceWatch;
  readonly copies: CopyService;
  readonly replacements: UnitReplacements;
  readonly trims: TrimService;
  readonly liveConf: Pick<LiveConfService, "warnings">;
  /** Returns the addresses of this server now. */
  readonly interfaces: () => readonly InterfaceAddress[];
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
    copy: (request, context) => options.copies.copy(request, context),
    followCopy: (request) => options.copies.follow(request),
    replace: (unit, context) => options.replacements.replace(unit, context),
    endReplacement: (request) => options.replacements.end(request),
    trim: (request, context) => options.trims.trim(request, context),
    reload: (request) => options.reloader.reload(request),
    status: async () => await status(options, Math.floor((performance.now() - startedMs) / 1000)),
  };
}

async function status(
  { supervisor, space, copies, liveConf, interfaces, version }: ControlHandlersOptions,
  uptimeSeconds: number,
): Promise<ServerStatus> {
  const node = supervisor.hasWorker ? await supervisor.requests.snapshot() : null;
  const { config, lease } = supervisor.serving;
  const { storage, targets } = config;
  const addresses = interfaces();
  const openAccess = describeOpenAccess(config, addresses);
  return {
    version,
    pid: Deno.pid,
    uptimeSeconds,
    monotonicMs: performance.now(),
    storage,
    portals: supervisor.portals,
    workers: supervisor.workers,
    warnings: [
      ...(openAccess === undefined ? [] : [openAccess]),
      ...(lease.warnings ?? []),
      ...liveConf.warnings,
    ],
    paths: targets.map((target) => ({
      target: target.name,
      networks: networkPaths(target, target.port, addresses),
    })),
    space: await space.report(),
    copies: copies.report(),
    ready: supervisor.hasWorker && supervisor.workers.every(({ state }) => state !== "restarting"),
    node,
  };
}
