import { CONSEQUENCES } from "../config/config_difference.ts";
import type { ReportedChange } from "../control/reported_change.ts";
import type { Context } from "./context.ts";
import type { Told } from "./tell_server.ts";

/** What has come of telling a server that runs. */
type ToldServer = Exclude<Told, { kind: "absent" }>;

/** Says what has become of a running server. */
export function reportTold(told: ToldServer, storage: string, context: Context): void {
  if (told.kind === "done") return context.stdout.write(describeReport(told));
  const server = `The server running on "${storage}"${describePid(told)}`;
  context.stderr.write(`iscsi: ${server} keeps its configuration:\n${told.message}\n`);
}

/** The same in JSON: null where no server runs, else `pid`, and `error`, or `changes` and `obstacle`. */
export function toldToJson(told: Told | undefined): unknown {
  if (told === undefined || told.kind === "absent") return null;
  const pid = told.server.holderPid ?? null;
  if (told.kind === "refused") return { pid, error: told.message };
  const { changes, obstacle } = told.report;
  return { pid, changes, obstacle };
}

function describeReport(told: Told & { kind: "done" }): string {
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

function describePid({ server }: ToldServer): string {
  return server.holderPid === undefined ? "" : ` (pid ${server.holderPid})`;
}
