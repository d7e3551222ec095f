import { dirname, join, relative } from "@std/path";
import type { LogicalUnitConfig } from "../config/config.ts";
import { formatSize } from "../config/size.ts";
import type { BlockDevice } from "./block_device.ts";
import { isInside } from "./is_inside.ts";
import type { Place } from "./survey.ts";

/** What a logical unit's path is good for. */
export type Backing =
  /** Nothing is there yet, and a file can be created. */
  | { readonly state: "missing" }
  /** A file that is too small, and can grow. */
  | { readonly state: "short"; readonly fileBytes: number; readonly allocatedBytes: number }
  /** A file of the right size. */
  | { readonly state: "ready"; readonly allocatedBytes: number }
  /** A block device that is large enough. */
  | { readonly state: "device"; readonly deviceBytes: number };

/** A logical unit's path, and what matters to it. */
export interface Candidate {
  readonly unit: LogicalUnitConfig;
  /** Whether its target is write-protected. */
  readonly readOnly: boolean;
  readonly place: Place;
  readonly storage: Place;
}

/** File systems on which a file takes its whole size at once, by their numbers (`f_type` of statfs). */
const NOT_SPARSE: Readonly<Record<number, string>> = {
  0x4d44: "FAT",
  0x2011bab0: "exFAT",
  0x4244: "HFS",
  0x482b: "HFS+",
};

/** Judges what stands at the path of a logical unit: what it is good for, or as text why it is good for nothing. */
export function examineBacking({ unit, readOnly, place, storage }: Candidate): Backing | string {
  const detour = findDetour(place, storage);
  if (detour !== undefined) return detour;
  const { entry } = place;
  const use = `Cannot use "${unit.path}" as a backing file`;
  switch (entry.kind) {
    case "missing":
      return examineMissing(unit, place, storage);
    case "file":
      return examineFile(unit, place, entry);
    case "blockDevice":
      return examineDevice(unit, entry, readOnly);
    case "folder":
      return `${use}: it is a folder; set "file" to the path of a file`;
    case "special":
      return `${use}: it is ${entry.name}; set "file" to the path of a file`;
    case "danglingLink":
      return `${use}: it is a symbolic link to "${entry.leadsTo}", which leads nowhere; remove the link`;
    case "unreadable":
      return `Cannot look at "${unit.path}": ${entry.reason}`;
  }
}

function examineMissing(unit: LogicalUnitConfig, place: Place, storage: Place): Backing | string {
  const create = `Cannot create "${unit.path}"`;
  const { ancestor } = place;
  if (!ancestor.isFolder) return `${create}: "${ancestor.path}" is not a folder; set "file" to another path`;
  // Below the storage folder, folders are this program's to make; elsewhere a missing one is a typing error, or a
  // file system that is not mounted, and making it would put the file on the wrong disk.
  const folder = dirname(unit.path);
  if (ancestor.path !== folder && !isInside(storage.path, unit.path)) {
    return `${create}: folder "${folder}" does not exist; create it or mount it`;
  }
  return notSparse(create, place) ?? { state: "missing" };
}

function examineFile(
  unit: LogicalUnitConfig,
  place: Place,
  entry: Place["entry"] & { kind: "file" },
): Backing | string {
  const { sizeBytes, allocatedBytes } = entry;
  if (sizeBytes === unit.sizeBytes) return { state: "ready", allocatedBytes };
  if (sizeBytes > unit.sizeBytes) {
    return `Cannot use "${unit.path}" for size ${exactSize(unit.sizeBytes)}: the file has ` +
      `${exactSize(sizeBytes)}, and files are never shrunk; raise "size" or set "file" to another one`;
  }
  return notSparse(`Cannot grow "${unit.path}"`, place) ??
    { state: "short", fileBytes: sizeBytes, allocatedBytes };
}

function examineDevice(unit: LogicalUnitConfig, device: BlockDevice, readOnly: boolean): Backing | string {
  const use = `Cannot use block device "${unit.path}"`;
  const { sizeBytes, isWriteProtected, mountPoint } = device;
  if (sizeBytes < unit.sizeBytes) {
    return `${use} for size ${exactSize(unit.sizeBytes)}: it has only ${exactSize(sizeBytes)}; ` +
      'lower "size" or use a larger device';
  }
  if (isWriteProtected && !readOnly) {
    return `${use}: it is write-protected; set "readonly=y" or use another device`;
  }
  // An initiator's writes below a file system that this machine has mounted destroy it.
  if (mountPoint !== undefined && !readOnly) {
    return `${use}: it, or a part of it, is mounted at "${mountPoint}"; unmount that or use another device`;
  }
  return { state: "device", deviceBytes: sizeBytes };
}

/**
 * What is wrong if symbolic links take a path elsewhere than its name says. The storage folder may be a link itself,
 * since it is the administrator's to place.
 */
function findDetour(place: Place, storage: Place): string | undefined {
  const { path, realPath, entry } = place;
  const expected = isInside(storage.path, path) ? join(storage.realPath, relative(storage.path, path)) : path;
  if (realPath === expected || entry.kind === "danglingLink" || entry.kind === "unreadable") return undefined;
  return `Cannot use "${path}" as a backing file: a symbolic link leads from it to "${realPath}"; ` +
    `set "file" to that path or remove the link`;
}

function notSparse(action: string, place: Place): string | undefined {
  const name = NOT_SPARSE[place.fileSystem?.type ?? 0];
  if (name === undefined) return undefined;
  return `${action}: its file system (${name}) has no sparse files; use another one, such as ext4 or XFS`;
}

/** For people, and to the byte: sizes that differ by a block must not look the same. */
function exactSize(bytes: number): string {
  return `${formatSize(bytes)} (${bytes} bytes)`;
}
