/** File systems of their own for tests: small enough to be filled to the last block. */
import { findLoopObstacle, findMountObstacle } from "./obstacles.ts";
import { findMissing, runToolOk, testWithTools, type Tool } from "./tools.ts";

interface FileSystemKind {
  readonly sizeBytes: number;
  readonly makeArguments: readonly string[];
  readonly tool: Tool;
}

const MB = 1024 ** 2;

/** The kinds, each of nearly the smallest size that its program makes. */
const KINDS = {
  ext4: { sizeBytes: 8 * MB, makeArguments: ["-q", "-m", "0"], tool: "mkfs.ext4" },
  xfs: { sizeBytes: 300 * MB, makeArguments: ["-q"], tool: "mkfs.xfs" },
  btrfs: { sizeBytes: 128 * MB, makeArguments: ["-q"], tool: "mkfs.btrfs" },
} as const satisfies Record<string, FileSystemKind>;

/** One of the kinds. */
export type FileSystemName = keyof typeof KINDS;

/** A file system in a file, mounted. */
export class SmallFileSystem {
  /** The mount point. */
  readonly folder: string;
  readonly #image: string;
  #fillers = 0;

  private constructor(folder: string, image: string) {
    this.folder = folder;
    this.#image = image;
  }

  /**
   * @param imageFolder the folder of the disk below: when that is full, the disk fails
   * @throws {Error} (rejects) when the system does not let us
   */
  static async mount(name: FileSystemName, imageFolder?: string): Promise<SmallFileSystem> {
    const { sizeBytes, makeArguments, tool } = KINDS[name];
    const dir = imageFolder === undefined ? {} : { dir: imageFolder };
    const image = Deno.makeTempFileSync({ prefix: "iscsi-fs-", ...dir });
    const folder = Deno.makeTempDirSync({ prefix: "iscsi-" });
    const fileSystem = new SmallFileSystem(folder, image);
    try {
      Deno.truncateSync(image, sizeBytes);
      await runToolOk(tool, [...makeArguments, image]);
      await runToolOk("mount", ["-o", "loop", image, folder]);
      return fileSystem;
    } catch (error) {
      fileSystem.#remove();
      throw error;
    }
  }

  /** Fills it until no file with a byte in it can be made. */
  async fill(): Promise<void> {
    for (let bytes = 256 * MB; bytes >= 4096;) {
      const path = `${this.folder}/filler-${++this.#fillers}`;
      const { success } = await new Deno.Command("fallocate", {
        args: ["--length", String(bytes), path],
        stderr: "null",
      }).output();
      if (success) continue;
      removeIfPresent(path);
      bytes /= 2;
    }
    while (canMakeFile(`${this.folder}/filler-${++this.#fillers}`)) { /* the last blocks go one by one */ }
  }

  /** Gives back what `fill` has taken. */
  empty(): void {
    for (; this.#fillers > 0; this.#fillers--) removeIfPresent(`${this.folder}/filler-${this.#fillers}`);
  }

  /** Unmounts it, even while a test that failed has left something open. */
  async [Symbol.asyncDispose](): Promise<void> {
    await runToolOk("umount", ["--lazy", this.folder]);
    this.#remove();
  }

  #remove(): void {
    Deno.removeSync(this.folder);
    Deno.removeSync(this.#image);
  }
}

/** Registers a test on a file system of its own; where there can be none it is ignored, with the reason in its name. */
export function testOnFileSystem(
  name: string,
  kind: FileSystemName,
  fn: (fileSystem: SmallFileSystem) => Promise<void>,
): void {
  const obstacle = findObstacle(kind);
  const tools: readonly Tool[] = [KINDS[kind].tool, "fallocate"];
  if (obstacle !== undefined && findMissing(tools) === undefined) {
    return Deno.test({ name: `${name} (${obstacle})`, ignore: true, fn: () => {} });
  }
  testWithTools(name, tools, async () => {
    await using fileSystem = await SmallFileSystem.mount(kind);
    await fn(fileSystem);
  });
}

/** Returns the reason why a file system cannot be mounted here; undefined when it can. */
export function findObstacle(kind: FileSystemName): string | undefined {
  if (Deno.uid() !== 0) return "takes root";
  const isKnown = Deno.readTextFileSync("/proc/filesystems").includes(`\t${kind}\n`);
  if (!isKnown && !new Deno.Command("modprobe", { args: [kind] }).outputSync().success) {
    return `the kernel has no ${kind}`;
  }
  return findLoopObstacle() ?? findMountObstacle();
}

function canMakeFile(path: string): boolean {
  try {
    using file = Deno.openSync(path, { write: true, createNew: true });
    file.writeSync(Uint8Array.of(1));
    file.syncSync();
    return true;
  } catch {
    removeIfPresent(path);
    return false;
  }
}

function removeIfPresent(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
