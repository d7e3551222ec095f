import { join } from "@std/path";
import { readBlockDevice } from "./block_device.ts";
import { ProvisionError } from "./provision_error.ts";
import { reasonOf } from "./reason_of.ts";
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
  readonly #devices: readonly DeviceExport[];

  constructor(storage: string, devices: readonly DeviceExport[]) {
    this.#storage = storage;
    this.#devices = devices;
  }

  /**
   * Makes every node anew, and returns the nodes' paths by those of the devices.
   *
   * @throws {ProvisionError} when the system refuses one, or to open it
   */
  renew(): ReadonlyMap<string, string> {
    this.remove();
    if (this.#devices.length === 0) return new Map();
    const folder = devicesFolderOf(this.#storage);
    try {
      Deno.mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      throw new ProvisionError(`Cannot create folder "${folder}": ${reasonOf(error)}`, { cause: error });
    }
    return new Map(this.#devices.map((device) => [device.path, this.#makeNode(folder, device)]));
  }

  /**
   * Removes every node, be it from an earlier process.
   *
   * @throws {ProvisionError} when the system refuses
   */
  remove(): void {
    const folder = devicesFolderOf(this.#storage);
    try {
      Deno.removeSync(folder, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      throw new ProvisionError(`Cannot remove folder "${folder}": ${reasonOf(error)}`, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.remove();
  }

  #makeNode(folder: string, { path, readOnly }: DeviceExport): string {
    const device = readBlockDevice(path);
    if (typeof device === "string") throw new ProvisionError(`Cannot serve "${path}": it is ${device}`);
    const { major, minor } = device;
    const node = join(folder, `${major}:${minor}`);
    const { success, stderr } = runHelper("mknod", ["-m", "600", node, "b", `${major}`, `${minor}`]);
    if (!success) {
      throw new ProvisionError(
        `Cannot make a node for block device "${path}": ${stderr}; run it as root, with CAP_MKNOD`,
      );
    }
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
