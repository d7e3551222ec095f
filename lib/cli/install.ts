import { dirname, join } from "@std/path";
import { interfaceAddresses } from "../access/interfaces.ts";
import { DEFAULT_CONF_FILE } from "../config/config.ts";
import { formatDiagnostic } from "../config/diagnostic.ts";
import { parseConfig } from "../config/parse_config.ts";
import { reasonOf } from "../provision/provision_error.ts";
import type { Command, RunCommand } from "./command.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { findInitSystem, type InitSystem } from "./init_system.ts";
import {
  CLUSTER_FOLDER,
  decideAction,
  type InstallAction,
  type InstalledFile,
  installedFiles,
} from "./installation.ts";
import { readFile } from "./load_config.ts";
import type { OptionValues } from "./options.ts";
import { printable } from "./show_text.ts";
import { systemdUnit } from "./systemd_unit.ts";
import { INSTALLED_PROGRAM, unitNeeds } from "./unit.ts";

/** A box, and the program that is installed on it. */
export interface InstallPlace {
  /** The folder that is the root of the box. */
  readonly root: string;
  /** The path of the compiled program. */
  readonly program: string;
  readonly commands: readonly Command[];
  readonly init: InitSystem | undefined;
  readonly isDryRun: boolean;
}

/** The outcome of an installation. */
export interface InstallReport {
  readonly init: InitSystem | null;
  readonly files: readonly { readonly action: InstallAction; readonly path: string }[];
  /** The steps that remain. */
  readonly next: readonly string[];
}

/** `iscsi install`: puts this program and all that belongs to it where a box expects it. */
export function install(commands: readonly Command[]): RunCommand {
  const program = Deno.build.standalone ? Deno.execPath() : undefined;
  return (context, options) => Promise.resolve(installProgram(context, options, { program, commands }));
}

/** The options of the command. */
type InstallOptions = Pick<OptionValues, "root" | "init" | "dryRun">;

/** A program to install; undefined stands for one that is not compiled. */
interface InstalledProgram {
  readonly program: string | undefined;
  readonly commands: readonly Command[];
}

/** Installs a program, and reports it if its rights do not suffice for that. */
export function installProgram(
  context: Context,
  options: InstallOptions,
  installed: InstalledProgram,
): ExitCode {
  try {
    return installAll(context, options, installed);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    context.stderr.write(
      `iscsi: This program was compiled for one storage folder and cannot install: copy it to ` +
        `${INSTALLED_PROGRAM}, and install the rest with a program that was compiled without options\n`,
    );
    return EXIT_CODES.failed.code;
  }
}

function installAll(
  { stdout, stderr, json }: Context,
  { root, init, dryRun }: InstallOptions,
  { program, commands }: InstalledProgram,
): ExitCode {
  const fail = (message: string): ExitCode => {
    stderr.write(`iscsi: ${message}\n`);
    return EXIT_CODES.failed.code;
  };
  if (program === undefined) {
    return fail('Cannot install the source: run "deno task compile", then "dist/iscsi install"');
  }
  if (statOr(root)?.isDirectory !== true) {
    return fail(`Cannot install into "${printable(root)}": it is no folder`);
  }
  const place = {
    root,
    program,
    commands,
    init: init as InitSystem | undefined ?? findInitSystem(boxFiles(root)),
    isDryRun: dryRun,
  };
  const report = perform(place, fail);
  if (report === undefined) return EXIT_CODES.failed.code;
  if (json === undefined) stdout.write(formatReport(report));
  else json.setDocument(report);
  const refused = report.files.filter(({ action }) => action === "refuse");
  for (const { path } of refused) {
    fail(`Not replaced: "${path}" is of another program; move it away and run this again`);
  }
  return refused.length > 0 ? EXIT_CODES.failed.code : EXIT_CODES.done.code;
}

/** Installs all files; undefined after a failure. */
function perform(place: InstallPlace, fail: (message: string) => void): InstallReport | undefined {
  const { root, commands, init, isDryRun } = place;
  const unit = init === "systemd" ? unitOf(root) : undefined;
  const hadConf = statOr(join(root, DEFAULT_CONF_FILE)) !== undefined;
  const files: { action: InstallAction; path: string }[] = [];
  const hasCluster = statOr(join(root, CLUSTER_FOLDER)) !== undefined;
  for (const file of installedFiles({ init, unit: unit?.text, hasCluster, commands })) {
    const { path } = file;
    try {
      const action = decideAction(file, currentFile(file, place));
      if (!isDryRun && (action === "install" || action === "replace")) write(file, place);
      files.push({ action, path });
    } catch (error) {
      if (!(error instanceof Error) || error instanceof Deno.errors.NotCapable) throw error;
      fail(`Cannot install "${printable(join(root, path))}": ${reasonOf(error)}`);
      return undefined;
    }
  }
  return { init: init ?? null, files, next: nextSteps({ init, hadConf, problem: unit?.problem }) };
}

