import { dirname } from "@std/path";
import type { Network } from "../bytes/network.ts";
import type { ChapBuilder } from "./build_chap.ts";
import { backingPath } from "./backing_path.ts";
import type { LogicalUnitConfig, TargetConfig } from "./config.ts";
import { type Diagnostics, quote } from "./diagnostics.ts";
import { diskOf, reportDisk, reportSharedIdentities } from "./disk.ts";
import type { IniSection } from "./ini_text.ts";
import { defaultOf, type GivenOptions, readOptions } from "./read_options.ts";
import { SIZE_OF_DEVICE } from "./size.ts";
import { TargetNames } from "./target_names.ts";

/** The global options that matter to targets. */
export interface TargetGlobals {
  readonly storage: string;
  readonly node: string;
  readonly port: number;
  readonly networks: readonly Network[];
  readonly initiators: readonly string[];
  readonly chap: ChapBuilder;
}

/** A section with its options. */
export interface GivenSection {
  /** Undefined when the header is wrong, which has been reported. */
  readonly name: string | undefined;
  readonly line: number;
  readonly given: GivenOptions;
}

/** A section with its name checked and its logical units built. */
interface Draft {
  /** Undefined when the section has no usable name, which has been reported. */
  readonly name: string | undefined;
  /** The section, as messages call it. */
  readonly label: string;
  readonly line: number;
  readonly given: GivenOptions;
  readonly logicalUnits: readonly LogicalUnitConfig[];
}

/** Reads the options of all sections. */
export function readSections(sections: readonly IniSection[], diagnostics: Diagnostics): GivenSection[] {
  return sections.map(({ name, line, assignments }) => {
    return { name, line, given: readOptions(assignments, "target", diagnostics) };
  });
}

/** Builds the targets of all sections, and reports every problem. */
export function buildTargets(
  sections: readonly GivenSection[],
  globals: TargetGlobals,
  diagnostics: Diagnostics,
): readonly TargetConfig[] {
  const names = new TargetNames(globals.node, diagnostics);
  const drafts = sections.map((section): Draft => {
    const name = section.name === undefined
      ? undefined
      : names.takeName({ text: section.name, line: section.line });
    const label = section.name === undefined ? "section" : `[${section.name}]`;
    const draft = { name, label, line: section.line, given: section.given };
    return { ...draft, logicalUnits: buildLogicalUnits(draft, globals.storage, diagnostics) };
  });
  reportSharedFiles(drafts, diagnostics);
  for (const draft of drafts) reportDisk(draft, diagnostics);
  reportSharedIdentities(drafts, diagnostics);
  // All names are taken before the first alias: when a name and an alias are equal, the alias is reported.
  return drafts.map((draft) => buildTarget(draft, { globals, names })).filter((target) =>
    target !== undefined
  );
}

function buildTarget(
  { name, line, given, logicalUnits }: Draft,
  { globals, names }: { globals: TargetGlobals; names: TargetNames },
): TargetConfig | undefined {
  const { alias, ...values } = given.values;
  const aliasLine = given.lines.get("alias") ?? line;
  const aliasIscsiName = alias === undefined
    ? undefined
    : names.takeAlias({ text: alias, line: aliasLine }, name);
  const chap = globals.chap.buildTarget(given);
  if (name === undefined) return undefined;
  return {
    name,
    iscsiName: names.iscsiName(name),
    aliasIscsiName,
    comment: values.comment ?? name,
    readOnly: values.readonly ?? defaultOf("readonly"),
    disk: diskOf(values),
    networks: values.networks ?? globals.networks,
    initiators: values.initiators ?? globals.initiators,
    chap,
    port: values.port ?? globals.port,
    redirect: values.redirect,
    logicalUnits,
    line,
  };
}

function buildLogicalUnits(
  draft: Omit<Draft, "logicalUnits">,
  storage: string,
  diagnostics: Diagnostics,
): readonly LogicalUnitConfig[] {
  const { values, lines } = draft.given;
  const line = lines.get("size");
  if (line === undefined) {
    diagnostics.error(draft.line, `Missing size in ${draft.label}: add a line such as "size = 750GB"`);
  }
  const file = lines.has("file") ? values.file : draft.name;
  if (file === undefined) return [];
  const { path, problem } = backingPath(file, storage);
  if (problem !== undefined) {
    diagnostics.error(fileLine(draft), `Cannot use file ${quote(file)}: ${problem}`);
    return [];
  }
  if (line === undefined || values.size === undefined) return [];
  const { size, naa = [] } = values;
  if (naa.length > size.length) {
    const counts = `${naa.length} identifiers for ${size.length === 1 ? "1 LUN" : `${size.length} LUNs`}`;
    diagnostics.error(lines.get("naa")!, `Cannot use naa: it has ${counts}; write at most one for each`);
  }
  return size.map((sizeBytes, number) => {
    return {
      number,
      path: number === 0 ? path : `${path}_${number}`,
      sizeBytes,
      line,
      ...(sizeBytes === SIZE_OF_DEVICE && { followsDevice: true }),
      ...(naa[number] !== undefined && { naa: naa[number] }),
    };
  });
}

/** Reports LUNs that share a file, and LUNs whose file is a folder on the path of another. */
function reportSharedFiles(drafts: readonly Draft[], diagnostics: Diagnostics): void {
  const holders = new Map<string, string>();
  const units = drafts.flatMap((draft) => draft.logicalUnits.map((unit) => ({ draft, ...unit })));
  for (const { draft, number, path, line } of units) {
    const holder = holders.get(path);
    if (holder === undefined) {
      holders.set(path, `LUN ${number} of ${draft.label} (line ${line})`);
    } else {
      const message = `Cannot use file ${quote(path)} for LUN ${number} of ${draft.label}`;
      diagnostics.error(fileLine(draft), `${message}: ${holder} has it already; choose another name`);
    }
  }
  for (const { draft, path } of units) {
    for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
      const holder = holders.get(folder);
      if (holder === undefined) continue;
      const problem = `${quote(folder)} is the file of ${holder}, not a folder; choose another name`;
      diagnostics.error(fileLine(draft), `Cannot use file ${quote(path)}: ${problem}`);
    }
  }
}

/** Returns the line that determines the names of a target's files. */
function fileLine(draft: Omit<Draft, "logicalUnits">): number {
  return draft.given.lines.get("file") ?? draft.line;
}
