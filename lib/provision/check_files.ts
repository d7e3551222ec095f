import type { Config } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import { examine } from "./examine/examine.ts";
import { findSharedPorts } from "./guard/find_shared_ports.ts";
import { findDoubts } from "./guard/guard_rails.ts";
import { findTwinStorages } from "./former_storage.ts";
import { survey } from "./survey.ts";

/**
 * Finds the paths of a conf that do not lead to the disk that they name, and that `build` and `serve` therefore refuse:
 * this program's own files, images, files of other programs, lost disks, sizes that no file can have, two LUNs on the
 * same storage. Finds also what the conf probably does not mean. Files that this user may not access, and other
 * problems with a disk, are left out, because a conf is also checked on other machines. Changes nothing.
 */
export async function checkFiles(config: Config): Promise<Diagnostic[]> {
  const twinStorages = await findTwinStorages(config.storage);
  const found = survey(config, { twinStorages, examinesLocks: true });
  const mistakes = examine(config, found).problems.filter(({ isMistaken = false }) => isMistaken);
  const { errors, warnings } = findDoubts(config, found, { isElsewhere: true });
  const diagnostics = new Diagnostics(config.file);
  for (const { line, message } of [...mistakes, ...errors]) diagnostics.error(line, message);
  const advice = findSharedPorts(config, found);
  for (const { line, message } of [...warnings, ...advice]) diagnostics.warning(line, message);
  return diagnostics.toArray();
}
