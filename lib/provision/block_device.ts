import { ProvisionError } from "./provision_error.ts";
import { unescapeRaw } from "./raw_text.ts";
import { runHelper } from "./run_helper.ts";

/**
 * The folder of the device nodes. Deno opens and inspects nothing in it without all rights, even with the right to read
 * the exact path, and this program does not have all rights.
 */
export const DEVICES_FOLDER = "/dev";

/** The folder of the names of volumes and multipath maps, which the system keeps. */
export const MAPPER_FOLDER = "/dev/mapper";

/** The kernel's description of a block device. */
export interface BlockDevice {
  /** The device number. It may change at the next boot. */
  readonly major: number;
  readonly minor: number;
  readonly sizeBytes: number;
  readonly isWriteProtected: boolean;
  /** The mount point of the device, or of something on it, such as a partition; undefined when nothing is mounted. */
  readonly mountPoint: string | undefined;
  /** Something other than a partition that this system has made of the device, `vg0-data (lvm)`, or else undefined. */
  readonly holder: string | undefined;
  /** The content of the device or of a part, `ext4` or `LVM2_member`; undefined when none is known. */
  readonly content: string | undefined;
  /** The most bytes that one request can discard; 0 for a device that cannot discard. */
  readonly discardBytesMax: number;
  /** The least bytes that a request discards. */
  readonly discardGranuleBytes: number;
  /** A volume of the device mapper. */
  readonly isMapped: boolean;
  /** The name of the multipath map that the device is a path of; undefined for any other device. */
  readonly multipath: string | undefined;
  /** The kernel's names of everything on the device, such as partitions: `sda1`. */
  readonly parts: readonly string[];
}

/**
 * Returns the block device at `path`, or a description of anything else there. Works without root.
 *
 * @throws {ProvisionError} when `lsblk` fails
 */
export function readBlockDevice(path: string): BlockDevice | string {
  const columns = "MAJ:MIN,SIZE,RO,MOUNTPOINT,TYPE,FSTYPE,NAME,DISC-MAX,DISC-GRAN,KNAME";
  const args = ["--raw", "--noheadings", "--bytes", "--output", columns, path];
  const { stdout, stderr } = runHelper("lsblk", args);
  const device = parseBlockDevice(stdout);
  if (device !== undefined) return device;
  if (stderr.includes("not a block device")) return "not a block device, or does not exist";
  if (stdout === "" && stderr === "") return "a block device without a medium";
  throw new ProvisionError(stderr === "" ? `lsblk: unexpected output ${JSON.stringify(stdout)}` : stderr);
}

/** Parses the output of `lsblk`: a line for the device, and one for everything on it. */
export function parseBlockDevice(text: string): BlockDevice | undefined {
  const [device, ...parts] = text.split("\n").filter((line) => line !== "").map(parseLine);
  if (device === undefined) return undefined;
  const all = [device, ...parts.filter((part) => part !== undefined)];
  const holder = all.slice(1).find(({ type }) => type !== "" && type !== PARTITION);
  const { number, sizeBytes, isWriteProtected } = device;
  const [major = 0, minor = 0] = number.split(":").map(Number);
  return {
    major,
    minor,
    sizeBytes,
    isWriteProtected,
    mountPoint: firstText(all.map(({ mountPoint }) => mountPoint)),
    holder: holder && `${holder.name} (${holder.type})`,
    content: firstText(all.map(({ content }) => content)),
    discardBytesMax: device.discardBytesMax,
    discardGranuleBytes: device.discardGranuleBytes,
    isMapped: MAPPED.includes(device.type),
    multipath: all.slice(1).find(({ type }) => type === MULTIPATH)?.name,
    parts: all.slice(1).map(({ kernelName }) => kernelName),
  };
}

/** The types of a partition and of a multipath map, and those of volumes of the device mapper. */
const PARTITION = "part";
const MULTIPATH = "mpath";
const MAPPED: readonly string[] = ["lvm", "dm"];

/** A line of `lsblk`; texts are empty where it knows nothing. */
interface DeviceLine {
  readonly number: string;
  readonly sizeBytes: number;
  readonly isWriteProtected: boolean;
  readonly mountPoint: string;
  readonly type: string;
  readonly content: string;
  readonly name: string;
  readonly discardBytesMax: number;
  readonly discardGranuleBytes: number;
  readonly kernelName: string;
}

function parseLine(line: string): DeviceLine | undefined {
  const [all, number = "", size, readOnly, texts = ""] =
    /^ *(\d+:\d+) +(\d+) +([01])(?: (.*))?$/.exec(line) ?? [];
  if (all === undefined) return undefined;
  const [mountPoint = "", type = "", content = "", name = "", most = "", least = "", kernelName = ""] = texts
    .split(" ").map(unescapeRaw);
  return {
    number,
    sizeBytes: Number(size),
    isWriteProtected: readOnly === "1",
    mountPoint,
    type,
    content,
    name,
    discardBytesMax: Number.parseInt(most, 10) || 0,
    discardGranuleBytes: Number.parseInt(least, 10) || 0,
    kernelName,
  };
}

function firstText(texts: readonly string[]): string | undefined {
  return texts.find((text) => text !== "");
}
