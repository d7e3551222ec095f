import { statfsSync } from "node:fs";
import type { Config } from "../config/config.ts";
import { growthBytesPerDay, type SpaceSample } from "./growth_history.ts";
import { STAT_BLOCK_BYTES } from "./measure_space.ts";
import type { FileSpace, FileSystemSpace, SpaceReport } from "../control/server_status.ts";

/** A path on a file system. */
interface Place {
  readonly path: string;
  /** The number of the file system. */
  readonly device: number;
}

/** A backing file with its space. */
interface MeasuredFile extends Place {
  readonly allocatedBytes: number;
}

/** Returns the space that the backing files of a conf take, and its growth. */
export function reportSpace(config: Config, history: readonly SpaceSample[], atMs: number): SpaceReport {
  const measured = new Map(measure(config).map((file) => [file.path, file]));
  const files = pathsOf(config).map((path): FileSpace => {
    const file = measured.get(path);
    if (file === undefined) return { path, allocatedBytes: null, growthBytesPerDay: null };
    const { allocatedBytes } = file;
    const growth = growthBytesPerDay(history, path, { atMs, allocatedBytes });
    return { path, allocatedBytes, growthBytesPerDay: growth ?? null };
  });
  const places = Map.groupBy([...placeOf(config.storage), ...measured.values()], ({ device }) => device);
  const byDevice = Map.groupBy(files, ({ path }) => measured.get(path)?.device);
  const fileSystems = [...places].flatMap(([device, [first]]) =>
    describeFileSystem(first!.path, byDevice.get(device) ?? [])
  );
  return { files, fileSystems };
}

/** Returns a sample of the space that the backing files of a conf take now. */
export function takeSample(config: Config, atMs: number): SpaceSample {
  const allocatedBytes = measure(config).map((file) => [file.path, file.allocatedBytes]);
  return { atMs, allocatedBytes: Object.fromEntries(allocatedBytes) };
}

function measure(config: Config): MeasuredFile[] {
  return pathsOf(config).flatMap((path) => {
    try {
      const { isFile, blocks, dev } = Deno.statSync(path);
      return isFile ? [{ path, device: dev, allocatedBytes: (blocks ?? 0) * STAT_BLOCK_BYTES }] : [];
    } catch {
      // Reads and writes report the fault of the file.
      return [];
    }
  });
}

function pathsOf({ targets }: Config): string[] {
  return targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ path }) => path));
}

function placeOf(path: string): Place[] {
  try {
    return [{ path, device: Deno.statSync(path).dev }];
  } catch {
    return [];
  }
}

function describeFileSystem(path: string, files: readonly FileSpace[]): FileSystemSpace[] {
  try {
    const { bavail, blocks, bsize } = statfsSync(path);
    const growths = files.map((file) => file.growthBytesPerDay);
    const isKnown = growths.length > 0 && growths.every((growth) => growth !== null);
    const growthBytesPerDay = isKnown ? growths.reduce((sum, growth) => sum + growth!, 0) : null;
    const availableBytes = bavail * bsize;
    const fullInDays = growthBytesPerDay !== null && growthBytesPerDay > 0
      ? availableBytes / growthBytesPerDay
      : null;
    return [{ path, totalBytes: blocks * bsize, availableBytes, growthBytesPerDay, fullInDays }];
  } catch {
    return [];
  }
}
