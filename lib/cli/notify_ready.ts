import type { EventLog } from "../iscsi/events/event_log.ts";
import { ProvisionError } from "../provision/provision_error.ts";
import { runHelper } from "../provision/run_helper.ts";

/** The variable with the socket of the service manager (sd_notify(3)). */
const VARIABLE = "NOTIFY_SOCKET";

/** Reports to systemd that the service has started, if systemd has started it and waits for that. */
export function notifyReady(log: EventLog): void {
  const socket = findSocket();
  if (socket === undefined) return;
  const fault = notify(socket);
  if (fault !== undefined) log.warning(`Cannot report to systemd that the server is ready: ${fault}`);
}

function notify(socket: string): string | undefined {
  try {
    const { success, stderr } = runHelper("systemd-notify", ["--ready"], { [VARIABLE]: socket });
    return success ? undefined : stderr;
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
