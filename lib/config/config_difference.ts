/**
 * The difference between two configurations as a value: the changes that a running server has to make, and the effect
 * of each on its sessions.
 */
import { formatPortal, type Network } from "../bytes/network.ts";
import type { ChapConfig } from "./chap.ts";
import type { Config, DiskConfig, Endpoint, LogicalUnitConfig, TargetConfig } from "./config.ts";
import { formatInitiatorName } from "./iscsi_name.ts";
import { formatRedirection, type Redirection } from "./redirection.ts";
import type { Secret } from "./secret.ts";
import { formatSize } from "./size.ts";

/** The effects of changes on the sessions that they concern. Other sessions are not affected. */
export const CONSEQUENCES = {
  unnoticed: "no session is affected",
  told: "sessions get a unit attention",
  admitted: "sessions that are no longer allowed are asked to log out",
  loggedIn: "sessions are asked to log in again",
  loggedOut: "sessions are asked to log out",
  ended: "every session ends",
} as const;

/** One of `CONSEQUENCES`. */
export type Consequence = keyof typeof CONSEQUENCES;

/** A logical unit, identified as in the conf. */
interface UnitPlace {
  readonly target: string;
  readonly lun: number;
  readonly path: string;
}

/** An option with another value, in the words of the conf. */
interface OptionChange {
  readonly option: string;
  readonly from: string;
  readonly to: string;
  readonly consequence: Consequence;
}

/** One difference. */
export type Change =
  | { readonly kind: "serverOptionChanged" } & OptionChange
  | { readonly kind: "targetAdded"; readonly target: string; readonly logicalUnits: number }
  | { readonly kind: "targetRemoved"; readonly target: string }
  | { readonly kind: "targetOptionChanged"; readonly target: string } & OptionChange
  | { readonly kind: "logicalUnitAdded"; readonly sizeBytes: number } & UnitPlace
  | { readonly kind: "logicalUnitRemoved" } & UnitPlace
  | { readonly kind: "logicalUnitGrown"; readonly fromBytes: number; readonly sizeBytes: number } & UnitPlace
  /** The logical unit becomes another disk, because these options changed. */
  | { readonly kind: "logicalUnitReplaced"; readonly options: readonly string[] } & UnitPlace;

/** The comparison of a field of the configuration, and the consequence of its change. */
export interface Field<T> {
  /** The option of the conf that sets the field. */
  readonly option: string;
  readonly show: (value: T) => string;
  /** Returns equal texts for values that mean the same; `show` does so where it is absent. */
  readonly canonical?: (value: T) => string;
  readonly consequence: Consequence;
}

/** A row for each field of a part of the configuration. */
export type Fields<T> = { readonly [Key in keyof T]: Field<T[Key]> };

/** The fields of the whole server. */
export const SERVER_FIELDS: Fields<Omit<Config, "file" | "secretsFiles" | "targets">> = {
  storage: { option: "storage", show: String, consequence: "ended" },
  node: { option: "node", show: String, consequence: "ended" },
  port: { option: "port", show: String, consequence: "unnoticed" },
  sessions: { option: "sessions", show: String, consequence: "unnoticed" },
  connections: { option: "connections", show: String, consequence: "unnoticed" },
  pingSeconds: { option: "ping", show: String, consequence: "unnoticed" },
  pingTimeoutSeconds: { option: "pingtimeout", show: String, consequence: "unnoticed" },
  metrics: { option: "metrics", show: showEndpoint, consequence: "unnoticed" },
  chapMinimum: { option: "chap_minimum", show: String, consequence: "unnoticed" },
  chap: { option: "CHAP of discovery", show: showChap, canonical: canonicalChap, consequence: "unnoticed" },
};

/** The fields of a target that can change while its logical units remain the same disks. */
export const TARGET_FIELDS: Fields<
  Omit<TargetConfig, "name" | "iscsiName" | "disk" | "logicalUnits" | "line">
> = {
  networks: { option: "networks", show: showNetworks, canonical: canonicalNetworks, consequence: "admitted" },
  initiators: {
    option: "initiators",
    show: showInitiators,
    canonical: canonicalList,
    consequence: "admitted",
  },
  aliasIscsiName: { option: "alias", show: showText, consequence: "admitted" },
  comment: { option: "comment", show: showText, consequence: "unnoticed" },
  readOnly: { option: "readonly", show: showBoolean, consequence: "told" },
  chap: { option: "CHAP", show: showChap, canonical: canonicalChap, consequence: "admitted" },
  port: { option: "port", show: String, consequence: "loggedIn" },
  redirect: { option: "redirect", show: showRedirection, consequence: "loggedIn" },
};

