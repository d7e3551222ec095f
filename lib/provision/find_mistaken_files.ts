import type { Config } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import { DEVICES_FOLDER } from "./block_device.ts";
import { examine } from "./examine/examine.ts";
import { isInside } from "./is_inside.ts";
import { survey } from "./survey.ts";

/**
 * Finds the paths of a conf that do not lead to the disk that they name, and that `build` and `serve` therefore refuse:
 * this program's own files, images, files of other programs, lost disks. Files that this user may not access, and other
 * problems with a disk, are left out, because a conf is also checked on other machines. Changes nothing.
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
