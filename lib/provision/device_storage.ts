/** The storage that a block device lies on, and the names by which the same storage is known. */
import { keyAt } from "./own_files.ts";
import { ProvisionError } from "./provision_error.ts";
import { runHelper } from "./run_helper.ts";
import { unescapeRaw } from "./raw_text.ts";

/** A device or file that another device lies on. */
export interface Layer {
  /** The path at which it can be locked. */
  readonly path: string;
  readonly isDevice: boolean;
}

/** The place of a device in the graph of storage. Two devices overlap when one has a key of what the other lies on. */
export interface DeviceStorage {
  /** Keys that all paths of the same storage share: the number, and the world wide name and serial number of a disk. */
  readonly keys: readonly string[];
  /** The keys of all that it lies on: disks below a partition or volume, the file below a loop device. */
  readonly belowKeys: readonly string[];
  readonly below: readonly Layer[];
  /** The path of the disk, for a partition. */
  readonly disk?: string;
}

/** A device in the listing of `lsblk`. */
interface ListedDevice {
  readonly number: string;
  readonly type: string;
  readonly path: string;
  readonly wwn: string;
  readonly serial: string;
}

const PARTITION = "part";

/** The types of a whole disk. A partition has the world wide name of its disk. */
const WHOLE: readonly string[] = ["disk", "mpath"];

/** Returns the key of a device by its number, `8:1`. */
export function deviceKey(number: string): string {
  return `device ${number}`;
}

/** Returns the key of a file by its `fileKey`. */
export function inodeKey(numbers: string): string {
  return `inode ${numbers}`;
}

/**
 * Returns the place of the block device at a path in the graph of storage.
 *
 * @throws {ProvisionError} when a helper cannot be run
 */
export function readDeviceStorage(path: string): DeviceStorage {
  const [device, ...below] = listBelow(path);
  if (device === undefined) return { keys: [], belowKeys: [], below: [] };
  const loops = [device, ...below].filter(({ type }) => type === "loop");
  const origins = loops.length === 0 ? [] : originsOf(loops);
  const layers = origins.map(({ path, isDevice }): Layer => ({ path, isDevice }));
  return {
    keys: keysOf(device),
    belowKeys: [...below.flatMap(keysOf), ...origins.flatMap(({ keys }) => keys)],
    below: [...below.map(({ path }): Layer => ({ path, isDevice: true })), ...layers],
    ...(device.type === PARTITION && below[0] !== undefined && { disk: below[0].path }),
  };
}

/** Lists the device at a path, and all devices that it lies on. */
function listBelow(path: string): ListedDevice[] {
  const columns = "MAJ:MIN,TYPE,PATH,WWN,SERIAL";
  const args = ["--inverse", "--raw", "--noheadings", "--output", columns, path];
  return parseListing(runHelper("lsblk", args).stdout);
}

/** Parses the output of `lsblk`: a device in each line. */
export function parseListing(text: string): ListedDevice[] {
  const devices = text.split("\n").flatMap((line) => {
    const [all, number = "", texts = ""] = /^ *(\d+:\d+) +(.*)$/.exec(line) ?? [];
    const [type = "", path = "", wwn = "", serial = ""] = texts.split(" ").map(unescapeRaw);
    return all === undefined ? [] : [[number, { number, type, path, wwn, serial }] as const];
  });
  return [...new Map(devices).values()];
}

/** Some makers give all of their disks one world wide name, but not one serial number. */
function keysOf({ number, type, wwn, serial }: ListedDevice): string[] {
  if (wwn === "" || !WHOLE.includes(type)) return [deviceKey(number)];
  return [deviceKey(number), `wwn ${wwn} ${serial.trim()}`.trimEnd()];
}

/** A file or device below a loop device, with its keys and those of what it lies on. */
interface Origin extends Layer {
  readonly keys: readonly string[];
}

function originsOf(loops: readonly ListedDevice[]): Origin[] {
  const args = ["--list", "--raw", "--noheadings", "--output", "NAME,BACK-FILE"];
  const files = parseLoops(listLoops(args));
  return loops.flatMap(({ path }) => {
    const file = files.get(path);
    return file === undefined ? [] : originAt(file);
  });
}

/** Returns the output of `losetup`; none where it is missing, which is no reason to refuse a loop device. */
function listLoops(args: readonly string[]): string {
  try {
    return runHelper("losetup", args).stdout;
  } catch (error) {
    if (error instanceof ProvisionError) return "";
    throw error;
  }
}

/** Parses the output of `losetup`: the paths of backing files, by the paths of their loop devices. */
export function parseLoops(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split("\n").flatMap((line) => {
      const [device = "", file = ""] = line.split(" ").map(unescapeRaw);
      return device === "" || file === "" ? [] : [[device, file] as const];
    }),
  );
}

function originAt(path: string): Origin[] {
  const device = path.startsWith("/dev/") ? listBelow(path) : [];
  if (device.length > 0) {
    return device.map((layer) => ({ path: layer.path, isDevice: true, keys: keysOf(layer) }));
  }
  const numbers = keyAt(path);
  // It has been deleted, or this program has no right to it: then no LUN is there.
  return numbers === undefined ? [] : [{ path, isDevice: false, keys: [inodeKey(numbers)] }];
}
