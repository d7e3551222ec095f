import type { Config } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import { DEVICES_FOLDER } from "./block_device.ts";
import { examine } from "./examine.ts";
import { isInside } from "./is_inside.ts";
import { survey } from "./survey.ts";

/**
 * Finds what `build` and `serve` refuse because a path of the conf does not lead to the disk that it names: this
 * program's own files, images, files of other programs, lost disks. What this user may not look at is left out, and so
 * is what else may be wrong with a disk: a conf is checked on other machines too. Changes nothing.
 */
export function findMistakenFiles(config: Config): Diagnostic[] {
  const targets = config.targets.map((target) => {
    const logicalUnits = target.logicalUnits.filter(({ path }) => !isInside(DEVICES_FOLDER, path));
    return { ...target, logicalUnits };
  });
  const files = { ...config, targets };
  const diagnostics = new Diagnostics(config.file);
  for (const { line, message, isMistaken } of examine(files, survey(files)).problems) {
    if (isMistaken === true) diagnostics.error(line, message);
  }
  return diagnostics.toArray();
}