/** Returns the unit for the conf of the box, or why there is none. */
function unitOf(root: string): { readonly text?: string; readonly problem?: string } {
  const conf = readFile(join(root, DEFAULT_CONF_FILE));
  if (!("text" in conf)) return {};
  const readInRoot = (path: string): ReturnType<typeof readFile> => readFile(join(root, path));
  const { config, diagnostics } = parseConfig(conf.text, { file: DEFAULT_CONF_FILE, readFile: readInRoot });
  const [first] = diagnostics.filter(({ severity }) => severity === "error");
  if (config === undefined) {
    return { problem: first === undefined ? "it has errors" : formatDiagnostic(first) };
  }
  // The networks of an image are not those of this machine.
  const interfaces = root === "/" ? interfaceAddresses(Deno.networkInterfaces()) : [];
  return { text: systemdUnit({ ...unitNeeds(config, interfaces), program: INSTALLED_PROGRAM }) };
}

/** Returns the file that is there now; undefined for none. */
function currentFile(
  { path, text, mode }: InstalledFile,
  { root, program }: InstallPlace,
): { readonly text: string; readonly isSame: boolean } | undefined {
  const at = join(root, path);
  const info = statOr(at);
  if (info === undefined) return undefined;
  const isModeSame = ((info.mode ?? 0) & 0o777) === mode;
  if (text !== undefined) {
    const current = Deno.readTextFileSync(at);
    return { text: current, isSame: isModeSame && current === text };
  }
  return { text: "", isSame: isModeSame && hasSameBytes(at, program) };
}

function hasSameBytes(left: string, right: string): boolean {
  if (Deno.statSync(left).size !== Deno.statSync(right).size) return false;
  const [first, second] = [Deno.readFileSync(left), Deno.readFileSync(right)];
  return first.every((byte, index) => byte === second[index]);
}

/** Writes a file as a whole: a program that runs keeps its old file. */
function write({ path, text, mode }: InstalledFile, { root, program }: InstallPlace): void {
  const at = join(root, path);
  const temporary = `${at}.new`;
  Deno.mkdirSync(dirname(at), { recursive: true });
  if (text === undefined) Deno.copyFileSync(program, temporary);
  else Deno.writeTextFileSync(temporary, text, { mode });
  Deno.chmodSync(temporary, mode);
  Deno.renameSync(temporary, at);
}

const START_COMMANDS: Readonly<Record<InitSystem, string>> = {
  systemd: "systemctl daemon-reload && systemctl enable --now iscsi",
  openrc: "rc-update add iscsi default && rc-service iscsi start",
  sysv: "update-rc.d iscsi defaults (or chkconfig --add iscsi), then /etc/init.d/iscsi start",
};

function nextSteps(
  { init, hadConf, problem }: {
    readonly init: InitSystem | undefined;
    readonly hadConf: boolean;
    readonly problem: string | undefined;
  },
): string[] {
  const edit = problem === undefined ? `edit ${DEFAULT_CONF_FILE}` : `mend ${problem}`;
  const needsUnit = init === "systemd" && (!hadConf || problem !== undefined);
  return [
    ...(hadConf && problem === undefined ? [] : [edit]),
    "iscsi build",
    ...(needsUnit
      ? ["iscsi install, again: it makes the systemd unit, whose rights are those that the conf needs"]
      : []),
    init === undefined ? "have the box run iscsi serve: its init system is not known" : START_COMMANDS[init],
  ];
}

function formatReport({ files, next }: InstallReport): string {
  const width = Math.max(...files.map(({ action }) => action.length));
  return [
    ...files.map(({ action, path }) => `${action.padEnd(width)}  ${path}`),
    "",
    "Next:",
    ...next.map((step) => `  ${step}`),
    "",
  ].join("\n");
}

function boxFiles(root: string): Parameters<typeof findInitSystem>[0] {
  return {
    exists: (path) => statOr(join(root, path)) !== undefined,
    linkAt(path): string | undefined {
      try {
        return Deno.readLinkSync(join(root, path));
      } catch {
        return undefined;
      }
    },
  };
}

function statOr(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
