import { ChapBuilder, type FileReading, type ReadFile, reportExposure } from "./build_chap.ts";
import { buildTargets, readSections } from "./build_targets.ts";
import type { Config } from "./config.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { Diagnostics } from "./diagnostics.ts";
import { readIniText } from "./ini_text.ts";
import { defaultOf, readOptions } from "./read_options.ts";

/** What a conf says, if it is free of errors, and what there is to say about it. */
export interface ParsedConfig {
  /** Undefined exactly when one of the diagnostics is an error. Frozen in depth. */
  readonly config: Config | undefined;
  /** In the order of lines. */
  readonly diagnostics: readonly Diagnostic[];
}

/** What is known of a conf besides its text. */
export interface ConfSource {
  /** The file as the user named it, for messages. */
  readonly file: string;
  /** Its permission bits; undefined for a text that is no file. */
  readonly mode?: number;
  /** Reads the files that it names; unless told, none can be read. */
  readonly readFile?: ReadFile;
}

/** Reads a conf. Everything wrong with it is reported at once; nothing is thrown, whatever the text. */
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
  if (globals.metrics?.port === globals.port) {
    diagnostics.error(
      lines.get("metrics")!,
      `Cannot serve metrics at port ${globals.port}: initiators connect to it; write another port`,
    );
  }
  const chap = new ChapBuilder(given, diagnostics, readFile);
  const inherited = { networks: values.networks ?? [], initiators: values.initiators ?? [] };
  if (ini.sections.length === 0) {
    diagnostics.warning(1, "File has no target: add a [NAME] line with a size below it");
  }
  const sections = readSections(ini.sections, diagnostics);
  const targets = buildTargets(sections, { ...globals, ...inherited, chap }, diagnostics);
  chap.reportWhole();
  reportExposure([given, ...sections.map((section) => section.given)], mode, diagnostics);
  const config = diagnostics.hasErrors
    ? undefined
    : deepFreeze({ file, ...globals, chap: chap.globals, secretsFiles: chap.secretsFiles, targets });
  return deepFreeze({ config, diagnostics: diagnostics.toArray() });
}

/** The storage folder of a conf, whatever is wrong with the rest of it; undefined when that itself is not right. */
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
