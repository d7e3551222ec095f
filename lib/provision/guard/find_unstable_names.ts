import type { Config } from "../../config/config.ts";
import type { Problem } from "../examine/examine.ts";
import { isUnstableName } from "../stable_name.ts";
import type { Survey } from "../survey.ts";

/** Finds block devices by names that may lead to another device when the machine starts again, or on another one. */
export function findUnstableNames({ targets }: Config, { places }: Survey): Problem[] {
  return targets.flatMap(({ logicalUnits }) => logicalUnits).flatMap(({ path, line }) => {
    const entry = places.get(path)?.entry;
    if (entry?.kind !== "blockDevice" || !isUnstableName(path)) return [];
    const remedy = entry.stablePath === undefined
      ? "use a name in /dev/disk or /dev/mapper"
      : `set "file" to "${entry.stablePath}" before initiators use it (a LUN at another path has another identity)`;
    return [{
      line,
      message: `Block device "${path}" may be another one after a restart or on another machine: ${remedy}`,
    }];
  });
}
