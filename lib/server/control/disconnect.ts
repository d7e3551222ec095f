import type { DisconnectReport, DisconnectRequest, RequestContext } from "../../control/control_requests.ts";
import { GRACE_SECONDS } from "../target/served_unit.ts";
import type { Supervisor } from "../supervisor/supervisor.ts";
import { delay } from "../../base/delay.ts";

/** Milliseconds between two checks of the sessions. */
const CHECK_MS = 200;

/** Seconds after the grace period in which sessions must have ended. */
const PATIENCE_SECONDS = 5;

/** Ends sessions and waits for their end. */
export async function disconnect(
  supervisor: Supervisor,
  { sessions, now }: DisconnectRequest,
  { progress, signal }: RequestContext,
): Promise<DisconnectReport> {
  const graceSeconds = now ? null : GRACE_SECONDS;
  const found = await supervisor.requests.disconnect({ sessions, graceSeconds });
  const checks = ((graceSeconds ?? 0) + PATIENCE_SECONDS) * 1000 / CHECK_MS;
  let remaining = found;
  for (let check = 0; check < checks && !signal.aborted; check++) {
    const node = await supervisor.requests.snapshot();
    remaining = found.filter((session) => node.sessions.some(({ tsih }) => tsih === session));
    if (remaining.length === 0) break;
    progress(`${remaining.length} of ${found.length} sessions have not ended yet`);
    await delay(CHECK_MS);
  }
  return { ended: found.filter((session) => !remaining.includes(session)), remaining };
}
