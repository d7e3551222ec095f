import { join } from "@std/path";
import { readBlockDevice } from "./block_device.ts";
import { makeFolder, removeFolder } from "./passing_folder.ts";
import { ProvisionError } from "./provision_error.ts";
import { runHelper } from "./run_helper.ts";
import { devicesFolderOf, stateFolderOf } from "./state_folder.ts";

/** A block device that is to be served. */
export interface DeviceExport {
  /** As in the conf. */
  readonly path: string;
  readonly readOnly: boolean;
}

/** What to do when the kernel refuses to open a node, by errno. */
const OPEN_REMEDIES: Readonly<Record<number, (storage: string) => string>> = {
  1: () => "; allow the device to this container or unit",
  13: (storage) => `; mount the file system of "${stateFolderOf(storage)}" without "nodev"`,
};

/**
 * The block devices' nodes in the state folder, through which they are opened: Deno opens nothing in /dev without
 * all rights, and a node elsewhere like any file. So the worker reaches the devices of the conf and no other, and
 * that with its right to the storage folder alone.
 *
 * A node names its device by number, and numbers are given anew when a device goes and comes. A server that has a
 * device open keeps its number; nodes from before mean nothing and are removed.
 */
export class DeviceNodes {
  readonly #storage: string;
  readonly #folder: string;
  readonly #nodes = new Set<string>();

  constructor(storage: string) {
    this.#storage = storage;
    this.#folder = devicesFolderOf(storage);
  }

  /**
   * Makes the nodes that there are not yet, and returns the nodes' paths by those of the devices.
   *
   * @throws {ProvisionError} when the system refuses one, or to open it
   */
  extend(devices: readonly DeviceExport[]): ReadonlyMap<string, string> {
    if (devices.length > 0) makeFolder(this.#folder);
    return new Map(devices.map((device) => [device.path, this.#nodeOf(device)]));
  }

  /**
   * Removes every node, be it from an earlier process.
   *
   * @throws {ProvisionError} when the system refuses
   */
  remove(): void {
    removeFolder(this.#folder);
    this.#nodes.clear();
  }

  [Symbol.dispose](): void {
    this.remove();
  }

  #nodeOf({ path, readOnly }: DeviceExport): string {
    const device = readBlockDevice(path);
    if (typeof device === "string") throw new ProvisionError(`Cannot serve "${path}": it is ${device}`);
    const { major, minor } = device;
    const node = join(this.#folder, `${major}:${minor}`);
    if (!this.#nodes.has(node)) makeNode(node, path, major, minor);
    this.#nodes.add(node);
    try {
      Deno.openSync(node, { read: true, write: !readOnly }).close();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const remedy = OPEN_REMEDIES[Number(/\(os error (\d+)\)/.exec(reason)?.[1])]?.(this.#storage) ?? "";
      throw new ProvisionError(`Cannot open block device "${path}": ${reason}${remedy}`, { cause: error });
    }
    return node;
  }
}

function makeNode(node: string, path: string, major: number, minor: number): void {
  const { success, stderr } = runHelper("mknod", ["-m", "600", node, "b", `${major}`, `${minor}`]);
  if (success) return;
  throw new ProvisionError(
    `Cannot make a node for block device "${path}": ${stderr}; run it as root, with CAP_MKNOD`,
  );
}
