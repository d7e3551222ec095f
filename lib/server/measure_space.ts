import { statfsSync } from "node:fs";
import type { SpaceFigures } from "../scsi/pages/provisioning.ts";

/** Bytes in a block of `Deno.FileInfo.blocks`, which is independent of the file system's block size. */
export const STAT_BLOCK_BYTES = 512;

/** Returns the used and available space of backing files, by their paths. */
export function measureSpace(paths: readonly string[]): Map<string, SpaceFigures> {
  const figures = new Map<string, SpaceFigures>();
  for (const path of paths) {
    try {
      const { isFile, blocks } = Deno.statSync(path);
      // A block device takes no space of a file system.
      if (!isFile) continue;
      const { bavail, bsize } = statfsSync(path);
      const usedBytes = (blocks ?? 0) * STAT_BLOCK_BYTES;
      figures.set(path, { usedBytes, availableBytes: bavail * bsize });
    } catch {
      // A file without access has no figures. Reads and writes report its fault.
    }
  }
  return figures;
}
