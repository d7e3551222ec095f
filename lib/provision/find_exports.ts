import type { Config, LogicalUnitConfig } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import type { Identity } from "../scsi/identity.ts";
import type { DeviceExport } from "./device_nodes.ts";
import { examine } from "./examine.ts";
import type { Backing } from "./examine_backing.ts";
import { identityKey } from "./identity_key.ts";
import { survey } from "./survey.ts";

/** A logical unit that can be served. */
export interface Export {
  /** The backing file or block device, as in the conf. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly identity: Identity;
}

/** What a conf and the disk together have to serve. */
export interface Exports {
  /** By backing path; complete exactly when there is no error. */
  readonly exports: ReadonlyMap<string, Export>;
  /** Those of them that are block devices. */
  readonly devices: readonly DeviceExport[];
  readonly errors: readonly Diagnostic[];
}

/** Finds everything that a server needs to know of the disk, or why it cannot serve the conf. Changes nothing. */
export function findExports(config: Config): Exports {
  const disk = survey(config);
  const diagnostics = new Diagnostics(config.file);
  const exports = new Map<string, Export>();
  const { problems, backings } = examine(config, disk);
  for (const { line, message } of problems) diagnostics.error(line, message);
  // Without a list of identities, which is a problem above, there is no telling which logical unit has none.
  const identities = disk.recorded.kind === "recorded" ? disk.recorded.identities : undefined;
  for (const [unit, backing] of backings) {
    const { path, sizeBytes } = unit;
    const identity = identities?.get(identityKey(disk.storage, path));
    const lacksIdentity = identities !== undefined && identity === undefined;
    const lack = whatIsMissing(unit, backing) ?? (lacksIdentity ? "it has no identity" : undefined);
    if (lack !== undefined) {
      diagnostics.error(unit.line, `Cannot serve "${path}": ${lack}; run "iscsi build"`);
    } else if (identity !== undefined) exports.set(path, { path, sizeBytes, identity });
  }
  const devices = config.targets.flatMap(({ readOnly, logicalUnits }) =>
    logicalUnits.filter((unit) => backings.get(unit)?.state === "device").map(({ path }) => ({
      path,
      readOnly,
    }))
  );
  return { exports, devices, errors: diagnostics.toArray() };
}

function whatIsMissing(unit: LogicalUnitConfig, backing: Backing): string | undefined {
  if (backing.state === "missing") return "it does not exist";
  if (backing.state === "short") return `file is ${unit.sizeBytes - backing.fileBytes} bytes short`;
  return undefined;
}
