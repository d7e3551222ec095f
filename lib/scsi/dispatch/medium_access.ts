import { ACCESS, type Access } from "./access.ts";
import { refused } from "../outcome/finished.ts";
import type { LogicalUnit } from "../logical_unit.ts";
import type { Finished } from "../outcome/operation.ts";
import { Sense } from "../outcome/sense.ts";

/**
 * Refuses a command of this class that the medium, or the state of its reservations, does not allow; undefined
 * otherwise.
 */
export function refuseMediumAccess(access: Access, unit: LogicalUnit): Finished | undefined {
  const { needsMedium, changesMedium, needsReservations } = ACCESS[access];
  if (!needsMedium) {
    const isRefused = needsReservations && unit.reservations.areUnknown;
    return isRefused ? refused(Sense.manualInterventionRequired) : undefined;
  }
  const { notReady } = unit;
  if (notReady !== undefined) return refused(notReady);
  if (!changesMedium) return undefined;
  if (unit.writeProtected) return refused(Sense.writeProtected);
  return unit.modes.softwareWriteProtected ? refused(Sense.logicalUnitSoftwareWriteProtected) : undefined;
}
