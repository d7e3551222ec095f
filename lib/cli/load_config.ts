import type { Config } from "../config/config.ts";
import { type Diagnostic, formatDiagnostic } from "../config/diagnostic.ts";
import { parseConfig } from "../config/parse_config.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";

/** A conf that was read, or how the command that wanted it ends. */
export type LoadedConfig =
  | { readonly config: Config; readonly diagnostics: readonly Diagnostic[] }
  | { readonly config: undefined; readonly diagnostics: readonly Diagnostic[]; readonly exitCode: ExitCode };

/** Reads the conf in `file` and says on standard error what there is to say about it. */
export function loadConfig(file: string, context: Context): LoadedConfig {
  const text = readConf(file, context);
  if (text === undefined) return { config: undefined, diagnostics: [], exitCode: EXIT_CODES.failed.code };
  const { config, diagnostics } = parseConfig(text, { file });
  reportDiagnostics(diagnostics, context);
  return config === undefined
    ? { config, diagnostics, exitCode: EXIT_CODES.confErrors.code }
    : { config, diagnostics };
}

/** Writes diagnostics to standard error, a line each. */
export function reportDiagnostics(diagnostics: readonly Diagnostic[], context: Context): void {
  for (const diagnostic of diagnostics) context.stderr.write(`${formatDiagnostic(diagnostic)}\n`);
}

/** The text of the conf in `file`; undefined when it cannot be read, which is said on standard error then. */
export function readConf(file: string, context: Context): string | undefined {
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const isMissing = error instanceof Deno.errors.NotFound;
    const problem = isMissing
      ? "it does not exist; create it, or name another with --conf FILE"
      : error.message;
    context.stderr.write(`iscsi: Cannot read "${file}": ${problem}\n`);
    return undefined;
  }
}
