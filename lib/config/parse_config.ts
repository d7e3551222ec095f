import { ChapBuilder, type FileReading, type ReadFile, reportExposure } from "./build_chap.ts";
import { buildTargets, readSections } from "./build_targets.ts";
import type { Config } from "./config.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { Diagnostics } from "./diagnostics.ts";
import { readIniText } from "./ini_text.ts";
import type { OptionName } from "./options.ts";
import { portsOf } from "./port_share.ts";
import { defaultOf, readOptions } from "./read_options.ts";

/** The most ports. Each has a worker, which takes some 20 MB of memory. */
const PORTS_MAX = 32;

/** The lines of options, by their names. */
export type OptionLines = ReadonlyMap<OptionName, number>;

/** The lines of the options of a conf. */
export interface ConfLines {
  readonly globals: OptionLines;
  /** By the line of the section header. */
  readonly targets: ReadonlyMap<number, OptionLines>;
}

/** The configuration of a conf without errors, and the diagnostics. */
export interface ParsedConfig {
  /** Undefined exactly when one of the diagnostics is an error. Deeply frozen. */
  readonly config: Config | undefined;
  /** By line. */
  readonly diagnostics: readonly Diagnostic[];
  readonly lines: ConfLines;
}

/** The origin of a conf's text. */
export interface ConfSource {
  /** The file as the user named it, for messages. */
  readonly file: string;
  /** Its permission bits; undefined for a text that is not from a file. */
  readonly mode?: number;
  /** Reads the files that the conf names. Without it, none can be read. */
  readonly readFile?: ReadFile;
}

/** Parses a conf, and reports all of its problems. Never throws. */
export function parseConfig(text: string, source: ConfSource): ParsedConfig {
  const { file, mode, readFile = noFile } = source;
  const diagnostics = new Diagnostics(file);
  const ini = readIniText(text, diagnostics);
  const given = readOptions(ini.globals, "global", diagnostics);
  const { values, lines } = given;
  const globals = {
    storage: values.storage ?? defaultOf("storage"),
    node: values.node ?? defaultOf("node"),
    sessions: values.sessions ?? defaultOf("sessions"),
    connections: values.connections ?? defaultOf("connections"),
    port: values.port ?? defaultOf("port"),
    pingSeconds: values.ping ?? defaultOf("ping"),
    pingTimeoutSeconds: values.pingtimeout ?? defaultOf("pingtimeout"),
    metrics: values.metrics,
    chapMinimum: values.chap_minimum ?? defaultOf("chap_minimum"),
  };
  const chap = new ChapBuilder(given, diagnostics, readFile);
  const inherited = { networks: values.networks ?? [], initiators: values.initiators ?? [] };
  if (ini.sections.length === 0) {
    diagnostics.warning(1, "File has no target: add a [NAME] line with a size below it");
  }
  const sections = readSections(ini.sections, diagnostics);
  const targets = buildTargets(sections, { ...globals, ...inherited, chap }, diagnostics);
  chap.reportWhole();
  const ports = portsOf({ port: globals.port, targets });
  if (ports.length > PORTS_MAX) {
    const line = targets.find(({ port }) => port === ports[PORTS_MAX])!.line;
    diagnostics.error(
      line,
      `Cannot serve ${ports.length} ports: give targets at most ${PORTS_MAX} ports together`,
    );
  }
  const metricsPort = globals.metrics?.port;
  if (metricsPort !== undefined && [globals.port, ...ports].includes(metricsPort)) {
    diagnostics.error(
      lines.get("metrics")!,
      `Cannot serve metrics at port ${metricsPort}: initiators connect to it; write another port`,
    );
  }
  reportExposure([given, ...sections.map((section) => section.given)], mode, diagnostics);
  const config = diagnostics.hasErrors
    ? undefined
    : deepFreeze({ file, ...globals, chap: chap.globals, secretsFiles: chap.secretsFiles, targets });
  const targetLines = new Map(sections.map(({ line, given }) => [line, given.lines]));
  return deepFreeze({
    config,
    diagnostics: diagnostics.toArray(),
    lines: { globals: lines, targets: targetLines },
  });
}

/** Returns the storage folder of a conf, even if other lines have errors; undefined when `storage` is invalid. */
export function findStorage(text: string): string | undefined {
  const diagnostics = new Diagnostics("");
  const { values, lines } = readOptions(readIniText(text, diagnostics).globals, "global", diagnostics);
  return lines.has("storage") ? values.storage : defaultOf("storage");
}

function noFile(): FileReading {
  return { problem: "no file can be read here" };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach(deepFreeze);
    Object.freeze(value);
  }
  return value;
}
