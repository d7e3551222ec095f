import type { LogicalUnitConfig } from "../config/config.ts";
import { formatSize } from "../config/size.ts";
import type { Problem } from "./examine.ts";
import type { Survey } from "./survey.ts";

interface Demand {
  readonly availableBytes: number;
  /** What the files may yet take when they are written in full. */
  neededBytes: number;
  /** The first logical unit that goes beyond what is free. */
  beyond: LogicalUnitConfig | undefined;
}

/**
 * Compares, for each file system, what its sparse files may yet come to take with what is free. Promising more is
 * allowed, since few disks are ever full, but whoever does it should know.
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
    const message = `More is promised than the file system of "${beyond.path}" has: its LUNs may yet take ` +
      `${formatSize(neededBytes)}, and ${formatSize(availableBytes)} are free`;
    return [{ line: beyond.line, message }];
  });
}