/**
 * The fields of a disk. An initiator reads the block size, the removable bit, the vendor and the serial number once,
 * and keeps them until it logs in again. A disk for which one of these changes is replaced.
 */
export const DISK_FIELDS: Fields<DiskConfig> = {
  blockSizeBytes: { option: "blocksize", show: String, consequence: "loggedIn" },
  physicalBlockSizeBytes: { option: "physicalblocksize", show: String, consequence: "loggedIn" },
  removable: { option: "removable", show: showBoolean, consequence: "loggedIn" },
  writeCache: { option: "writecache", show: showBoolean, consequence: "told" },
  serialNumber: { option: "serial", show: showText, consequence: "loggedIn" },
  vendor: { option: "vendor", show: showText, consequence: "loggedIn" },
  product: { option: "product", show: showText, consequence: "told" },
  revision: { option: "revision", show: showText, consequence: "told" },
};

/** Returns the changes from `before` to `after`, in the order to make them: removals first. */
export function configDifference(before: Config, after: Config): Change[] {
  const old = new Map(before.targets.map((target) => [target.name, target]));
  const names = new Set(after.targets.map(({ name }) => name));
  const removed = before.targets.filter(({ name }) => !names.has(name));
  return [
    ...differentFields(SERVER_FIELDS, before, after).map((option): Change => ({
      kind: "serverOptionChanged",
      ...option,
    })),
    ...removed.map(({ name }): Change => ({ kind: "targetRemoved", target: name })),
    ...after.targets.flatMap((target): Change[] => {
      const predecessor = old.get(target.name);
      if (predecessor !== undefined) {
        return targetDifference(predecessor, target, { from: before.storage, to: after.storage });
      }
      return [{ kind: "targetAdded", target: target.name, logicalUnits: target.logicalUnits.length }];
    }),
  ];
}

/** Returns the effect of a change on sessions. */
export function consequenceOf(change: Change): Consequence {
  switch (change.kind) {
    case "serverOptionChanged":
    case "targetOptionChanged":
      return change.consequence;
    case "targetAdded":
      return "unnoticed";
    case "targetRemoved":
      return "loggedOut";
    case "logicalUnitAdded":
    case "logicalUnitRemoved":
    case "logicalUnitGrown":
      return "told";
    case "logicalUnitReplaced":
      return "loggedIn";
  }
}

/** Describes a change in a line for people. */
export function describeChange(change: Change): string {
  switch (change.kind) {
    case "serverOptionChanged":
      return `set ${change.option} from ${change.from} to ${change.to}`;
    case "targetAdded": {
      const units = change.logicalUnits === 1 ? "1 LUN" : `${change.logicalUnits} LUNs`;
      return `add target [${change.target}] with ${units}`;
    }
    case "targetRemoved":
      return `remove target [${change.target}]`;
    case "targetOptionChanged":
      return `set ${change.option} of [${change.target}] from ${change.from} to ${change.to}`;
    case "logicalUnitAdded":
      return `add ${describeUnit(change)} with ${formatSize(change.sizeBytes)}`;
    case "logicalUnitRemoved":
      return `remove ${describeUnit(change)}`;
    case "logicalUnitGrown": {
      const { fromBytes, sizeBytes } = change;
      return `grow ${describeUnit(change)} from ${formatSize(fromBytes)} to ${formatSize(sizeBytes)}`;
    }
    case "logicalUnitReplaced":
      return `replace ${describeUnit(change)}: another ${change.options.join(", ")}`;
  }
}

function describeUnit({ target, lun, path }: UnitPlace): string {
  return `LUN ${lun} of [${target}] ("${path}")`;
}

/** The storage folders before and after. */
interface Storage {
  readonly from: string;
  readonly to: string;
}

function targetDifference(before: TargetConfig, after: TargetConfig, storage: Storage): Change[] {
  const { name: target } = after;
  const disk = differentFields(DISK_FIELDS, before.disk, after.disk);
  const replacing = disk.filter(({ consequence }) => consequence === "loggedIn").map(({ option }) => option);
  const changed = [
    ...differentFields(TARGET_FIELDS, before, after),
    ...disk.filter(({ consequence }) => consequence !== "loggedIn"),
  ];
  return [
    ...unitsDifference(before, after, storage, replacing),
    ...changed.map((option): Change => ({ kind: "targetOptionChanged", target, ...option })),
  ];
}

