import type { FileReading } from "../config/build_chap.ts";
import type { Config } from "../config/config.ts";
import { type Diagnostic, formatDiagnostic } from "../config/diagnostic.ts";
import { parseConfig, type ParsedConfig } from "../config/parse_config.ts";
import { reasonOf } from "../provision/reason_of.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";

/** A conf that was read, or how the command that wanted it ends. */
export type LoadedConfig =
  | { readonly config: Config; readonly diagnostics: readonly Diagnostic[] }
  | { readonly config: undefined; readonly diagnostics: readonly Diagnostic[]; readonly exitCode: ExitCode };

/** Reads the conf in `file` and says on standard error what there is to say about it. */
export function loadConfig(file: string, context: Context): LoadedConfig {
  const conf = readConf(file, context);
  if (conf === undefined) return { config: undefined, diagnostics: [], exitCode: EXIT_CODES.failed.code };
  const { config, diagnostics } = parseConfig(conf.text, { file, mode: conf.mode, readFile });
  reportDiagnostics(diagnostics, context);
  return config === undefined
    ? { config, diagnostics, exitCode: EXIT_CODES.confErrors.code }
    : { config, diagnostics };
}

/** Writes diagnostics to standard error, a line each. */
export function reportDiagnostics(diagnostics: readonly Diagnostic[], context: Context): void {
  for (const diagnostic of diagnostics) context.stderr.write(`${formatDiagnostic(diagnostic)}\n`);
}

/** The conf in `file` and its mode; undefined when it cannot be read, which is said on standard error then. */
export function readConf(file: string, context: Context): { text: string; mode: number } | undefined {
  try {
    return { text: Deno.readTextFileSync(file), mode: modeOf(file) };
  } catch (error) {
    const problem = problemOf(error, "it does not exist; create it, or name another with --conf FILE");
    context.stderr.write(`iscsi: Cannot read "${file}": ${problem}\n`);
    return undefined;
  }
}

/**
 * Reads the conf in `file`, and what it names.
 *
 * @throws {Error} when it cannot be read; the message is for the user
 */
export function parseFile(file: string): ParsedConfig {
  try {
    return parseConfig(Deno.readTextFileSync(file), { file, mode: modeOf(file), readFile });
  } catch (error) {
    throw new Error(`Cannot read "${file}": ${problemOf(error, "it does not exist")}`, { cause: error });
  }
}

/** Reads a file that the conf names. */
export function readFile(path: string): FileReading {
  try {
    // A pipe would have to be waited for, and never end.
    if (!Deno.statSync(path).isFile) return { problem: "it is not a file; name one" };
    return { text: Deno.readTextFileSync(path), mode: modeOf(path) };
  } catch (error) {
    return { problem: problemOf(error, "it does not exist; create it") };
  }
}

/** The permission bits of a file; none where the system has no such thing. */
function modeOf(path: string): number {
  return (Deno.statSync(path).mode ?? 0) & 0o7777;
}

function problemOf(error: unknown, whenMissing: string): string {
  if (!(error instanceof Error)) throw error;
  return error instanceof Deno.errors.NotFound ? whenMissing : reasonOf(error);
}
