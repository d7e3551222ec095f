import type { Config } from "../config/config.ts";
import { DEVICES_FOLDER } from "./block_device.ts";
import { isInside } from "./is_inside.ts";

/** Returns the paths of a conf's logical units that are not block devices. */
export function backingFilesOf({ targets }: Config): string[] {
  return targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ path }) => path))
    .filter((path) => !isInside(DEVICES_FOLDER, path));
}
