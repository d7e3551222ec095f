import { statfsSync } from "node:fs";
import { largestFileBytes } from "./file_size_limit.ts";

/** The file system of a path, or of the file to create there. */
export interface FileSystem {
  readonly device: number;
  /** The kernel's number of the type (`f_type` of statfs). */
  readonly type: number;
  readonly availableBytes: number;
  /** The size of the largest file; undefined when every LUN fits, or when it is unknown. */
  readonly fileBytesMax: number | undefined;
}

/** The file systems of a survey. What does not change is found once for each. */
export class FileSystems {
  readonly #samples: ReadonlyMap<number, string>;
  readonly #limits = new Map<number, number | undefined>();

  /** @param samples paths of files that probably exist, by which the limits of their file systems are found */
  constructor(samples: readonly string[]) {
    this.#samples = new Map(samples.flatMap((path) => {
      const info = fileAt(path);
      return info === undefined ? [] : [[info.dev, path] as const];
    }));
  }

  /**
   * Returns the file system of an existing path.
   *
   * @throws {Error} when the path cannot be inspected
   */
  at(path: string): FileSystem {
    const { dev: device, isFile } = Deno.statSync(path);
    const { type, bavail, bsize } = statfsSync(path);
    if (!this.#limits.has(device)) {
      const sample = isFile ? path : this.#samples.get(device);
      this.#limits.set(device, largestFileBytes({ type, blockBytes: bsize, sample }));
    }
    return { device, type, availableBytes: bavail * bsize, fileBytesMax: this.#limits.get(device) };
  }
}

function fileAt(path: string): Deno.FileInfo | undefined {
  try {
    const info = Deno.statSync(path);
    return info.isFile ? info : undefined;
  } catch {
    return undefined;
  }
}
