import {
  findLoopObstacle,
  findMountObstacle,
  findNodeObstacle,
  findSysfsObstacle,
} from "../support/obstacles.ts";
import { runToolOk, testWithTools, type Tool } from "./tools.ts";

/** The size of a loop device. */
export const DEVICE_BYTES = 16 * 1024 ** 2;

/** A file as a block device. */
export class LoopDevice {
  readonly file: string;
  readonly path: string;

  private constructor(file: string, path: string) {
    this.file = file;
    this.path = path;
  }

  /** @throws when the system has no loop devices, or does not give one to us */
  static attach(...options: readonly string[]): LoopDevice {
    return LoopDevice.attachIn("/tmp", ...options);
  }

  /** Makes the file of the device in a folder. */
  static attachIn(dir: string, ...options: readonly string[]): LoopDevice {
    const file = Deno.makeTempFileSync({ dir, prefix: "iscsi-loop-" });
    Deno.truncateSync(file, DEVICE_BYTES);
    const args = ["--find", "--show", ...options, file];
    const { success, stdout, stderr } = new Deno.Command("losetup", { args }).outputSync();
    if (success) return new LoopDevice(file, new TextDecoder().decode(stdout).trim());
    Deno.removeSync(file);
    throw new Error(new TextDecoder().decode(stderr).trim());
  }

  /** Reads data that an initiator has left on the device. Call it when the server has ended. */
  read(offset: number, length: number): Uint8Array {
    return Deno.readFileSync(this.file).slice(offset, offset + length);
  }

  /** Makes two partitions of 4 MB, and returns their paths. The device must have been attached with `--partscan`. */
  async divide(): Promise<readonly [first: string, second: string]> {
    // Not every kernel reads tables of partitions.
    for (const [number, block] of [["1", "2048"], ["2", "16384"]] as const) {
      await runToolOk("addpart", [this.path, number, block, "8192"]);
    }
    return [`${this.path}p1`, `${this.path}p2`];
  }

  /** Changes the size of the device. */
  resize(sizeBytes: number): void {
    Deno.truncateSync(this.file, sizeBytes);
    new Deno.Command("losetup", { args: ["--set-capacity", this.path] }).outputSync();
  }

  [Symbol.dispose](): void {
    new Deno.Command("losetup", { args: ["--detach", this.path] }).outputSync();
    Deno.removeSync(this.file);
  }
}

/** The reason why this machine cannot serve loop devices; undefined when it can. */
export const LOOP_OBSTACLE = findMountObstacle() ?? findNodeObstacle() ?? findSysfsObstacle() ??
  findLoopObstacle();

/** Registers a test that serves loop devices. */
export function testWithDevice(name: string, tools: readonly Tool[], fn: () => Promise<void>): void {
  if (LOOP_OBSTACLE === undefined) testWithTools(name, tools, fn);
  else Deno.test({ name: `${name} (${LOOP_OBSTACLE})`, ignore: true, fn });
}
