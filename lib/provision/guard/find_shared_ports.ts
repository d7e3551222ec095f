/** Disks that share a port, and with it the target worker that one of them may block. */
import type { Config, LogicalUnitConfig } from "../../config/config.ts";
import { portsOf, shareOf } from "../../config/port_share.ts";
import { DEVICES_FOLDER } from "../block_device.ts";
import type { Problem } from "../examine/examine.ts";
import { isInside } from "../is_inside.ts";
import type { Survey } from "../survey.ts";

/**
 * Finds ports whose LUNs are on several disks: file systems, or block devices. One problem for each port.
 *
 * @param exists returns whether this machine has a path; a conf is also checked on others
 */
export function findSharedPorts(
  config: Config,
  { places }: Pick<Survey, "places">,
  exists: (path: string) => boolean,
): Problem[] {
  const diskOf = ({ path }: LogicalUnitConfig): string | undefined => {
    if (isInside(DEVICES_FOLDER, path)) return exists(path) ? path : undefined;
    return places.get(path)?.fileSystem?.device.toString();
  };
  return portsOf(config).flatMap((port) => {
    const units = shareOf(config, port).targets.flatMap(({ name, logicalUnits }) =>
      logicalUnits.map((unit) => ({ name, unit, disk: diskOf(unit) }))
    ).filter(({ disk }) => disk !== undefined);
    const [first] = units;
    const other = units.find(({ disk, name }) => disk !== first!.disk && name !== first!.name);
    if (other === undefined) return [];
    const message =
      `"${first!.unit.path}" and "${other.unit.path}" are on different disks and share port ${port}: ` +
      `a disk that hangs stops both; give [${other.name}] its own "port"`;
    return [{ line: other.unit.line, message }];
  });
}
