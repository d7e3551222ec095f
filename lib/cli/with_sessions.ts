import { foldIscsiName } from "../config/iscsi_name.ts";
import type { ControlClient } from "../control/control_client.ts";
import type { NodeSnapshot } from "../iscsi/node/node_snapshot.ts";
import { refuseUnlessConfirmed } from "./confirmation.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { withServer } from "./find_server.ts";
import { Interruption, untilInterrupted } from "./interruption.ts";
import type { OptionValues } from "./options.ts";
import { ProgressLine } from "./progress_line.ts";
import { printable, shorten } from "./show_text.ts";
import type { SessionSnapshot } from "../iscsi/session/session_snapshot.ts";

/** A command that has the server do something about sessions. */
export interface SessionCommand<Report> {
  /** As typed. */
  readonly name: string;
  /** Why it does not concern a session; undefined when it does. */
  readonly objection: (session: SessionSnapshot) => string | undefined;
  /** What the user is asked before. */
  readonly question: string;
  /** What goes on when the user does not want to wait for it. */
  readonly goesOn: string;
  readonly request: (
    client: ControlClient,
    sessions: readonly number[],
    onProgress: (message: string) => void,
  ) => Promise<Report>;
  /** Says what has come of it. */
  readonly tell: (report: Report, context: Context) => ExitCode;
}

/** Does something about a session, or all of an initiator or at a target: says which ones, and asks first. */
export function withSessions<Report>(
  whom: string,
  command: SessionCommand<Report>,
  { context, options }: { readonly context: Context; readonly options: OptionValues },
): Promise<ExitCode> {
  return withServer(options, context, async (client) => {
    const { node } = await client.request("status", {});
    const found = node === null ? [] : find(node, whom);
    const sessions = found.filter((session) => command.objection(session) === undefined);
    if (sessions.length === 0) {
      const [problem = describeAbsence(node, whom)] = found.map(command.objection);
      context.stderr.write(`iscsi: Cannot ${command.name} "${printable(whom)}": ${problem}\n`);
      return EXIT_CODES.failed.code;
    }
    const columns = context.terminal?.size().columns ?? Infinity;
    for (const session of sessions) context.stdout.write(`${describe(session, node!, columns)}\n`);
    const { name, question } = command;
    const refusal = await refuseUnlessConfirmed(context, { yes: options.yes, question, command: name });
    return refusal ?? await perform(client, sessions.map(({ tsih }) => tsih), { command, context });
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

function describeAbsence(node: NodeSnapshot | null, whom: string): string {
  return node !== null && targetNameOf(node, whom) !== undefined
    ? "nobody is logged in there"
    : 'it is no session, initiator or target that "iscsi status" shows';
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

async function perform<Report>(
  client: ControlClient,
  sessions: readonly number[],
  { command, context }: { command: SessionCommand<Report>; context: Context },
): Promise<ExitCode> {
  using interruption = new Interruption();
  const report = await untilInterrupted(interruption.signal, async () => {
    using progress = new ProgressLine(context);
    return await command.request(client, sessions, (message) => progress.show(message));
  });
  if (report !== undefined) return command.tell(report, context);
  context.stderr.write(`iscsi: Interrupted: ${command.goesOn}\n`);
  return EXIT_CODES.interrupted.code;
}

/** The iSCSI name of a target that is served, by its name in the conf or in full; undefined when there is none. */
export function targetNameOf({ targets }: Pick<NodeSnapshot, "targets">, name: string): string | undefined {
  const folded = foldIscsiName(name);
  return targets.find((target) => target.name === name.toLowerCase() || target.iscsiName === folded)
    ?.iscsiName;
}
