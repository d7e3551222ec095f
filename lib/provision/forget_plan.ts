import { resolve } from "@std/path";
import type { Config } from "../config/config.ts";
import { nearestWord } from "../config/nearest_word.ts";
import { DEVICES_FOLDER } from "./block_device.ts";
import { openToLock, takeFileLock } from "./file_lock.ts";
import { identityKey, pathOfKey } from "./identity/identity_key.ts";
import type { Identities } from "./identity/identities.ts";
import { isInside } from "./is_inside.ts";
import { describeLockOwner, findLockOwner } from "./lock_owner.ts";
import { fileKey } from "./own_files.ts";
import { reasonOf } from "./provision_error.ts";
import { identitiesFileOf, stateFolderOf } from "./state_folder.ts";
import { StorageLock } from "./storage_lock.ts";
import { type Entry, type Survey, survey } from "./survey.ts";

/** A backing file that may be deleted. */
export interface ForgettableFile {
  readonly path: string;
  /** Its key among the recorded identities. */
  readonly key: string;
  /** Null for a file that is missing already. */
  readonly sizeBytes: number | null;
  readonly allocatedBytes: number | null;
}

/** The files that may be deleted, and why others may not. */
export interface ForgetPlan {
  readonly files: readonly ForgettableFile[];
  /** All recorded identities. */
  readonly identities: Identities;
  /** Messages for the user; with one of them nothing is deleted. */
  readonly problems: readonly string[];
}

/**
 * Plans the deletion of backing files. It changes nothing.
 *
 * @param names paths: absolute, relative to the storage folder as in the conf, or to the current folder
 */
export function planForget(config: Config, names: readonly string[]): ForgetPlan {
  return planIn(survey(config), config, names);
}

function planIn(found: Survey, config: Config, names: readonly string[]): ForgetPlan {
  const { storage } = config;
  if (found.recorded.kind !== "recorded") {
    const problem = `Cannot read "${identitiesFileOf(storage)}": ${found.recorded.reason}`;
    return { files: [], identities: new Map(), problems: [problem] };
  }
  const { identities } = found.recorded;
  const isRecorded = (path: string): boolean => identities.has(identityKey(found.storage, path));
  const paths = new Set(names.map((name) => {
    const candidates = [resolve(storage, name), ...fromCurrentFolder(name)];
    return candidates.find(isRecorded) ?? candidates[0]!;
  }));
  const files: ForgettableFile[] = [];
  const problems: string[] = [];
  for (const path of paths) {
    const key = identityKey(found.storage, path);
    const problem = findUse(path, config, found) ?? findObstacle(path, key, { survey: found, identities });
    if (problem !== undefined) problems.push(`Cannot forget "${path}": ${problem}`);
    else files.push({ path, key, ...sizesOf(found.places.get(pathOfKey(storage, key))?.entry) });
  }
  return { files, identities, problems };
}

/** Returns the names of all files that may be deleted, as `planForget` takes them. */
export function findForgettable(config: Config): readonly string[] {
  const found = survey(config);
  const names = found.recorded.kind === "recorded" ? [...found.recorded.identities.keys()] : [];
  return planIn(found, config, names).files.map(({ key }) => key);
}

/** Returns the path that a shell completes; none without the right to the current folder. */
function fromCurrentFolder(name: string): string[] {
  try {
    return [resolve(name)];
  } catch {
    return [];
  }
}

/** Returns the logical unit of the conf that uses a file, also by another name; undefined for none. */
function findUse(path: string, { targets }: Config, { storage, places }: Survey): string | undefined {
  const key = identityKey(storage, path);
  const inode = inodeOf(entryAt(path));
  for (const { name, logicalUnits } of targets) {
    for (const unit of logicalUnits) {
      const isSame = identityKey(storage, unit.path) === key ||
        (inode !== undefined && inodeOf(places.get(unit.path)?.entry) === inode);
      if (isSame) return `it is LUN ${unit.number} of [${name}]; remove that from the conf first`;
    }
  }
  return undefined;
}

/** Returns why a file that the conf does not use must not be deleted; undefined when it may be. */
function findObstacle(
  path: string,
  key: string,
  { survey: { storage }, identities }: { readonly survey: Survey; readonly identities: Identities },
): string | undefined {
  const info = lstatOr(path);
  if (isInside(DEVICES_FOLDER, path) || info?.isBlockDevice === true) {
    return "it is a block device, and only files are deleted";
  }
  if (info?.isSymlink === true) return "it is a symbolic link, and only files are deleted";
  if (info !== undefined && !info.isFile) return "it is not a file";
  const realPath = realPathOr(path);
  if (!isInside(storage.realPath, realPath)) {
    return `it is not in the storage folder "${storage.path}"; delete it by hand`;
  }
  if (!identities.has(key)) return describeUnknown(path, key, identities);
  return info === undefined ? undefined : findServer(path, info, storage.path);
}

function describeUnknown(path: string, key: string, identities: Identities): string {
  const nearest = nearestWord(key, [...identities.keys()]);
  const hint = nearest === undefined ? "" : `; did you mean "${nearest}"?`;
  return lstatOr(path) === undefined
    ? `there is no such backing file${hint}`
    : `"iscsi build" did not make it${hint}`;
}

/** Returns which process has locked a file, as servers do; undefined when none has. */
function findServer(path: string, info: Deno.FileInfo, storage: string): string | undefined {
  try {
    using file = openToLock(path);
    return takeFileLock(file) ? undefined : describeServer(info, storage);
  } catch (error) {
    return reasonOf(error);
  }
}

function describeServer(info: Deno.FileInfo, storage: string): string {
  const server = StorageLock.holder(stateFolderOf(storage), "serve");
  const owner = findLockOwner(info);
  // An unknown owner is most likely the running server.
  if (server !== undefined && (owner === undefined || owner.pid === server.holderPid)) {
    return 'the running server still serves it; run "iscsi reload" first';
  }
  return `${describeLockOwner(owner)} has locked it, probably another server; stop that first`;
}

function sizesOf(entry: Entry | undefined): Pick<ForgettableFile, "sizeBytes" | "allocatedBytes"> {
  return entry?.kind === "file"
    ? { sizeBytes: entry.sizeBytes, allocatedBytes: entry.allocatedBytes }
    : { sizeBytes: null, allocatedBytes: null };
}

function entryAt(path: string): Entry | undefined {
  const info = lstatOr(path);
  if (info === undefined || !info.isFile) return undefined;
  return {
    kind: "file",
    sizeBytes: info.size,
    allocatedBytes: 0,
    device: info.dev,
    inode: info.ino ?? 0,
  };
}

function inodeOf(entry: Entry | undefined): string | undefined {
  return entry?.kind === "file" ? fileKey(entry) : undefined;
}

function lstatOr(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch {
    return undefined;
  }
}

/** Returns the path of a file, or of the file that would be there, with every symbolic link resolved. */
function realPathOr(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    const parent = resolve(path, "..");
    return parent === path ? path : resolve(realPathOr(parent), path.slice(parent.length).replace(/^\//, ""));
  }
}
