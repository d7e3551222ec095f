import type { Config, LogicalUnitConfig } from "../../config/config.ts";
import { identityOf } from "../../config/disk.ts";
import { identityKey } from "../identity/identity_key.ts";
import type { Survey } from "../survey.ts";

/** A problem of a logical unit, at its line of the conf. */
interface SharedIdentity {
  readonly line: number;
  readonly message: string;
  readonly unit: LogicalUnitConfig;
  readonly isTwin: true;
}

/**
 * Finds logical units that initiators would take for one disk, because the conf gives one the identity that is recorded
 * for another. `parseConfig` finds two that the conf itself makes equal.
 */
export function findSharedIdentities(config: Config, { storage, recorded }: Survey): SharedIdentity[] {
  if (recorded.kind !== "recorded") return [];
  const problems: SharedIdentity[] = [];
  const holders = new Map<string, string>();
  for (const { name, disk, logicalUnits } of config.targets) {
    for (const unit of logicalUnits) {
      const own = recorded.identities.get(identityKey(storage, unit.path)) ?? { naa: "", serialNumber: "" };
      const { naa, serialNumber } = identityOf(disk, unit, own);
      const label = `LUN ${unit.number} of [${name}]`;
      for (const mark of [`NAA identifier "${naa.toLowerCase()}"`, `serial number "${serialNumber}"`]) {
        if (mark.endsWith('""')) continue;
        const holder = holders.get(mark);
        if (holder === undefined) holders.set(mark, `${label} (line ${unit.line})`);
        else {
          const problem = `${holder} has it already, and initiators would take both for one disk`;
          const remedy = 'change "naa" or "serial" of one of them';
          problems.push({
            line: unit.line,
            unit,
            isTwin: true,
            message: `Cannot use ${mark} for ${label}: ${problem}; ${remedy}`,
          });
        }
      }
    }
  }
  return problems;
}
