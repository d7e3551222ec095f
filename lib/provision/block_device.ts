import { ProvisionError } from "./provision_error.ts";
import { runHelper } from "./run_helper.ts";

/**
 * The folder of the device nodes. Deno opens and inspects nothing in it without all rights, even with the right to read
 * the exact path, and this program does not have all rights.
 */
export const DEVICES_FOLDER = "/dev";

/** The kernel's description of a block device. */
export interface BlockDevice {
  /** The device number. It may change at the next boot. */
  readonly major: number;
  readonly minor: number;
  readonly sizeBytes: number;
  readonly isWriteProtected: boolean;
  /** The mount point of the device, or of something on it, such as a partition; undefined when nothing is mounted. */
  readonly mountPoint: string | undefined;
}

/**
 * Returns the block device at `path`, or a description of anything else there. Works without root.
 *
 * @throws {ProvisionError} when `lsblk` fails
 */
export function readBlockDevice(path: string): BlockDevice | string {
  const columns = "MAJ:MIN,SIZE,RO,MOUNTPOINT";
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
  const lines = text.split("\n").map((line) => /^ *(\d+):(\d+) +(\d+) +([01])(?: (.*))?$/.exec(line));
  const [device] = lines;
  if (device === null || device === undefined) return undefined;
  const [, major, minor, size, readOnly] = device;
  const mountPoint = lines.map((line) => line?.[5] ?? "").find((mountPoint) => mountPoint !== "");
  return {
    major: Number(major),
    minor: Number(minor),
    sizeBytes: Number(size),
    isWriteProtected: readOnly === "1",
    mountPoint: mountPoint === undefined ? undefined : unescapeRaw(mountPoint),
  };
}

/** Decodes the escapes of `lsblk --raw`: `\x20` is a space. */
function unescapeRaw(text: string): string {
  const bytes = [...text.matchAll(/\\x([0-9a-f]{2})|[^]/g)].flatMap(([all, hex]) =>
    hex === undefined ? [...new TextEncoder().encode(all)] : [Number.parseInt(hex, 16)]
  );
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
