import { delay } from "../base/delay.ts";
import { ControlError } from "../control/control_error.ts";
import { systemClock } from "../server/system.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { explainControlError, type ServerPlace } from "./find_server.ts";
import { Interruption } from "./interruption.ts";

/** Milliseconds between two requests. */
const INTERVAL_MS = 100;

/** Waits until the server of a storage folder accepts initiators, however often it is started meanwhile. */
export async function waitUntilReady(
  { client, storage }: ServerPlace,
  limitSeconds: number,
  { clock = systemClock, stderr }: Context,
): Promise<ExitCode> {
  const endMs = clock.monotonicMs() + limitSeconds * 1000;
  using interruption = new Interruption();
  const { signal } = interruption;
  while (!signal.aborted) {
    const obstacle = await findObstacle(client, storage);
    if (obstacle === undefined) return EXIT_CODES.done.code;
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
  client: ServerPlace["client"],
  storage: string,
): Promise<{ readonly message: string; readonly mayPass: boolean } | undefined> {
  try {
    const { ready, pid } = await client.request("status", {});
    if (ready) return undefined;
    return {
      message: `The server running on "${storage}" (pid ${pid}) is not ready; see its log`,
      mayPass: true,
    };
  } catch (error) {
    if (!(error instanceof ControlError)) throw error;
    return { message: explainControlError(error, storage), mayPass: error.kind !== "notPermitted" };
  }
}
