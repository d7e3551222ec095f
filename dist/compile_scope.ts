/** The options of `deno task compile` that limit the rights of the program to one storage folder and its addresses. */
import { isAbsolute, normalize } from "@std/path";
import { addressFamily, formatPortal, parseNetwork, parsePortal } from "../lib/bytes/network.ts";
import { DEFAULT_CONF_FILE } from "../lib/config/config.ts";
import { ControlLimits } from "../lib/control/control_limits.ts";
import { DEVICES_FOLDER } from "../lib/provision/block_device.ts";
import { isInside } from "../lib/provision/is_inside.ts";
import { type Helper, HELPER_FOLDERS } from "../lib/provision/run_helper.ts";
import { controlSocketOf } from "../lib/provision/state_folder.ts";
import { networkRight, portalRights } from "../lib/server/worker_permissions.ts";

/** The usage of the options. */
export const USAGE =
  `Usage: deno task compile [--storage FOLDER|DEVICE]... [--listen ADDRESS:PORT]... [--conf FILE]...
  --storage  a folder of disks that the program may read and write, or a block device
  --listen   an address where it may listen: ADDRESS:PORT, [ADDRESS]:PORT, IPV4/PREFIX:PORT,
             or 0.0.0.0:PORT for every address of a target without networks
  --conf     a conf, or a file of secrets, that it may read (default ${DEFAULT_CONF_FILE})
Without options the program may read, write and listen everywhere. With options, name at least
one folder and one address; each option may be repeated.`;

/** The paths and addresses that the program may use. */
export interface Scope {
  /** Absolute paths of folders. */
  readonly storage: readonly string[];
  /** Absolute paths of files. */
  readonly conf: readonly string[];
  /** Rights of Deno to addresses and ports. */
  readonly net: readonly string[];
  readonly hasDevices: boolean;
}

/** The helpers that only block devices need. */
const DEVICE_HELPERS: readonly Helper[] = ["losetup", "lsblk", "mknod"];

/** Reads the options. Returns undefined for the general program, or a message about an invalid option. */
export function readScope(args: readonly string[]): Scope | undefined | string {
  if (args.length === 0) return undefined;
  const values: Record<string, string[]> = { storage: [], listen: [], conf: [] };
  for (let index = 0; index < args.length;) {
    const [, name = "", joined] = /^--(\w+)(?:=(.*))?$/s.exec(args[index]!) ?? [];
    const list = values[name];
    if (list === undefined) return `Unknown option "${args[index]}"`;
    const value = joined ?? args[index + 1];
    if (value === undefined || value === "") return `Missing value of --${name}`;
    list.push(value);
    index += joined === undefined ? 2 : 1;
  }
  const { storage, listen, conf } = values as Record<"storage" | "listen" | "conf", string[]>;
  const paths = [...storage, ...conf];
  const wrong = paths.find((path) => !isAbsolute(path) || path.includes(","));
  if (wrong !== undefined) return `Cannot use "${wrong}": write an absolute path without a comma`;
  const [devices, folders] = [storage, storage].map((list, index) =>
    list.map(plainPath).filter((path) => isInside(DEVICES_FOLDER, path) === (index === 0))
  ) as [string[], string[]];
  const long = folders.find((folder) =>
    encodedLength(controlSocketOf(folder)) > ControlLimits.socketPathBytes
  );
  if (long !== undefined) {
    return `Cannot use storage "${long}": its control socket would have a path of more than ` +
      `${ControlLimits.socketPathBytes} bytes; choose a shorter one`;
  }
  if (folders.length === 0) return "Missing --storage: name the storage folder of the conf";
  if (listen.length === 0) return "Missing --listen: name the addresses and the port of the conf";
  const net = listen.map((text) => [text, netRights(text)] as const);
  const unknown = net.find(([, rights]) => rights === undefined);
  if (unknown !== undefined) return `Cannot use --listen "${unknown[0]}": write ADDRESS:PORT`;
  return {
    storage: folders,
    conf: conf.length === 0 ? [DEFAULT_CONF_FILE] : conf.map(plainPath),
    net: [...new Set(net.flatMap(([, rights]) => rights!))],
    hasDevices: devices.length > 0,
  };
}

/** Replaces the general rights to paths, addresses and programs by those of a scope. */
export function limitRights(
  general: readonly string[],
  { storage, conf, net, hasDevices }: Scope,
  { hasSocketRights }: { readonly hasSocketRights: boolean },
): string[] {
  const sockets = hasSocketRights ? storage.map((folder) => `unix:${controlSocketOf(folder)}`) : [];
  const limits: Readonly<Record<string, readonly string[]>> = {
    "--allow-read": [...storage, ...conf],
    "--allow-write": storage,
    "--allow-net": [...net, ...sockets],
  };
  return general.map((flag) => {
    const [name = "", list = ""] = flag.split("=");
    if (name === "--allow-run" && !hasDevices) return `${name}=${withoutDeviceHelpers(list)}`;
    const limit = limits[name];
    return limit === undefined ? flag : `${name}=${limit.join(",")}`;
  });
}

function withoutDeviceHelpers(list: string): string {
  const omitted = DEVICE_HELPERS.flatMap((helper) => HELPER_FOLDERS.map((folder) => `${folder}/${helper}`));
  return list.split(",").filter((path) => !omitted.includes(path)).join(",");
}

/** Returns the rights for `ADDRESS:PORT` or `NETWORK:PORT`; undefined for any other text. */
function netRights(text: string): readonly string[] | undefined {
  const [, range = "", digits] = /^(.*\/\d+):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const network = parseNetwork(range);
  // Deno has no rights to IPv6 networks.
  if (network?.family === "ipv4" && port >= 1 && port <= 65_535) return [networkRight(network, port)];
  const portal = parsePortal(text, 0);
  if (portal === undefined || portal.port === 0 || addressFamily(portal.address) === undefined) {
    return undefined;
  }
  const { address } = portal;
  if (formatPortal(address, portal.port) !== text && !text.startsWith("[")) return undefined;
  return portalRights(address === "0.0.0.0" ? { ...portal, address: "::" } : portal);
}

/** Returns a path in its shortest form, without a slash at the end. */
function plainPath(path: string): string {
  const plain = normalize(path);
  return plain.length > 1 && plain.endsWith("/") ? plain.slice(0, -1) : plain;
}

function encodedLength(text: string): number {
  return new TextEncoder().encode(text).length;
}
