import { statfsSync } from "node:fs";
import type { SpaceFigures } from "../scsi/pages/provisioning.ts";

/** A block of `Deno.FileInfo.blocks`, whatever the file system's are. */
export const STAT_BLOCK_BYTES = 512;

/** What backing files take of their file systems, and what is left there, by their paths. */
export function measureSpace(paths: readonly string[]): Map<string, SpaceFigures> {
  const figures = new Map<string, SpaceFigures>();
  for (const path of paths) {
    try {
      const { isFile, blocks } = Deno.statSync(path);
      // What a block device takes is no file system's.
      if (!isFile) continue;
      const { bavail, bsize } = statfsSync(path);
      const usedBytes = (blocks ?? 0) * STAT_BLOCK_BYTES;
      figures.set(path, { usedBytes, availableBytes: bavail * bsize });
    } catch {
      // A file that cannot be looked at has no figures; what is wrong with it, its reads and writes will say.
    }
  }
  return figures;
}
