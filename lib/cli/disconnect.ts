import { foldIscsiName } from "../config/iscsi_name.ts";
import type { ControlClient } from "../control/control_client.ts";
import type { DisconnectReport } from "../control/disconnect_report.ts";
import type { NodeSnapshot, SessionSnapshot } from "../iscsi/node_snapshot.ts";
import { refuseUnlessConfirmed } from "./confirmation.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { withServer } from "./find_server.ts";
import { Interruption, untilInterrupted } from "./interruption.ts";
import type { OptionValues } from "./options.ts";
import { ProgressLine } from "./progress_line.ts";
import { printable, shorten } from "./show_text.ts";
import { targetNameOf } from "./target_name_of.ts";

/** `iscsi disconnect`: ends a session, or all of an initiator's or a target's. */
export function disconnect(
  context: Context,
  options: OptionValues,
  [whom = ""]: readonly string[],
): Promise<ExitCode> {
  return withServer(options, context, async (client) => {
    const { node } = await client.request("status", {});
    const sessions = node === null ? [] : find(node, whom);
    if (sessions.length === 0) {
      const problem = node !== null && targetNameOf(node, whom) !== undefined
        ? "nobody is logged in there"
        : 'it is no session, initiator or target that "iscsi status" shows';
      context.stderr.write(`iscsi: Cannot disconnect "${whom}": ${problem}\n`);
      return EXIT_CODES.failed.code;
    }
    const columns = context.terminal?.size().columns ?? Infinity;
    for (const session of sessions) context.stdout.write(`${describe(session, node!, columns)}\n`);
    const refusal = await refuseUnlessConfirmed(context, {
      yes: options.yes,
      question: options.now ? "Cut these sessions at once?" : "Ask these initiators to log out?",
      command: "disconnect",
    });
    if (refusal !== undefined) return refusal;
    return await end(client, sessions.map(({ tsih }) => tsih), { context, options });
  });
}

/** The sessions that are meant: by number, by the initiator's name, or by the target's, as in the conf or in full. */
function find(node: NodeSnapshot, whom: string): readonly SessionSnapshot[] {
  if (/^\d+$/.test(whom)) return node.sessions.filter(({ tsih }) => tsih === Number(whom));
  const targetName = targetNameOf(node, whom);
  const name = foldIscsiName(whom);
  return node.sessions.filter((session) =>
    session.initiatorName === name || (targetName !== undefined && session.targetName === targetName)
  );
}

/** A session as one line. */
function describe(
  { tsih, initiatorName, targetName, connections }: SessionSnapshot,
  { targets }: NodeSnapshot,
  columns: number,
): string {
  const target = targets.find(({ iscsiName }) => iscsiName === targetName)?.name;
  const [from = ""] = connections.map(({ peerAddress }) => ` from ${peerAddress}`);
  const left = `session ${tsih}: `;
  const right = `${from} at ${target === undefined ? "discovery" : `[${target}]`}`;
  return left + shorten(printable(initiatorName), columns - left.length - right.length) + right;
}

async function end(
  client: ControlClient,
  sessions: readonly number[],
  { context, options: { now } }: { context: Context; options: OptionValues },
): Promise<ExitCode> {
  using interruption = new Interruption();
  const report = await untilInterrupted(interruption.signal, async () => {
    using progress = new ProgressLine(context);
    return await client.request("disconnect", { sessions, now }, (message) => progress.show(message));
  });
  if (report === undefined) {
    context.stderr.write("iscsi: Interrupted: the server goes on ending the sessions\n");
    return EXIT_CODES.interrupted.code;
  }
  return tell(report, context);
}

function tell({ ended, remaining }: DisconnectReport, { stdout, stderr }: Context): ExitCode {
  stdout.write(`${ended.length} ${ended.length === 1 ? "session has" : "sessions have"} ended\n`);
  if (remaining.length === 0) return EXIT_CODES.done.code;
  stderr.write(`iscsi: Sessions that are still there: ${remaining.join(", ")}\n`);
  return EXIT_CODES.failed.code;
}
