/**
 * The options of a conf as plain texts without secrets, to be kept and compared later. The path of the storage folder
 * is not among them, because each host may have it elsewhere.
 */
import type { Config, TargetConfig } from "./config.ts";
import {
  canonicalChap,
  DISK_FIELDS,
  type Fields,
  relativeToStorage,
  SERVER_FIELDS,
  TARGET_FIELDS,
} from "./config_difference.ts";
import { formatSize } from "./size.ts";

/** Texts by option, such as `size of LUN 0`. */
export type OptionTexts = Readonly<Record<string, string>>;

/** The options of a conf. */
export interface ConfigSummary {
  readonly server: OptionTexts;
  /** By the name of the target. */
  readonly targets: Readonly<Record<string, OptionTexts>>;
}

/** An option whose text differs. */
export interface SummaryDifference {
  /** The name of the target; undefined for an option of the server. */
  readonly target: string | undefined;
  /** A sentence part: `size of LUN 0 is 1 GB, there 2 GB`. */
  readonly text: string;
}

/** Summarizes a conf. */
export function summarizeConfig(config: Config): ConfigSummary {
  const { storage: _, ...serverFields } = SERVER_FIELDS;
  const { targets, storage } = config;
  return {
    server: textsOf<Omit<Config, "file" | "storage" | "secretsFiles" | "targets">>(serverFields, config),
    targets: Object.fromEntries(targets.map((target) => [target.name, summarizeTarget(target, storage)])),
  };
}

/**
 * Returns the text from which secrets and their names are compared; empty for a conf without CHAP. It contains them, so
 * it must not be kept.
 */
export function secretsText({ chap, targets }: Config): string {
  const all = [["", chap] as const, ...targets.map(({ name, chap }) => [name, chap] as const)];
  const used = all.filter(([, chap]) => chap !== undefined);
  return used.map(([name, chap]) => `[${name}]\n${canonicalChap(chap)}\n`).toSorted().join("");
}

/** Returns the differences of the conf that is `here` from the one that is `there`. */
export function summaryDifferences(here: ConfigSummary, there: ConfigSummary): SummaryDifference[] {
  const [mine, theirs] = [here, there].map(({ targets }) => new Map(Object.entries(targets)));
  return [
    ...textDifferences(here.server, there.server).map((text) => ({ target: undefined, text })),
    ...[...new Set([...mine!.keys(), ...theirs!.keys()])].flatMap((target): SummaryDifference[] => {
      const [own, other] = [mine!.get(target), theirs!.get(target)];
      if (own === undefined) return [{ target, text: "is only there" }];
      if (other === undefined) return [{ target, text: "is only here" }];
      return textDifferences(own, other).map((text) => ({ target, text }));
    }),
  ];
}

function summarizeTarget(target: TargetConfig, storage: string): OptionTexts {
  const units = target.logicalUnits.flatMap(({ number, path, sizeBytes, naa }) => [
    [`file of LUN ${number}`, `"${relativeToStorage(storage, path)}"`],
    [`size of LUN ${number}`, formatSize(sizeBytes)],
    ...(naa === undefined ? [] : [[`naa of LUN ${number}`, naa]]),
  ]);
  return {
    ...textsOf(TARGET_FIELDS, target),
    ...textsOf(DISK_FIELDS, target.disk),
    ...Object.fromEntries(units),
  };
}

/** Returns the texts of the fields of a table. Those of CHAP count the names. */
function textsOf<T extends object>(fields: Fields<T>, values: T): OptionTexts {
  const texts = (Object.keys(fields) as (keyof T & string)[]).map((key) => {
    const { option, show, canonical = show } = fields[key];
    const text = key === "chap" ? show(values[key]) : canonical(values[key]);
    // The canonical form of an empty list is empty.
    return [option, text === "" ? show(values[key]) : text];
  });
  return Object.fromEntries(texts);
}

function textDifferences(here: OptionTexts, there: OptionTexts): string[] {
  const options = new Set([...Object.keys(here), ...Object.keys(there)]);
  return [...options].flatMap((option) => {
    const [mine, other] = [here, there].map(({ [option]: text = "none" }) => text);
    return mine === other ? [] : [`${option} is ${mine}, there ${other}`];
  });
}
