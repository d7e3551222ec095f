import type { Context } from "./context.ts";
import { exitCodeOf, reportTold, toldToJson } from "./describe_told.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { loadConfig } from "./load_config.ts";
import type { OptionValues } from "./options.ts";
import { tellServer } from "./tell_server.ts";

/**
 * `iscsi reload`: has the running server take over its conf.
 *
 * With `--json`, an object with `file` and `live`, which is as `build` prints it.
 */
export async function reload(context: Context, options: OptionValues): Promise<ExitCode> {
  const loaded = loadConfig(options.conf, context);
  if (loaded.config === undefined) return loaded.exitCode;
  const { conf: file, force, storage = loaded.config.storage } = options;
  const told = await tellServer(storage, { file, force, dryRun: false }, context);
  if (options.json) {
    context.stdout.write(`${JSON.stringify({ file, live: toldToJson(told) }, null, 2)}\n`);
  } else if (told.kind === "absent") {
    context.stderr.write(`iscsi: No server is running on "${storage}"\n`);
  } else {
    reportTold(told, storage, context);
  }
  return told.kind === "absent" ? EXIT_CODES.failed.code : exitCodeOf(told);
}
