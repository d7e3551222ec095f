import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import type { OptionValues } from "./options.ts";
import { withSessions } from "./with_sessions.ts";
import type { DisconnectReport } from "../control/control_requests.ts";

/** `iscsi disconnect`: ends a session, or all of an initiator's or a target's. */
export function disconnect(
  context: Context,
  options: OptionValues,
  [whom = ""]: readonly string[],
): Promise<ExitCode> {
  const { now } = options;
  return withSessions(whom, {
    name: "disconnect",
    objection: () => undefined,
    question: now ? "Cut these sessions at once?" : "Ask these initiators to log out?",
    goesOn: "the server goes on ending the sessions",
    request: (client, sessions, onProgress) => client.request("disconnect", { sessions, now }, onProgress),
    tell,
  }, { context, options });
}

function tell({ ended, remaining }: DisconnectReport, { stdout, stderr }: Context): ExitCode {
  stdout.write(`${ended.length} ${ended.length === 1 ? "session has" : "sessions have"} ended\n`);
  if (remaining.length === 0) return EXIT_CODES.done.code;
  stderr.write(`iscsi: Sessions that are still there: ${remaining.join(", ")}\n`);
  return EXIT_CODES.failed.code;
}