function unitsDifference(
  before: TargetConfig,
  after: TargetConfig,
  storage: Storage,
  replacing: readonly string[],
): Change[] {
  const { name: target } = after;
  const old = new Map(before.logicalUnits.map((unit) => [unit.number, unit]));
  const numbers = new Set(after.logicalUnits.map(({ number }) => number));
  const removed = before.logicalUnits.filter(({ number }) => !numbers.has(number));
  return [
    ...removed.map(({ number, path }): Change => ({ kind: "logicalUnitRemoved", target, lun: number, path })),
    ...after.logicalUnits.flatMap((unit): Change[] => {
      const { number: lun, path, sizeBytes } = unit;
      const predecessor = old.get(lun);
      if (predecessor === undefined) return [{ kind: "logicalUnitAdded", target, lun, path, sizeBytes }];
      const options = [...replacing, ...unitReplacing(predecessor, unit, storage)];
      if (options.length > 0) return [{ kind: "logicalUnitReplaced", target, lun, path, options }];
      const { sizeBytes: fromBytes } = predecessor;
      return fromBytes === sizeBytes
        ? []
        : [{ kind: "logicalUnitGrown", target, lun, path, fromBytes, sizeBytes }];
    }),
  ];
}

/** Returns the options that make a logical unit another disk. A smaller one has lost data that initiators stored. */
function unitReplacing(before: LogicalUnitConfig, after: LogicalUnitConfig, storage: Storage): string[] {
  return [
    ...(relativeToStorage(storage.from, before.path) === relativeToStorage(storage.to, after.path)
      ? []
      : ["file"]),
    ...(after.sizeBytes < before.sizeBytes ? ["size"] : []),
    ...(after.naa === before.naa ? [] : ["naa"]),
  ];
}

/** Returns a path relative to its storage folder, which may have another name; else the path itself. */
export function relativeToStorage(storage: string, path: string): string {
  return path.startsWith(`${storage}/`) ? path.slice(storage.length + 1) : path;
}

/** Returns the fields of a table in which two values differ. */
function differentFields<T extends object>(fields: Fields<T>, before: T, after: T): OptionChange[] {
  return (Object.keys(fields) as (keyof T)[]).flatMap((key) => {
    const { option, show, canonical = show, consequence } = fields[key];
    if (canonical(before[key]) === canonical(after[key])) return [];
    return [{ option, from: show(before[key]), to: show(after[key]), consequence }];
  });
}

function showText(value: string | undefined): string {
  return value === undefined ? "none" : `"${value}"`;
}

function showRedirection(redirection: Redirection | undefined): string {
  return showText(redirection && formatRedirection(redirection));
}

function showEndpoint(endpoint: Endpoint | undefined): string {
  return endpoint === undefined ? "none" : formatPortal(endpoint.address, endpoint.port);
}

function showBoolean(value: boolean): string {
  return value ? "y" : "n";
}

function showList(values: readonly string[]): string {
  return values.length === 0 ? "all" : values.join(" ");
}

function showInitiators(names: readonly string[]): string {
  return showList(names.map(formatInitiatorName));
}

/** Returns a list in a fixed order, because the order of its entries has no meaning. */
function canonicalList(values: readonly string[]): string {
  return values.toSorted().join(" ");
}

/** Counts the names: secrets and their names are never shown. */
function showChap(chap: ChapConfig | undefined): string {
  return chap === undefined ? "none" : `${chap.accounts.size} ${chap.accounts.size === 1 ? "name" : "names"}`;
}

/** Returns names, secrets and initiators in a fixed order. Never shown, because it contains the secrets. */
export function canonicalChap(chap: ChapConfig | undefined): string {
  if (chap === undefined) return "";
  const { accounts, mutual } = chap;
  const entries = accounts.values().map(({ name, secret, initiators }) =>
    `${name} ${hexOf(secret)} ${canonicalList(initiators)}`
  );
  return [mutual === undefined ? "" : `${mutual.name} ${hexOf(mutual.secret)}`, ...[...entries].toSorted()]
    .join(
      "\n",
    );
}

function hexOf({ bytes }: Secret): string {
  return new Uint8Array(bytes).toHex();
}

function showNetworks(networks: readonly Network[]): string {
  return showList(networks.map(({ text }) => text));
}

function canonicalNetworks(networks: readonly Network[]): string {
  return canonicalList(networks.map(({ address, prefixLength }) => `${address}/${prefixLength ?? ""}`));
}
