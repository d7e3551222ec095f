import type { LogicalUnitConfig } from "../../config/config.ts";
import { formatSize } from "../../config/size.ts";
import type { Problem } from "./examine.ts";
import type { Survey } from "../survey.ts";

/** The space of a file system, and the space that its LUNs can still take. */
interface Demand {
  readonly availableBytes: number;
  /** The bytes that the files take when they are written in full, beyond those that they take now. */
  neededBytes: number;
  /** The first logical unit that exceeds the free space. */
  beyond: LogicalUnitConfig | undefined;
}

/**
 * Compares, for each file system, the space that its sparse files can still take with the free space. Overcommitting is
 * allowed, because few disks are ever full, but the administrator must know.
 */
export function findOvercommitments(units: readonly LogicalUnitConfig[], survey: Survey): Problem[] {
  const demands = new Map<number, Demand>();
  for (const unit of units) {
    const { entry, fileSystem } = survey.places.get(unit.path)!;
    if (fileSystem === undefined) continue;
    const { device, availableBytes } = fileSystem;
    const demand = demands.get(device) ?? { availableBytes, neededBytes: 0, beyond: undefined };
    const allocatedBytes = entry.kind === "file" ? entry.allocatedBytes : 0;
    demand.neededBytes += Math.max(unit.sizeBytes - allocatedBytes, 0);
    if (demand.neededBytes > availableBytes) demand.beyond ??= unit;
    demands.set(device, demand);
  }
  return [...demands.values()].flatMap(({ availableBytes, neededBytes, beyond }) => {
    if (beyond === undefined) return [];
    const message =
      `Overcommitted: LUNs may take ${formatSize(neededBytes)}, ${formatSize(availableBytes)} free ` +
      "(thin provisioning)";
    return [{ line: beyond.line, message }];
  });
}
