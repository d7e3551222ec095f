import type { Config, LogicalUnitConfig } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import type { Identity } from "../scsi/identity.ts";
import type { Backing } from "./backing.ts";
import { examine } from "./examine.ts";
import { identityKey } from "./identity_key.ts";
import { isOfDisk, type RecordedIdentity } from "./recorded_identity.ts";
import { survey } from "./survey.ts";
import type { DeviceExport } from "./worker_links.ts";

/** A logical unit that can be served. */
export interface Export {
  /** The backing file or block device, as in the conf. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly identity: Identity;
}

/** A logical unit that cannot be served now. */
export interface UnavailableExport {
  readonly line: number;
  readonly sizeBytes: number;
  /** Undefined when it was not built: then initiators cannot be told which disk it is. */
  readonly identity: Identity | undefined;
  /** For the user, with the remedy. */
  readonly reason: string;
}

/** What a conf and the disk together have to serve. */
export interface Exports {
  /** By backing path. */
  readonly exports: ReadonlyMap<string, Export>;
  /** Those of them that are block devices. */
  readonly devices: readonly DeviceExport[];
  /** By backing path. */
  readonly unavailable: ReadonlyMap<string, UnavailableExport>;
  /** Why nothing at all can be served. */
  readonly errors: readonly Diagnostic[];
}

/** Finds everything that a server needs to know of the disk, or why it cannot serve the conf. Changes nothing. */
export function findExports(config: Config): Exports {
  const disk = survey(config);
  const diagnostics = new Diagnostics(config.file);
  const exports = new Map<string, Export>();
  const unavailable = new Map<string, UnavailableExport>();
  const { problems, backings } = examine(config, disk);
  // Without a list of identities, which is a problem of all units, there is no telling which of them has none.
  const identities = disk.recorded.kind === "recorded" ? disk.recorded.identities : undefined;
  const recordOf = (path: string): RecordedIdentity | undefined =>
    identities?.get(identityKey(disk.storage, path));
  for (const { line, message, unit } of problems) {
    if (unit === undefined) diagnostics.error(line, message);
    else {
      const { path, sizeBytes } = unit;
      unavailable.set(path, { line, sizeBytes, identity: toIdentity(recordOf(path)), reason: message });
    }
  }
  for (const [unit, backing] of backings) {
    const { path, sizeBytes, line } = unit;
    const recorded = recordOf(path);
    const identity = toIdentity(recorded);
    const lack = whatIsMissing(unit, backing) ?? whatIdentityLacks(recorded);
    if (lack !== undefined) {
      const reason = `Cannot serve "${path}": ${lack}; run "iscsi build"`;
      unavailable.set(path, { line, sizeBytes, identity, reason });
    } else if (identity !== undefined) exports.set(path, { path, sizeBytes, identity });
  }
  const isBuilt = exports.size > 0 || unavailable.values().some(({ identity }) => identity !== undefined);
  if (!diagnostics.hasErrors && !isBuilt) {
    for (const { line, reason } of unavailable.values()) diagnostics.error(line, reason);
  }
  const devices = config.targets.flatMap(({ readOnly, logicalUnits }) =>
    logicalUnits.filter((unit) => exports.has(unit.path) && backings.get(unit)?.state === "device")
      .map(({ path }) => ({ path, readOnly }))
  );
  return { exports, devices, unavailable, errors: diagnostics.toArray() };
}

function whatIsMissing(unit: LogicalUnitConfig, backing: Backing): string | undefined {
  if (backing.state === "missing") return "it does not exist";
  if (backing.state === "short") return `file is ${unit.sizeBytes - backing.fileBytes} bytes short`;
  return undefined;
}

/** Returns what initiators know a disk by; undefined when its file is still being made, and it could yet change. */
function toIdentity(recorded: RecordedIdentity | undefined): Identity | undefined {
  return isOfDisk(recorded) ? { naa: recorded.naa, serialNumber: recorded.serialNumber } : undefined;
}

function whatIdentityLacks(recorded: RecordedIdentity | undefined): string | undefined {
  if (recorded === undefined) return "it has no identity";
  return isOfDisk(recorded) ? undefined : "its build was interrupted";
}
