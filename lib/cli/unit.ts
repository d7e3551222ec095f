import { dirname, resolve } from "@std/path";
import { type InterfaceAddress, isLoopback, peerRange } from "../access/interfaces.ts";
import { type Config, DEFAULT_CONF_FILE } from "../config/config.ts";
import { portsOf } from "../config/port_share.ts";
import { DEVICES_FOLDER } from "../provision/block_device.ts";
import { isInside } from "../provision/is_inside.ts";
import { systemInterfaces } from "../server/system.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit_code.ts";
import { loadConfig } from "./load_config.ts";
import type { OptionValues } from "./options.ts";
import { systemdUnit, type UnitNeeds } from "./systemd_unit.ts";

/** The path of the program where it is installed, and in the unit of one that runs from source. */
export const INSTALLED_PROGRAM = "/usr/local/sbin/iscsi";

const HOME_FOLDERS = ["/home", "/root", "/run/user"];
const TEMPORARY_FOLDERS = ["/tmp", "/var/tmp"];

/** The first port for which root needs no capability. */
const FREE_PORT_MIN = 1024;

/** The bit of a mode that lets other users enter a folder. */
const OTHERS_ENTER = 0o001;

/** `iscsi unit`: prints a systemd unit with the rights that the server of a conf needs. */
export function unit(context: Context, options: OptionValues): Promise<ExitCode> {
  const loaded = loadConfig(options.conf, context);
  if (loaded.config === undefined) return Promise.resolve(loaded.exitCode);
  const interfaces = (context.interfaces ?? systemInterfaces)();
  const text = systemdUnit(unitNeeds(loaded.config, interfaces));
  if (context.json === undefined) context.stdout.write(text);
  else context.json.setDocument({ unit: text });
  return Promise.resolve(EXIT_CODES.done.code);
}

/** Returns what the server of a conf needs of systemd. */
export function unitNeeds(config: Config, interfaces: readonly InterfaceAddress[]): UnitNeeds {
  const { storage, metrics, targets, secretsFiles } = config;
  const conf = resolve(config.file);
  const units = targets.flatMap(({ readOnly, logicalUnits }) =>
    logicalUnits.map(({ path }) => ({ path, readOnly, isDevice: isInside(DEVICES_FOLDER, path) }))
  );
  const files = units.filter(({ isDevice }) => !isDevice);
  const outside = files.filter(({ path, readOnly }) => !readOnly && !isInside(storage, path));
  const folders = [...new Set([storage, ...outside.map(({ path }) => dirname(path))])];
  const used = [conf, storage, ...secretsFiles, ...files.map(({ path }) => path)];
  return {
    program: Deno.build.standalone ? Deno.execPath() : INSTALLED_PROGRAM,
    conf: conf === DEFAULT_CONF_FILE ? undefined : conf,
    folders,
    devices: units.filter(({ isDevice }) => isDevice),
    usesHome: used.some((path) => isInAny(HOME_FOLDERS, path)),
    usesTemporary: used.some((path) => isInAny(TEMPORARY_FOLDERS, path)),
    ...clientNetworks(config, interfaces),
    hasLowPort: [...portsOf(config), metrics?.port ?? FREE_PORT_MIN].some((port) => port < FREE_PORT_MIN),
    hasForeignFiles: used.some(isForeign),
    unitCount: units.length,
  };
}

/** Returns the networks of initiators and of those that read the metrics, or why they may be anywhere. */
function clientNetworks(
  { targets, metrics }: Config,
  interfaces: readonly InterfaceAddress[],
): Pick<UnitNeeds, "networks" | "openReason"> {
  const open = (openReason: string): Pick<UnitNeeds, "networks" | "openReason"> => {
    return { networks: undefined, openReason };
  };
  const everywhere = targets.find(({ networks }) => networks.length === 0);
  if (everywhere !== undefined) return open(`[${everywhere.name}] has no "networks"`);
  if (metrics !== undefined && !isLoopback(metrics.address)) {
    return open("the conf does not name the readers of the metrics");
  }
  const networks = new Set(metrics === undefined ? [] : ["localhost"]);
  for (const network of targets.flatMap((target) => target.networks)) {
    const range = peerRange(network, interfaces);
    if (range === undefined) return open(`the network of ${network.text} is not known now`);
    networks.add(range.prefixLength === undefined ? range.address : `${range.address}/${range.prefixLength}`);
  }
  return { networks: [...networks], openReason: "" };
}

function isInAny(folders: readonly string[], path: string): boolean {
  return folders.some((folder) => folder === path || isInside(folder, path));
}

/** Reports whether root needs capabilities for a path: its owner is another user, or a folder above it is private. */
function isForeign(path: string): boolean {
  for (let [at, isFolderAbove] = [path, false];; [at, isFolderAbove] = [dirname(at), true]) {
    const info = statOr(at);
    const isEntered = isFolderAbove && ((info?.mode ?? OTHERS_ENTER) & OTHERS_ENTER) !== 0;
    if (info !== undefined && info.uid !== 0 && !isEntered) return true;
    if (dirname(at) === at) return false;
  }
}

function statOr(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}
