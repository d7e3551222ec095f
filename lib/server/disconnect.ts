import type { DisconnectReport, DisconnectRequest, RequestContext } from "../control/control_requests.ts";
import { GRACE_SECONDS } from "./served_unit.ts";
import type { Supervisor } from "./supervisor.ts";
import { delay } from "../base/delay.ts";

/** How often to look whether sessions have ended. */
const LOOK_MS = 200;

/** How long after their time sessions may take to be gone. */
const PATIENCE_SECONDS = 5;

/** Has sessions ended, and waits until they are. */
export async function disconnect(
  supervisor: Supervisor,
  { sessions, now }: DisconnectRequest,
  { progress, signal }: RequestContext,
): Promise<DisconnectReport> {
  const graceSeconds = now ? null : GRACE_SECONDS;
  const found = await supervisor.ask({ kind: "disconnect", sessions, graceSeconds });
  const looks = ((graceSeconds ?? 0) + PATIENCE_SECONDS) * 1000 / LOOK_MS;
  let remaining = found;
  for (let look = 0; look < looks && !signal.aborted; look++) {
    const node = await supervisor.ask({ kind: "snapshot" });
    remaining = found.filter((session) => node.sessions.some(({ tsih }) => tsih === session));
    if (remaining.length === 0) break;
    progress(`${remaining.length} of ${found.length} sessions have not ended yet`);
    await delay(LOOK_MS);
  }
  return { ended: found.filter((session) => !remaining.includes(session)), remaining };
}
