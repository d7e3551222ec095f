import { type Config, DEFAULT_CONF_FILE, type LogicalUnitConfig } from "../config/config.ts";
import type { Diagnostic } from "../config/diagnostic.ts";
import { Diagnostics } from "../config/diagnostics.ts";
import type { Identity } from "../scsi/identity.ts";
import { type BlockDevice, DEVICES_FOLDER } from "./block_device.ts";
import type { Backing } from "./examine/backing.ts";
import { examine } from "./examine/examine.ts";
import { identityKey } from "./identity/identity_key.ts";
import { isInside } from "./is_inside.ts";
import { isOfDisk, type RecordedIdentity } from "./identity/recorded_identity.ts";
import { type Entry, survey } from "./survey.ts";
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
  /** Undefined for a unit that was not built, which initiators cannot identify. */
  readonly identity: Identity | undefined;
  /** A message for the user, with the remedy. */
  readonly reason: string;
}

/** The logical units of a conf, divided into those that can be served and those that cannot. */
export interface Exports {
  /** By backing path. */
  readonly exports: ReadonlyMap<string, Export>;
  /** The exports that are block devices. */
  readonly devices: readonly DeviceExport[];
  /** The states of all block devices, by backing path: number and ability to discard; null where there is none now. */
  readonly deviceStates: ReadonlyMap<string, string | null>;
  /** By backing path. */
  readonly unavailable: ReadonlyMap<string, UnavailableExport>;
  /** The reasons why nothing can be served. */
  readonly errors: readonly Diagnostic[];
}

/** Finds the logical units that a server can serve, or the reasons why it can serve none. Changes nothing. */
export function findExports(config: Config): Exports {
  const disk = survey(config);
  const diagnostics = new Diagnostics(config.file);
  const exports = new Map<string, Export>();
  const unavailable = new Map<string, UnavailableExport>();
  const { problems, backings } = examine(config, disk);
  // Unreadable identities are a problem of all units, so none is reported as lacking one.
  const identities = disk.recorded.kind === "recorded" ? disk.recorded.identities : undefined;
  const recordOf = (path: string): RecordedIdentity | undefined =>
    identities?.get(identityKey(disk.storage, path));
  for (const { line, message, unit, isTwin = false } of problems) {
    if (unit === undefined) diagnostics.error(line, message);
    else {
      const { path, sizeBytes } = unit;
      unavailable.set(path, {
        line,
        sizeBytes,
        identity: isTwin ? undefined : toIdentity(recordOf(path)),
        reason: message,
      });
    }
  }
  for (const [unit, backing] of backings) {
    const { path, sizeBytes, line } = unit;
    if (unavailable.has(path)) continue;
    const recorded = recordOf(path);
    const identity = toIdentity(recorded);
    const fault = backingFault(unit, backing) ?? identityFault(recorded);
    if (fault !== undefined) {
      const reason = `Cannot serve "${path}": ${fault}; run "${buildCommand(config)}"`;
      unavailable.set(path, { line, sizeBytes, identity, reason });
    } else if (identity !== undefined) exports.set(path, { path, sizeBytes, identity });
  }
  const isBuilt = exports.size > 0 || unavailable.values().some(({ identity }) => identity !== undefined);
  if (!diagnostics.hasErrors && !isBuilt) {
    for (const { line, reason } of unavailable.values()) diagnostics.error(line, reason);
  }
  const devices = config.targets.flatMap(({ readOnly, logicalUnits }) =>
    logicalUnits.flatMap(({ path }) => {
      const { entry } = disk.places.get(path)!;
      return exports.has(path) && entry.kind === "blockDevice" ? [toDevice({ path, readOnly }, entry)] : [];
    })
  );
  const deviceStates = new Map<string, string | null>();
  for (const { path, entry } of disk.places.values()) {
    if (entry.kind === "blockDevice") deviceStates.set(path, stateOf(entry));
    else if (entry.kind === "special" && isInside(DEVICES_FOLDER, path)) deviceStates.set(path, null);
  }
  return { exports, devices, deviceStates, unavailable, errors: diagnostics.toArray() };
}

function stateOf({ major, minor, discardBytesMax }: BlockDevice): string {
  return `${major}:${minor}${discardBytesMax === 0 ? "" : ", discards"}`;
}

/** A device that is only read also conflicts with a server that writes a part of it. */
function toDevice(
  { path, readOnly }: { readonly path: string; readonly readOnly: boolean },
  { major, minor, below, parts }: Entry & { readonly kind: "blockDevice" },
): DeviceExport {
  const above = readOnly ? parts.map((name) => ({ path: `${DEVICES_FOLDER}/${name}`, isDevice: true })) : [];
  return { path, readOnly, number: `${major}:${minor}`, layers: [...below, ...above] };
}

/** Returns the command that builds the conf. */
function buildCommand({ file }: Config): string {
  return file === DEFAULT_CONF_FILE ? "iscsi build" : `iscsi build --conf ${file}`;
}

function backingFault(unit: LogicalUnitConfig, backing: Backing): string | undefined {
  if (backing.state === "missing") return "it does not exist";
  if (backing.state === "short") return `file is ${unit.sizeBytes - backing.fileBytes} bytes short`;
  return undefined;
}

/** Returns the identity that initiators see; undefined while the file is being made, because it could still change. */
function toIdentity(recorded: RecordedIdentity | undefined): Identity | undefined {
  return isOfDisk(recorded) ? { naa: recorded.naa, serialNumber: recorded.serialNumber } : undefined;
}

function identityFault(recorded: RecordedIdentity | undefined): string | undefined {
  if (recorded === undefined) return "it has no identity";
  return isOfDisk(recorded) ? undefined : "its build was interrupted";
}
