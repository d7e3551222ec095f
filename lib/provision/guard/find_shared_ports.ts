/** Disks that share a port, and with it the target worker that one of them may block. */
import type { Config, LogicalUnitConfig } from "../../config/config.ts";
import { portsOf, shareOf } from "../../config/port_share.ts";
import type { Problem } from "../examine/examine.ts";
import type { Place, Survey } from "../survey.ts";

/**
 * Finds ports whose LUNs are on several disks: file systems, or block devices that have no disk in common. One problem
 * for each port. What this machine does not have is left out, because a conf is also checked on others.
 */
export function findSharedPorts(config: Config, { places }: Pick<Survey, "places">): Problem[] {
  const storageOf = ({ path }: LogicalUnitConfig): readonly string[] => storageAt(places.get(path));
  return portsOf(config).flatMap((port) => {
    const units = shareOf(config, port).targets.flatMap(({ name, logicalUnits }) =>
      logicalUnits.map((unit) => ({ name, unit, storage: storageOf(unit) }))
    ).filter(({ storage }) => storage.length > 0);
    const [first] = units;
    const other = units.find(({ storage, name }) =>
      name !== first!.name && !storage.some((key) => first!.storage.includes(key))
    );
    if (other === undefined) return [];
    const message =
      `"${first!.unit.path}" and "${other.unit.path}" are on different disks and share port ${port}: ` +
      `a disk that hangs stops both; give [${other.name}] its own "port"`;
    return [{ line: other.unit.line, message }];
  });
}

/** Returns the keys of all that a disk lies on; none when it is not known. */
function storageAt(place: Place | undefined): readonly string[] {
  if (place?.entry.kind === "blockDevice") return [...place.entry.keys, ...place.entry.belowKeys];
  const device = place?.fileSystem?.device;
  return device === undefined ? [] : [`file system ${device}`];
}
