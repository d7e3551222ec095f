import { CONSEQUENCES } from "../config/config_difference.ts";
import type { ReportedChange } from "../control/reported_change.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import type { ReloadOutcome } from "./request_reload.ts";

/** What has come of telling a server that runs. */
type ServerOutcome = Exclude<ReloadOutcome, { kind: "absent" }>;

/** Says what has become of a running server. */
export function reportReload(told: ServerOutcome, storage: string, context: Context): void {
  if (told.kind === "done") return context.stdout.write(describeReport(told));
  const server = `server running on "${storage}"${describePid(told)}`;
  context.stderr.write(
    told.kind === "refused"
      ? `iscsi: The ${server} keeps its configuration:\n${told.message}\n`
      : `iscsi: ${told.message}; the log of the ${server} says what comes of the conf\n`,
  );
}

/** How a command ends that has told a running server. */
export function exitCodeOf(told: ServerOutcome): ExitCode {
  if (told.kind === "unfinished" && told.isInterrupted) return EXIT_CODES.interrupted.code;
  return told.kind === "done" ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

/** The same in JSON: null where no server runs, else `pid`, and `error`, `unfinished`, or `changes` and `obstacle`. */
export function reloadToJson(told: ReloadOutcome | undefined): unknown {
  if (told === undefined || told.kind === "absent") return null;
  const pid = told.server.holderPid ?? null;
  if (told.kind === "refused") return { pid, error: told.message };
  if (told.kind === "unfinished") return { pid, unfinished: told.message };
  const { changes, obstacle } = told.report;
  return { pid, changes, obstacle };
}

function describeReport(told: ReloadOutcome & { kind: "done" }): string {
  const { changes, dryRun, obstacle } = told.report;
  const server = `the running server${describePid(told)}`;
  if (changes.length === 0) return `Nothing ${dryRun ? "would change" : "has changed"} in ${server}\n`;
  const heading = dryRun ? `In ${server} this would change:\n` : `In ${server} this has changed:\n`;
  const force = dryRun && obstacle !== null ? `${obstacle}: that takes --force\n` : "";
  return heading + changes.map(describeChange).join("") + force;
}

function describeChange({ description, consequence, sessions }: ReportedChange): string {
  const lines = [`  ${description}`];
  if (sessions.length > 0) lines.push(`    ${CONSEQUENCES[consequence]}:`);
  for (const { initiator, address, target } of sessions) {
    lines.push(`      ${initiator} (${address}) at [${target}]`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

function describePid({ server }: ServerOutcome): string {
  return server.holderPid === undefined ? "" : ` (pid ${server.holderPid})`;
}
