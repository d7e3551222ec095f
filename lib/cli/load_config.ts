import type { FileReading } from "../config/build_chap.ts";
import type { Config } from "../config/config.ts";
import { type Diagnostic, formatDiagnostic } from "../config/diagnostic.ts";
import { parseConfig, type ParsedConfig } from "../config/parse_config.ts";
import { formatSize } from "../config/size.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { printable } from "./show_text.ts";
import { measureDevices } from "../provision/measure_devices.ts";
import { reasonOf } from "../provision/provision_error.ts";
import { findMissingRights } from "../server/missing_rights.ts";
import { systemInterfaces } from "../server/system.ts";

/** The largest conf and file of secrets; a hundred thousand LUNs fit. */
const TEXT_BYTES_MAX = 16 * 1024 ** 2;

const PERMISSION_BITS = 0o7777;

/** A conf, or the exit code of the command that needs it. */
export type LoadedConfig =
  | { readonly config: Config; readonly diagnostics: readonly Diagnostic[] }
  | { readonly config: undefined; readonly diagnostics: readonly Diagnostic[]; readonly exitCode: ExitCode };

/** Reads the conf in `file` and writes its diagnostics to standard error. */
export function loadConfig(file: string, context: Context): LoadedConfig {
  const conf = readConf(file, context);
  if (conf === undefined) return { config: undefined, diagnostics: [], exitCode: EXIT_CODES.failed.code };
  const { config, diagnostics } = parseWithRights({ file, ...conf }, context);
  reportDiagnostics(diagnostics, context);
  return config === undefined
    ? { config, diagnostics, exitCode: EXIT_CODES.confErrors.code }
    : { config, diagnostics };
}

/** Writes diagnostics to standard error, a line each. */
export function reportDiagnostics(diagnostics: readonly Diagnostic[], context: Context): void {
  for (const diagnostic of diagnostics) context.stderr.write(`${formatDiagnostic(diagnostic)}\n`);
  context.json?.addDiagnostics(diagnostics);
}

/** Returns the conf in `file` and its mode; undefined when it cannot be read, after a message on standard error. */
export function readConf(file: string, context: Context): { text: string; mode: number } | undefined {
  const conf = readTextFile(file, "it does not exist; create it, or name another with --conf FILE");
  if ("text" in conf) return conf;
  context.stderr.write(`iscsi: Cannot read "${printable(file)}": ${conf.problem}\n`);
  return undefined;
}

/**
 * Reads the conf in `file` and the files that it names.
 *
 * @throws {Error} when it cannot be read; the message is for the user
 */
export function parseFile(file: string, context: Pick<Context, "rights" | "interfaces"> = {}): ParsedConfig {
  const conf = readTextFile(file, "it does not exist");
  if ("problem" in conf) throw new Error(`Cannot read "${file}": ${conf.problem}`);
  return parseWithRights({ file, ...conf }, context);
}

/** Parses a conf. One that takes rights which this process does not have has errors. */
function parseWithRights(
  { text, ...source }: { readonly text: string; readonly file: string; readonly mode: number },
  { rights, interfaces = systemInterfaces }: Pick<Context, "rights" | "interfaces">,
): ParsedConfig {
  const parsed = measured(parseConfig(text, { ...source, readFile }));
  const { config, diagnostics, lines } = parsed;
  if (config === undefined || rights === undefined) return parsed;
  const missing = findMissingRights(config, lines, { rights, interfaces });
  return missing.length === 0
    ? parsed
    : { config: undefined, diagnostics: [...diagnostics, ...missing], lines };
}

/** Gives LUNs that are as large as their block devices the sizes of these. */
function measured(parsed: ParsedConfig): ParsedConfig {
  return parsed.config === undefined ? parsed : { ...parsed, config: measureDevices(parsed.config) };
}

/** Reads a file that the conf names. */
export function readFile(path: string): FileReading {
  return readTextFile(path, "it does not exist; create it");
}

function readTextFile(path: string, whenMissing: string): FileReading {
  try {
    const { isFile, isDirectory, size, mode } = Deno.statSync(path);
    if (isDirectory) return { problem: "it is a folder; name a file" };
    // A pipe blocks, and a device may never end.
    if (!isFile) return { problem: "it is a pipe, a socket or a device; name a file" };
    if (size > TEXT_BYTES_MAX) {
      return { problem: `it is ${formatSize(size)}; the limit is ${formatSize(TEXT_BYTES_MAX)}` };
    }
    return { text: Deno.readTextFileSync(path), mode: (mode ?? 0) & PERMISSION_BITS };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof Deno.errors.NotFound) return { problem: whenMissing };
    return { problem: reasonOf(error) };
  }
}
