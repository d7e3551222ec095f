/**
 * The disk that both nodes have: a file system in a file behind a loop device. Both nodes see the same device, as they
 * would see a disk with two cables.
 */
import { basename } from "@std/path";
import { delay } from "../../lib/base/delay.ts";
import { runToolOk } from "../support/tools.ts";
import type { Node } from "./_node.ts";
import { STORAGE } from "./_cluster_conf.ts";

const DISK_BYTES = 128 * 1024 * 1024;

const TURNS_MAX = 500;
const TURN_MS = 20;

/** A loop device, until this process ends. */
export class SharedDisk {
  readonly device: string;
  /** Keeps the device, which the kernel releases with the last handle. */
  readonly #handle: Deno.FsFile;

  private constructor(device: string, handle: Deno.FsFile) {
    this.device = device;
    this.#handle = handle;
  }

  /** Makes the file, the device and an empty file system. */
  static async make(path: string): Promise<SharedDisk> {
    Deno.writeFileSync(path, new Uint8Array(0));
    Deno.truncateSync(path, DISK_BYTES);
    const device = (await runToolOk("losetup", ["--find", "--show", path])).trim();
    const handle = Deno.openSync(device);
    // In use, it is only marked: the kernel detaches it with its last handle, however this process ends.
    await runToolOk("losetup", ["--detach", device]);
    // A device keeps this from whatever had its number before.
    await runToolOk("blockdev", ["--setrw", device]);
    await runToolOk("mkfs.ext4", ["-q", device]);
    return new SharedDisk(device, handle);
  }

  /** Has the file system at its path, in this process's mount namespace, for a task. */
  async whileMounted(task: () => Promise<void>): Promise<void> {
    await runToolOk("mount", ["-t", "tmpfs", "test", "/srv"]);
    Deno.mkdirSync(STORAGE);
    await runToolOk("mount", [this.device, STORAGE]);
    try {
      await task();
    } finally {
      await runToolOk("umount", [STORAGE]);
      await runToolOk("umount", ["/srv"]);
    }
  }

  /** Loses all that the node has written and not yet flushed, as a loss of power does. Nothing can write it later. */
  async loseCache(node: Node): Promise<void> {
    const { code, stderr } = await node.run("xfs_io", ["-x", "-c", "shutdown", STORAGE]);
    if (code !== 0) throw new Error(`Cannot lose the cache of ${node.name}: ${stderr}`);
  }

  /** Waits until no node has the file system mounted. */
  async untilReleased(): Promise<void> {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      if (!this.#isMounted()) return;
      await delay(TURN_MS);
    }
    throw new Error(`${this.device} stays mounted`);
  }

  /** Detaches the device. */
  close(): void {
    this.#handle.close();
  }

  #isMounted(): boolean {
    try {
      return Deno.statSync(`/sys/fs/ext4/${basename(this.device)}`).isDirectory;
    } catch {
      return false;
    }
  }
}
