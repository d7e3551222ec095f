import { delay } from "../base/delay.ts";
import type { ServerStatus } from "../control/server_status.ts";
import { ControlError } from "../control/control_error.ts";
import { systemClock } from "../server/system.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { explainControlError, type ServerPlace } from "./find_server.ts";
import { selectTarget } from "./select_target.ts";
import { reportServer } from "./status_report.ts";
import { Interruption } from "./interruption.ts";

/** Milliseconds between two requests. */
const INTERVAL_MS = 100;

/** The end of a wait. */
export interface WaitOptions {
  readonly waitSeconds: number;
  /** A target of which every LUN must be served; without it, the server must be ready. */
  readonly target: string | undefined;
}

/** Waits until the server of a storage folder accepts initiators, however often it is started meanwhile. */
export async function waitUntilReady(
  place: ServerPlace,
  { waitSeconds, target }: WaitOptions,
  { clock = systemClock, stderr, json }: Context,
): Promise<ExitCode> {
  const endMs = clock.monotonicMs() + waitSeconds * 1000;
  using interruption = new Interruption();
  const { signal } = interruption;
  while (!signal.aborted) {
    const obstacle = await findObstacle(place, target);
    if (obstacle === undefined) {
      json?.setDocument({ ready: true });
      return EXIT_CODES.done.code;
    }
    if (!obstacle.mayPass || clock.monotonicMs() >= endMs) {
      stderr.write(`iscsi: ${obstacle.message}\n`);
      return EXIT_CODES.failed.code;
    }
    await delay(Math.min(INTERVAL_MS, endMs - clock.monotonicMs()), signal);
  }
  return EXIT_CODES.interrupted.code;
}

/** Returns why the server does not accept initiators now; undefined when it does. */
async function findObstacle(
  { client, storage }: ServerPlace,
  target: string | undefined,
): Promise<{ readonly message: string; readonly mayPass: boolean } | undefined> {
  try {
    const status = await client.request("status", {});
    const { ready, pid } = status;
    const message = ready
      ? target === undefined ? undefined : findTargetObstacle(status, target)
      : `The server running on "${storage}" (pid ${pid}) is not ready; see its log`;
    return message === undefined ? undefined : { message, mayPass: true };
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    return { message: explainControlError(error, storage), mayPass: error.kind !== "notPermitted" };
  }
}

/** Returns why a target cannot be used; undefined when all its LUNs are served. */
function findTargetObstacle(status: ServerStatus, name: string): string | undefined {
  const selected = selectTarget(reportServer(undefined, status), name);
  if ("problem" in selected) return selected.problem;
  const unit = selected.report.targets[0]!.logicalUnits.find(({ problem }) => problem !== null);
  return unit === undefined ? undefined : `LUN ${unit.lun} of [${name}] is not served: ${unit.problem}`;
}
