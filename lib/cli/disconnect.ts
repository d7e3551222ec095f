import { quoteWord } from "../base/quoted_words.ts";
import { formatInitiatorName } from "../config/iscsi_name.ts";
import type { ControlClient } from "../control/control_client.ts";
import type { DisconnectReport, DisconnectRequest } from "../control/control_requests.ts";
import type { NodeSnapshot } from "../iscsi/node/node_snapshot.ts";
import type { SessionSnapshot } from "../iscsi/session/session_snapshot.ts";
import { refuseUnlessConfirmed, writeSubject } from "./confirmation.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { findSessions, targetNameOf } from "./find_sessions.ts";
import { withServer } from "./find_server.ts";
import { Interruption, untilInterrupted } from "./interruption.ts";
import type { OptionValues } from "./options.ts";
import { ProgressLine } from "./progress_line.ts";
import { printable, shorten } from "./show_text.ts";

/** `iscsi disconnect`: ends one session, or all sessions of an initiator or a target. Lists them, and asks first. */
export function disconnect(
  context: Context,
  options: OptionValues,
  [name = ""]: readonly string[],
): Promise<ExitCode> {
  const { now, yes } = options;
  return withServer(options, context, async (client) => {
    const { node } = await client.request("status", {});
    const sessions = node === null ? [] : findSessions(node, name);
    if (sessions.length === 0) {
      context.stderr.write(
        `iscsi: Cannot disconnect ${quoteWord(printable(name))}: ${describeAbsence(node, name)}\n`,
      );
      return EXIT_CODES.failed.code;
    }
    const columns = context.terminal?.size().columns ?? Infinity;
    const list = sessions.map((session) => `${describe(session, node!, columns)}\n`).join("");
    writeSubject(list, context, { yes });
    const question = now ? "Cut these sessions at once?" : "Ask these initiators to log out?";
    const refusal = await refuseUnlessConfirmed(context, { yes, question });
    return refusal ?? await perform(client, { sessions: sessions.map(({ tsih }) => tsih), now }, context);
  });
}

function describeAbsence(node: NodeSnapshot | null, name: string): string {
  return node !== null && targetNameOf(node, name) !== undefined
    ? "no initiator is logged in"
    : "no such session, initiator or target";
}

/** Formats a session as one line. */
function describe(
  { tsih, initiatorName, targetName, connections }: SessionSnapshot,
  { targets }: NodeSnapshot,
  columns: number,
): string {
  const target = targets.find(({ iscsiName }) => iscsiName === targetName)?.name;
  const [from = ""] = connections.map(({ peerAddress }) => ` from ${peerAddress}`);
  const left = `session ${tsih}: `;
  const right = `${from} at ${target === undefined ? "discovery" : `[${target}]`}`;
  return left + shorten(printable(formatInitiatorName(initiatorName)), columns - left.length - right.length) +
    right;
}

async function perform(
  client: ControlClient,
  request: DisconnectRequest,
  context: Context,
): Promise<ExitCode> {
  using interruption = new Interruption();
  const report = await untilInterrupted(interruption.signal, async () => {
    using progress = new ProgressLine(context);
    return await client.request("disconnect", request, (message) => progress.show(message));
  });
  if (report !== undefined) return printReport(report, context);
  context.stderr.write("iscsi: Interrupted: the server continues to end the sessions\n");
  return EXIT_CODES.interrupted.code;
}

function printReport(report: DisconnectReport, { stdout, stderr, json }: Context): ExitCode {
  const { ended, remaining } = report;
  json?.setDocument({ ended, remaining });
  if (json === undefined) {
    stdout.write(`${ended.length} ${ended.length === 1 ? "session has" : "sessions have"} ended\n`);
  }
  if (remaining.length === 0) return EXIT_CODES.done.code;
  stderr.write(`iscsi: Sessions not ended: ${remaining.join(", ")}\n`);
  return EXIT_CODES.failed.code;
}
