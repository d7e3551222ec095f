import type { Config, LogicalUnitConfig } from "../config/config.ts";
import { readBlockDevice } from "./block_device.ts";
import { identityKey } from "./identity/identity_key.ts";
import type { Identities } from "./identity/identities.ts";
import { ProvisionError } from "./provision_error.ts";
import { readIdentities } from "./read_identities.ts";
import { identitiesFileOf } from "./state_folder.ts";

/**
 * Returns a conf in which each LUN that is as large as its block device has the size of that: whole blocks. Where there
 * is no device, it is the size that the last build has recorded, or 0 without a record.
 */
export function measureDevices(config: Config): Config {
  const follows = ({ followsDevice }: LogicalUnitConfig): boolean => followsDevice === true;
  if (!config.targets.some(({ logicalUnits }) => logicalUnits.some(follows))) return config;
  const read = readIdentities(identitiesFileOf(config.storage));
  const identities: Identities = read.kind === "recorded" ? read.identities : new Map();
  const storage = { path: config.storage, realPath: config.storage };
  const measure = (unit: LogicalUnitConfig, blockSizeBytes: number): LogicalUnitConfig => {
    const sizeBytes = sizeOf(unit.path) ?? identities.get(identityKey(storage, unit.path))?.sizeBytes ?? 0;
    return { ...unit, sizeBytes: sizeBytes - sizeBytes % blockSizeBytes };
  };
  const targets = config.targets.map((target) => {
    const { disk: { blockSizeBytes }, logicalUnits } = target;
    const measured = logicalUnits.map((unit) => follows(unit) ? measure(unit, blockSizeBytes) : unit);
    return { ...target, logicalUnits: measured };
  });
  return { ...config, targets };
}

function sizeOf(path: string): number | undefined {
  try {
    const device = readBlockDevice(path);
    return typeof device === "string" ? undefined : device.sizeBytes;
  } catch (error) {
    // Without a size the unit has a problem that the examination reports.
    if (error instanceof ProvisionError) return undefined;
    throw error;
  }
}
