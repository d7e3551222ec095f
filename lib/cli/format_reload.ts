import { CONSEQUENCES } from "../config/config_difference.ts";
import { formatInitiatorName } from "../config/iscsi_name.ts";
import type { ReportedChange } from "../control/reported_change.ts";
import { describeHolderPid } from "../provision/lock_record.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import type { ReloadOutcome } from "./request_reload.ts";

/** The outcome of a reload at a running server. */
type ServerOutcome = Exclude<ReloadOutcome, { kind: "absent" }>;

/** Prints the outcome of a reload. */
export function reportReload(outcome: ServerOutcome, storage: string, context: Context): void {
  if (outcome.kind === "done") {
    if (context.json === undefined) context.stdout.write(describeReport(outcome));
    return;
  }
  const server = `server running on "${storage}"${describeHolderPid(outcome.server)}`;
  context.stderr.write(
    outcome.kind === "refused"
      ? `iscsi: The ${server} keeps its configuration:\n${outcome.message}\n`
      : `iscsi: ${outcome.message}; see the log of the ${server} for the result\n`,
  );
}

/** Returns the exit code of a command that reloaded a running server. */
export function exitCodeOf(outcome: ServerOutcome): ExitCode {
  if (outcome.kind === "unfinished" && outcome.isInterrupted) return EXIT_CODES.interrupted.code;
  return outcome.kind === "done" ? EXIT_CODES.done.code : EXIT_CODES.failed.code;
}

/** Converts an outcome to the JSON field `live`. */
export function reloadToJson(outcome: ReloadOutcome | undefined): unknown {
  if (outcome === undefined || outcome.kind === "absent") return null;
  const pid = outcome.server.holderPid ?? null;
  if (outcome.kind === "refused") return { pid, error: outcome.message };
  if (outcome.kind === "unfinished") return { pid, unfinished: outcome.message };
  const { changes, obstacle } = outcome.report;
  return { pid, changes, obstacle };
}

function describeReport(outcome: ReloadOutcome & { kind: "done" }): string {
  const { changes, dryRun, obstacle } = outcome.report;
  const server = `the running server${describeHolderPid(outcome.server)}`;
  if (changes.length === 0) return `Nothing ${dryRun ? "would change" : "changed"} in ${server}\n`;
  const heading = `${dryRun ? "Would change" : "Changed"} in ${server}:\n`;
  const force = dryRun && obstacle !== null ? `${obstacle}: add --force\n` : "";
  return heading + changes.map(describeChange).join("") + force;
}

function describeChange({ description, consequence, sessions }: ReportedChange): string {
  const lines = [`  ${description}`];
  if (sessions.length > 0) lines.push(`    ${CONSEQUENCES[consequence]}:`);
  for (const { initiator, address, target } of sessions) {
    lines.push(`      ${formatInitiatorName(initiator)} (${address}) at [${target}]`);
  }
  return lines.map((line) => `${line}\n`).join("");
}
