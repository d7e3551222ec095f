/** Block devices that give space back: thin volumes, RBD images, virtual disks, flash. */
import { readBlockDevice } from "../../provision/block_device.ts";
import type { HelperGuard } from "../../provision/helper_guard.ts";
import { ProvisionError } from "../../provision/provision_error.ts";
import type { FileIdentity } from "./pinned_file.ts";

/** The least granule of a thin volume: the smallest chunk of a pool (dm-thin). */
const THIN_CHUNK_BYTES_MIN = 65_536;

/** A device that can discard. */
export interface DiscardingDevice {
  /** Identifies the device like a file on a file system of its own. */
  readonly identity: FileIdentity;
  /** The path of a node of the device, which the worker cannot replace. */
  readonly node: string;
  /**
   * It is a volume whose discarded blocks are known to read as zeros, but whose driver refuses `fallocate`. Discarded
   * blocks of other devices may read as anything, and even change.
   */
  readonly isThinVolume: boolean;
}

/**
 * Returns the device at a path if it can discard, with a node for programs; undefined if it cannot.
 *
 * @throws {ProvisionError} when it cannot be examined, or no node can be made
 */
export function findDiscardingDevice(
  path: string,
  guard: Pick<HelperGuard, "linkTo" | "runNow">,
): DiscardingDevice | undefined {
  const device = readBlockDevice(path);
  if (typeof device === "string" || device.discardBytesMax === 0) return undefined;
  const { major, minor, sizeBytes, isMapped, discardGranuleBytes } = device;
  const node = guard.linkTo(path);
  const { success, stderr } = guard.runNow("mknod", ["-m", "600", node, "b", `${major}`, `${minor}`]);
  if (!success) throw new ProvisionError(stderr);
  // No file system has a negative number.
  const identity = { device: -(major * 2 ** 20 + minor) - 1, inode: null, sizeBytes };
  return { identity, node, isThinVolume: isMapped && discardGranuleBytes >= THIN_CHUNK_BYTES_MIN };
}
