import { ACCESS, type Access } from "./access.ts";
import { refused } from "./finished.ts";
import type { LogicalUnit } from "./logical_unit.ts";
import type { Finished } from "./operation.ts";
import { Sense } from "./sense.ts";

/** Why the medium cannot be accessed in this way as it is; undefined when it can. */
export function refuseMediumAccess(access: Access, unit: LogicalUnit): Finished | undefined {
  const { needsMedium, changesMedium } = ACCESS[access];
  if (!needsMedium) return undefined;
  const { notReady } = unit;
  if (notReady !== undefined) return refused(notReady);
  if (!changesMedium) return undefined;
  if (unit.writeProtected) return refused(Sense.writeProtected);
  return unit.modes.softwareWriteProtected ? refused(Sense.logicalUnitSoftwareWriteProtected) : undefined;
}
