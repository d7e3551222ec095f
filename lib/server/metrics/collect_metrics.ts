import type { NodeSnapshot } from "../../iscsi/node/node_snapshot.ts";
import { formatExposition } from "../../metrics/exposition.ts";
import { serverFamilies } from "../../metrics/server_metrics.ts";
import type { CopyService } from "../control/copy_service.ts";
import { spaceOfFiles } from "../storage/measure_space.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import type { TrimService } from "../control/trim_service.ts";

/** Returns the metrics of the server in Prometheus' text format. */
export async function collectMetrics(
  supervisor: Supervisor,
  copies: Pick<CopyService, "figures">,
  trims: Pick<TrimService, "figures">,
  version: string,
): Promise<string> {
  const node = await askForSnapshot(supervisor);
  const units = node?.targets.flatMap(({ logicalUnits }) => logicalUnits) ?? [];
  const { cpuUsage } = await import("node:process");
  const { user, system } = cpuUsage();
  return formatExposition(serverFamilies({
    node,
    space: spaceOfFiles(await supervisor.gauge.measure(units.map(({ path }) => path))),
    copies: copies.figures,
    trims: trims.figures,
    workers: supervisor.workers.map(({ port, state }) => ({ port, isUp: state === "running" })),
    workerStarts: supervisor.workerStarts,
    versions: { version, deno: Deno.version.deno },
    process: {
      cpuSeconds: (user + system) / 1_000_000,
      residentBytes: Deno.memoryUsage().rss,
      startSeconds: performance.timeOrigin / 1000,
    },
  }));
}

/** Returns the worker's snapshot; null while no worker answers. */
async function askForSnapshot(supervisor: Supervisor): Promise<NodeSnapshot | null> {
  try {
    return await supervisor.requests.snapshot();
  } catch {
    return null;
  }
}
