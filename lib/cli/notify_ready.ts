import type { EventLog } from "../iscsi/events/event_log.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import { startHelper } from "../provision/run_helper.ts";

/** The variable with the socket of the service manager (sd_notify(3)). */
const VARIABLE = "NOTIFY_SOCKET";

/** Reports to systemd that the service has started, if systemd has started it and waits for that. */
export async function notifyReady(log: EventLog): Promise<void> {
  const socket = findSocket();
  if (socket === undefined) return;
  const fault = await notify(socket);
  if (fault !== undefined) log.warning(`Cannot report to systemd that the server is ready: ${fault}`);
}

/** Sends the report, and waits until systemd has read it. Returns the fault. */
async function notify(socket: string): Promise<string | undefined> {
  try {
    const child = startHelper("systemd-notify", ["--ready"], { [VARIABLE]: socket });
    const [{ success, stderr }] = await Promise.all([child.output(), child.stdin.close().catch(() => {})]);
    return success ? undefined : new TextDecoder().decode(stderr).trimEnd();
  } catch (error) {
    if (error instanceof ProvisionError) return error.message;
    throw error;
  }
}

/** Returns the socket; undefined where there is none, and without the right to read the variable. */
function findSocket(): string | undefined {
  try {
    return Deno.env.get(VARIABLE);
  } catch {
    return undefined;
  }
}
