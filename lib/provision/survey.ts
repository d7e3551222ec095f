/** A survey of the disk for a conf: everything that the plan depends on. It changes nothing. */
import { dirname, join } from "@std/path";
import type { Config } from "../config/config.ts";
import { type BlockDevice, DEVICES_FOLDER, readBlockDevice } from "./block_device.ts";
import { type DeviceStorage, readDeviceStorage } from "./device_storage.ts";
import { type FileSystem, FileSystems } from "./file_systems.ts";
import { findFormerStorages, type FormerStorage } from "./former_storage.ts";
import { findUnmounted } from "./fstab.ts";
import { findStrangers } from "./strangers.ts";
import { type FileFormat, findFileFormat, FORMAT_BYTES } from "./examine/file_format.ts";
import { identityKey, pathOfKey } from "./identity/identity_key.ts";
import { isInside } from "./is_inside.ts";
import { type FileNumbers, findOwnFiles, type OwnFiles, programPath } from "./own_files.ts";
import { isAbsence } from "./is_absence.ts";
import { readIdentities, type RecordedIdentities } from "./read_identities.ts";
import { isOfDisk } from "./identity/recorded_identity.ts";
import { findLockReach } from "./lock_reach.ts";
import { findStablePath, isUnstableName } from "./stable_name.ts";
import { lockPath } from "./storage_lock.ts";
import { identitiesFileOf, stateFolderOf } from "./state_folder.ts";
import { reasonOf } from "./provision_error.ts";

/** The entry at a path, with symbolic links resolved. */
export type Entry =
  | { readonly kind: "missing" }
  /** A symbolic link to a path that does not exist, or to itself. */
  | { readonly kind: "danglingLink"; readonly leadsTo: string }
  | {
    readonly kind: "file";
    readonly sizeBytes: number;
    /** The space that it takes on the disk. */
    readonly allocatedBytes: number;
    /** The format of its content. It is detected only for files without a recorded identity. */
    readonly format?: FileFormat;
  } & FileNumbers
  | {
    readonly kind: "blockDevice";
    /** A path that stays the same, of a device at one that does not; undefined where none is known. */
    readonly stablePath?: string | undefined;
  }
    & BlockDevice
    & DeviceStorage
  | { readonly kind: "folder"; /** Permission bits. */ readonly mode: number }
  | { readonly kind: "special"; /** Such as `a socket`. */ readonly name: string }
  | { readonly kind: "unreadable"; readonly reason: string };

/** A folder above a path. */
export interface Ancestor {
  readonly path: string;
  readonly isFolder: boolean;
  /** This program was compiled for the storage folder, and has no right to the folder above it. */
  readonly isForbidden?: true;
}

/** A path, its entry and its surroundings. */
export interface Place {
  readonly path: string;
  readonly entry: Entry;
  /**
   * The path with every symbolic link resolved, also for a missing entry. Links in /dev are not resolved: they belong
   * to the system, and a device is identified by its number.
   */
  readonly realPath: string;
  /** The nearest ancestor that exists: the parent folder, unless folders are missing in between. */
  readonly ancestor: Ancestor;
  /** Undefined for a device, and for an entry whose file system is unknown. */
  readonly fileSystem: FileSystem | undefined;
}

/** The state of the disk that the plan depends on. */
export interface Survey {
  readonly storage: Place;
  readonly stateFolder: Place;
  readonly recorded: RecordedIdentities;
  readonly ownFiles: OwnFiles;
  /** The names in the storage folder that are not of this conf. Sought only where no identity is recorded. */
  readonly strangers: readonly string[];
  /** The storage folders that this one may have replaced. Sought only where no identity is recorded. */
  readonly formerStorages: readonly FormerStorage[];
  /** The storage folders that have disks with identities of this one. The caller of `survey` seeks them. */
  readonly twinStorages: readonly FormerStorage[];
  /** The mount points of fstab(5) above these places at which nothing is mounted. */
  readonly unmounted: readonly string[];
  /** The reason to distrust locks in the storage folder; undefined where there is none. Sought only on request. */
  readonly lockFault: string | undefined;
  /** The places of all paths in the conf and in the recorded identities, by path. */
  readonly places: ReadonlyMap<string, Place>;
}

/** Options of `survey`. */
export interface SurveyOptions {
  /** The findings of `findTwinStorages`; none by default. */
  readonly twinStorages?: readonly FormerStorage[];
  /** Examines the locks of the storage folder's file system, which may run a program. */
  readonly examinesLocks?: boolean;
}

/** Surveys the disk for a conf. Problems become part of the result. */
export function survey(
  config: Config,
  { twinStorages = [], examinesLocks = false }: SurveyOptions = {},
): Survey {
  const identitiesFile = identitiesFileOf(config.storage);
  // While a build makes its first files, its lock is the only file on a new file system.
  const buildLock = lockPath(stateFolderOf(config.storage), "build");
  const fileSystems = new FileSystems([config.file, programPath(), identitiesFile, buildLock]);
  const inspect = (path: string): Place => inspectPath(path, fileSystems);
  const storage = inspect(config.storage);
  const stateFolder = inspect(stateFolderOf(config.storage));
  const recorded = readIdentities(identitiesFile);
  const identities = recorded.kind === "recorded" ? recorded.identities : undefined;
  const paths = config.targets.flatMap((target) => target.logicalUnits.map((unit) => unit.path));
  const unused = [...identities?.keys() ?? []].map((key) => pathOfKey(config.storage, key));
  // Initiators may write anything to a disk, so the format of a recorded disk means nothing.
  const unrecorded = identities === undefined
    ? []
    : paths.filter((path) => !isOfDisk(identities.get(identityKey(storage, path))));
  const places = new Map([...new Set([...paths, ...unused])].map((path) => [path, inspect(path)]));
  for (const path of unrecorded) places.set(path, detectFormat(places.get(path)!));
  return {
    storage,
    stateFolder,
    recorded,
    ownFiles: findOwnFiles(config),
    strangers: identities?.size === 0 ? findStrangers(config, storage) : [],
    unmounted: findUnmounted([config.storage, ...paths]),
    twinStorages,
    formerStorages: identities?.size === 0 ? findFormerStorages(config.storage) : [],
    lockFault: examinesLocks ? lockFaultOf(storage) : undefined,
    places,
  };
}

