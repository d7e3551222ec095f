import type { Config } from "../../config/config.ts";
import type { FileSpace, FileSystemSpace, SpaceReport } from "../../control/server_status.ts";
import { growthBytesPerDay, type SpaceSample } from "./growth_history.ts";
import type { PlaceFigures } from "./measure_space.ts";

/** Measured paths: backing files and devices, and the storage folder. */
export type Measured = ReadonlyMap<string, PlaceFigures>;

/** Returns the paths of a conf to measure. */
export function placesOf(config: Config): string[] {
  return [config.storage, ...pathsOf(config)];
}

/** Returns the space that the backing files of a conf take, and its growth. */
export function reportSpace(
  config: Config,
  measured: Measured,
  history: readonly SpaceSample[],
  atMs: number,
): SpaceReport {
  const files = pathsOf(config).map((path): FileSpace => {
    const { isFile, usedBytes: allocatedBytes } = measured.get(path) ?? NOT_MEASURED;
    if (!isFile) return { path, allocatedBytes: null, growthBytesPerDay: null };
    const growth = growthBytesPerDay(history, path, { atMs, allocatedBytes });
    return { path, allocatedBytes, growthBytesPerDay: growth ?? null };
  });
  const isOnFileSystem = (path: string): boolean => path === config.storage || measured.get(path)!.isFile;
  const places = placesOf(config).filter((path) => measured.has(path) && isOnFileSystem(path));
  const byDevice = Map.groupBy(files, ({ path }) => measured.get(path)?.device);
  const fileSystems = [...Map.groupBy(places, (path) => measured.get(path)!.device)].map((
    [device, [first]],
  ) => describeFileSystem(first!, measured.get(first!)!, byDevice.get(device) ?? []));
  return { files, fileSystems };
}

const NOT_MEASURED = { isFile: false, usedBytes: 0 } as const;

/** Returns a sample of the space that the backing files of a conf take. */
export function takeSample(config: Config, measured: Measured, atMs: number): SpaceSample {
  const allocatedBytes = pathsOf(config).flatMap((path) => {
    const { isFile, usedBytes } = measured.get(path) ?? NOT_MEASURED;
    return isFile ? [[path, usedBytes] as const] : [];
  });
  return { atMs, allocatedBytes: Object.fromEntries(allocatedBytes) };
}

function pathsOf({ targets }: Config): string[] {
  return targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ path }) => path));
}

function describeFileSystem(
  path: string,
  { totalBytes, availableBytes }: PlaceFigures,
  files: readonly FileSpace[],
): FileSystemSpace {
  const growths = files.map((file) => file.growthBytesPerDay);
  const isKnown = growths.length > 0 && growths.every((growth) => growth !== null);
  const growthBytesPerDay = isKnown ? growths.reduce((sum, growth) => sum + growth!, 0) : null;
  const fullInDays = growthBytesPerDay !== null && growthBytesPerDay > 0
    ? availableBytes / growthBytesPerDay
    : null;
  return { path, totalBytes, availableBytes, growthBytesPerDay, fullInDays };
}
