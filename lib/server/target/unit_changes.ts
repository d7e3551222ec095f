import type { LogicalUnitConfig, TargetConfig } from "../../config/config.ts";
import { type Change, consequenceOf } from "../../config/config_difference.ts";
import type { TargetServerSettings } from "./target_server_settings.ts";

/** The target, number and path of a logical unit that changes. */
export type UnitChange = Pick<Change & { kind: "logicalUnitAdded" }, "target" | "lun" | "path">;

/** A logical unit of a conf, with its target. */
export interface TargetUnit {
  readonly target: TargetConfig;
  readonly unit: LogicalUnitConfig;
}

/** Returns whether a change asks the sessions that it affects to log out. */
export function requiresLogout(change: Change): boolean {
  return ["admitted", "loggedIn", "loggedOut"].includes(consequenceOf(change));
}

/** Returns the logical units that the changes replace, by the names of their targets. */
export function replacedUnits(changes: readonly Change[]): ReadonlyMap<string, readonly UnitChange[]> {
  const replaced = changes.flatMap((change) => change.kind === "logicalUnitReplaced" ? [change] : []);
  return Map.groupBy(replaced, ({ target }) => target);
}

/** Returns the logical units that the changes add, as far as they have an identity. */
export function addedUnits(
  changes: readonly Change[],
  { config: { targets }, identities }: TargetServerSettings,
): TargetUnit[] {
  const byName = new Map(targets.map((target) => [target.name, target]));
  return changes.flatMap((change) => {
    const target = "target" in change ? byName.get(change.target) : undefined;
    if (target === undefined) return [];
    const isNew = (lun: number): boolean =>
      change.kind === "targetAdded" ||
      ((change.kind === "logicalUnitAdded" || change.kind === "logicalUnitReplaced") && change.lun === lun);
    return target.logicalUnits.filter(({ number, path }) => isNew(number) && identities.has(path))
      .map((unit) => ({ target, unit }));
  });
}