function lockFaultOf({ entry, realPath, ancestor, fileSystem }: Place): string | undefined {
  return fileSystem && findLockReach(entry.kind === "folder" ? realPath : ancestor.path).fault;
}

function inspectPath(path: string, fileSystems: FileSystems): Place {
  if (isInside(DEVICES_FOLDER, path)) return inspectDevice(path);
  const ancestor = nearestAncestor(path);
  const entry = entryAt(path);
  const realPath = entry.kind === "missing" || entry.kind === "danglingLink" || entry.kind === "unreadable"
    ? join(realPathOr(ancestor.path), path.slice(ancestor.path.length))
    : realPathOr(path);
  const fileSystem = entry.kind === "file" || entry.kind === "folder"
    ? fileSystems.at(path)
    : entry.kind === "missing" && ancestor.isFolder
    ? fileSystems.at(ancestor.path)
    : undefined;
  return { path, entry, realPath, ancestor, fileSystem };
}

/** Adds the format of a file's content to its place. */
function detectFormat(place: Place): Place {
  const { path, entry } = place;
  if (entry.kind !== "file" || entry.sizeBytes === 0) return place;
  try {
    using file = Deno.openSync(path, { read: true });
    const head = readBytes(file, 0);
    const tail = readBytes(file, Math.max(entry.sizeBytes - FORMAT_BYTES, 0));
    const format = findFileFormat(head, tail);
    return format === undefined ? place : { ...place, entry: { ...entry, format } };
  } catch (error) {
    return { ...place, entry: { kind: "unreadable", reason: reasonOf(error) } };
  }
}

/** Reads up to `FORMAT_BYTES` at an offset. */
function readBytes(file: Deno.FsFile, offset: number): Uint8Array {
  file.seekSync(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(FORMAT_BYTES);
  let length = 0;
  while (length < FORMAT_BYTES) {
    const count = file.readSync(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

/** Inspects a path in the folder of devices, where Deno inspects nothing. */
function inspectDevice(path: string): Place {
  const ancestor = { path: dirname(path), isFolder: true };
  return { path, entry: deviceEntry(path), realPath: path, ancestor, fileSystem: undefined };
}

function deviceEntry(path: string): Entry {
  try {
    const device = readBlockDevice(path);
    if (typeof device === "string") return { kind: "special", name: device };
    const stablePath = isUnstableName(path) ? findStablePath(path) : undefined;
    const storage = readDeviceStorage(path);
    const multipath = device.multipath ?? multipathOf(storage.disk);
    return { kind: "blockDevice", ...device, ...storage, multipath, stablePath };
  } catch (error) {
    return { kind: "unreadable", reason: reasonOf(error) };
  }
}

/** Returns the multipath map that the disk of a partition is a path of. */
function multipathOf(disk: string | undefined): string | undefined {
  const device = disk === undefined ? disk : readBlockDevice(disk);
  return typeof device === "object" ? device.multipath : undefined;
}

function entryAt(path: string): Entry {
  try {
    return toEntry(path, Deno.statSync(path));
  } catch (error) {
    if (!isAbsence(error)) return { kind: "unreadable", reason: reasonOf(error) };
    return danglingLinkAt(path) ?? { kind: "missing" };
  }
}

function toEntry(path: string, info: Deno.FileInfo): Entry {
  if (info.isFile) {
    const allocatedBytes = (info.blocks ?? 0) * 512;
    return { kind: "file", sizeBytes: info.size, allocatedBytes, device: info.dev, inode: info.ino ?? 0 };
  }
  if (info.isDirectory) return { kind: "folder", mode: (info.mode ?? 0) & 0o7777 };
  if (info.isBlockDevice === true) return deviceEntry(path);
  if (info.isSocket === true) return { kind: "special", name: "a socket" };
  if (info.isFifo === true) return { kind: "special", name: "a named pipe" };
  return { kind: "special", name: "a character device" };
}

function danglingLinkAt(path: string): Entry | undefined {
  try {
    return { kind: "danglingLink", leadsTo: Deno.readLinkSync(path) };
  } catch {
    return undefined;
  }
}

function nearestAncestor(path: string): Place["ancestor"] {
  const parent = dirname(path);
  if (parent === path) return { path, isFolder: true };
  try {
    return { path: parent, isFolder: Deno.statSync(parent).isDirectory };
  } catch (error) {
    if (isAbsence(error) && danglingLinkAt(parent) === undefined) return nearestAncestor(parent);
    const isForbidden = error instanceof Deno.errors.NotCapable;
    return { path: parent, isFolder: false, ...(isForbidden ? { isForbidden } : {}) };
  }
}

function realPathOr(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}
