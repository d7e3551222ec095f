import { ProvisionError } from "./provision_error.ts";
import { runHelper } from "./run_helper.ts";

/**
 * Where the system keeps its devices. Deno lets nobody look at or open what lies there, not even with the right to
 * read that very path: that takes all rights there are, which this program is not given.
 */
export const DEVICES_FOLDER = "/dev";

/** A block device, as the kernel knows it. */
export interface BlockDevice {
  /** Its number, which may be another one after the next boot. */
  readonly major: number;
  readonly minor: number;
  readonly sizeBytes: number;
  readonly isWriteProtected: boolean;
  /** Where it, or something that lies on it such as a partition, is mounted on this machine. */
  readonly mountPoint: string | undefined;
}

/**
 * Looks at the block device that `path` leads to, or says what is there instead. Nobody needs to be root for that.
 *
 * @throws {ProvisionError} when `lsblk` does not tell
 */
export function readBlockDevice(path: string): BlockDevice | string {
  const columns = "MAJ:MIN,SIZE,RO,MOUNTPOINT";
  const args = ["--raw", "--noheadings", "--bytes", "--output", columns, path];
  const { stdout, stderr } = runHelper("lsblk", args);
  const device = parseBlockDevice(stdout);
  if (device !== undefined) return device;
  if (stderr.includes("not a block device")) return "not a block device, or does not exist";
  if (stdout === "" && stderr === "") return "a block device without a medium";
  throw new ProvisionError(stderr === "" ? `lsblk: unknown answer ${JSON.stringify(stdout)}` : stderr);
}

/** Takes the answer of `lsblk` apart: a line for the device, and one for each thing that lies on it. */
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

/** Undoes the escapes of `lsblk --raw`: `\x20` is a space. */
function unescapeRaw(text: string): string {
  const bytes = [...text.matchAll(/\\x([0-9a-f]{2})|[^]/g)].flatMap(([all, hex]) =>
    hex === undefined ? [...new TextEncoder().encode(all)] : [Number.parseInt(hex, 16)]
  );
  return new TextDecoder().decode(Uint8Array.from(bytes));
}
