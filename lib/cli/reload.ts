import type { Context } from "./context.ts";
import { exitCodeOf, reloadToJson, reportReload } from "./format_reload.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { loadConfig } from "./load_config.ts";
import type { OptionValues } from "./options.ts";
import { requestReload } from "./request_reload.ts";

/** `iscsi reload`: has the running server take over its conf. */
export async function reload(context: Context, options: OptionValues): Promise<ExitCode> {
  const loaded = loadConfig(options.conf, context);
  if (loaded.config === undefined) return loaded.exitCode;
  const { conf: file, force, storage = loaded.config.storage } = options;
  const outcome = await requestReload(storage, { file, force, dryRun: false }, context);
  context.json?.setDocument({ file, live: reloadToJson(outcome) });
  if (outcome.kind === "absent") context.stderr.write(`iscsi: No server is running on "${storage}"\n`);
  else reportReload(outcome, storage, context);
  return outcome.kind === "absent" ? EXIT_CODES.failed.code : exitCodeOf(outcome);
}
