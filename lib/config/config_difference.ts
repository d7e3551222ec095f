/**
 * The difference between two configurations as a value: what a running server has to do to get from one to the other,
 * and what its sessions notice of that.
 */
import { formatPortal, type Network } from "../bytes/network.ts";
import type { ChapConfig } from "./chap.ts";
import type { Config, DiskConfig, Endpoint, LogicalUnitConfig, TargetConfig } from "./config.ts";
import { formatRedirection, type Redirection } from "./redirection.ts";
import type { Secret } from "./secret.ts";
import { formatSize } from "./size.ts";

/** What sessions notice of a change: none of the others, and of those that it concerns as much as this says. */
export const CONSEQUENCES = {
  unnoticed: "no session notices",
  told: "sessions are told by a unit attention",
  admitted: "sessions that are no longer allowed are asked to log out",
  loggedIn: "sessions are asked to log in again",
  loggedOut: "sessions are asked to log out",
  ended: "every session ends",
} as const;

/** One of `CONSEQUENCES`. */
export type Consequence = keyof typeof CONSEQUENCES;

/** A logical unit of a target, by their names in the conf. */
interface UnitPlace {
  readonly target: string;
  readonly lun: number;
  readonly path: string;
}

/** An option that says something else, in the words of the conf. */
interface OptionChange {
  readonly option: string;
  readonly from: string;
  readonly to: string;
  readonly consequence: Consequence;
}

/** One thing that is different. */
export type Change =
  | { readonly kind: "serverOptionChanged" } & OptionChange
  | { readonly kind: "targetAdded"; readonly target: string; readonly logicalUnits: number }
  | { readonly kind: "targetRemoved"; readonly target: string }
  | { readonly kind: "targetOptionChanged"; readonly target: string } & OptionChange
  | { readonly kind: "logicalUnitAdded"; readonly sizeBytes: number } & UnitPlace
  | { readonly kind: "logicalUnitRemoved" } & UnitPlace
  | { readonly kind: "logicalUnitGrown"; readonly fromBytes: number; readonly sizeBytes: number } & UnitPlace
  /** It is another disk from now on, for what these options say. */
  | { readonly kind: "logicalUnitReplaced"; readonly options: readonly string[] } & UnitPlace;

/** How a field of the configuration is compared, and what it means that it has changed. */
interface Field<T> {
  /** The option of the conf that gives the field its value. */
  readonly option: string;
  readonly show: (value: T) => string;
  /** Equal texts mean the same; without it, those of `show` do. */
  readonly meaning?: (value: T) => string;
  readonly consequence: Consequence;
}

/** A row for each field of a part of the configuration. */
type Fields<T> = { readonly [Key in keyof T]: Field<T[Key]> };

/** The fields of the whole server. */
const SERVER_FIELDS: Fields<Omit<Config, "file" | "secretsFiles" | "targets">> = {
  storage: { option: "storage", show: String, consequence: "ended" },
  node: { option: "node", show: String, consequence: "ended" },
  port: { option: "port", show: String, consequence: "unnoticed" },
  sessions: { option: "sessions", show: String, consequence: "unnoticed" },
  connections: { option: "connections", show: String, consequence: "unnoticed" },
  pingSeconds: { option: "ping", show: String, consequence: "unnoticed" },
  pingTimeoutSeconds: { option: "pingtimeout", show: String, consequence: "unnoticed" },
  metrics: { option: "metrics", show: showEndpoint, consequence: "unnoticed" },
  chapMinimum: { option: "chap_minimum", show: String, consequence: "unnoticed" },
  chap: { option: "CHAP of discovery", show: showChap, meaning: meaningOfChap, consequence: "unnoticed" },
};

/** The fields of a target that can change while its logical units stay the disks that they are. */
const TARGET_FIELDS: Fields<Omit<TargetConfig, "name" | "iscsiName" | "disk" | "logicalUnits" | "line">> = {
  networks: { option: "networks", show: showNetworks, meaning: meaningOfNetworks, consequence: "admitted" },
  initiators: { option: "initiators", show: showList, meaning: meaningOfList, consequence: "admitted" },
  aliasIscsiName: { option: "alias", show: showText, consequence: "admitted" },
  comment: { option: "comment", show: showText, consequence: "unnoticed" },
  readOnly: { option: "readonly", show: showBoolean, consequence: "told" },
  chap: { option: "CHAP", show: showChap, meaning: meaningOfChap, consequence: "admitted" },
  redirect: { option: "redirect", show: showRedirection, consequence: "loggedIn" },
};

/**
 * The fields of the kind of disk. An initiator that has asked once what blocks a disk has, whether its medium can be
 * removed, or by which vendor's serial number it is known, goes by that until it logs in again: such a disk is
 * replaced.
 */
const DISK_FIELDS: Fields<DiskConfig> = {
  blockSizeBytes: { option: "blocksize", show: String, consequence: "loggedIn" },
  physicalBlockSizeBytes: { option: "physicalblocksize", show: String, consequence: "loggedIn" },
  removable: { option: "removable", show: showBoolean, consequence: "loggedIn" },
  serialNumber: { option: "serial", show: showText, consequence: "loggedIn" },
  vendor: { option: "vendor", show: showText, consequence: "loggedIn" },
  product: { option: "product", show: showText, consequence: "told" },
  revision: { option: "revision", show: showText, consequence: "told" },
};

/** Says what is different in `after`, in an order in which it can be done: what goes before what comes. */
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

/** What sessions notice of a change. */
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

/** A change in a line for people. */
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

/** The options for which a logical unit is another disk: what is smaller has lost what initiators may have stored. */
function unitReplacing(before: LogicalUnitConfig, after: LogicalUnitConfig, storage: Storage): string[] {
  return [
    ...(placeIn(storage.from, before.path) === placeIn(storage.to, after.path) ? [] : ["file"]),
    ...(after.sizeBytes < before.sizeBytes ? ["size"] : []),
  ];
}

/** A path as it is called in its storage folder, which may have another name. */
function placeIn(storage: string, path: string): string {
  return path.startsWith(`${storage}/`) ? path.slice(storage.length + 1) : path;
}

/** The fields of a table by which two values differ. */
function differentFields<T extends object>(fields: Fields<T>, before: T, after: T): OptionChange[] {
  return (Object.keys(fields) as (keyof T)[]).flatMap((key) => {
    const { option, show, meaning = show, consequence } = fields[key];
    if (meaning(before[key]) === meaning(after[key])) return [];
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

/** It does not matter in which order somebody is admitted. */
function meaningOfList(values: readonly string[]): string {
  return values.toSorted().join(" ");
}

/** Secrets, and the names that go with them, are not for showing. */
function showChap(chap: ChapConfig | undefined): string {
  return chap === undefined ? "none" : `${chap.accounts.size} ${chap.accounts.size === 1 ? "name" : "names"}`;
}

/** Unlike what is shown, this has the secrets in it. */
function meaningOfChap(chap: ChapConfig | undefined): string {
  if (chap === undefined) return "";
  const { accounts, mutual } = chap;
  const entries = accounts.values().map(({ name, secret, initiators }) =>
    `${name} ${hexOf(secret)} ${meaningOfList(initiators)}`
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

function meaningOfNetworks(networks: readonly Network[]): string {
  return meaningOfList(networks.map(({ address, prefixLength }) => `${address}/${prefixLength ?? ""}`));
}
