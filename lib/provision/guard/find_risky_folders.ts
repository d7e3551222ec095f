/** Storage folders in which disks are not safe from other programs, other machines or the next boot. */
import type { Config } from "../../config/config.ts";
import { quote } from "../../config/diagnostics.ts";
import { GLOBALS_LINE, type Problem } from "../examine/examine.ts";
import { describeDistrust } from "../lock_reach.ts";
import { isInside } from "../is_inside.ts";
import type { Place, Survey } from "../survey.ts";
import { isNewUnit } from "./unused_files.ts";

const IN_MEMORY = "is in memory, and its disks are lost at the next boot; use a file system on a disk";
const ON_NETWORK =
  "is on a network file system: every LUN hangs when the network does; use a disk of this machine";

/** The danger of each file system, by its number (`f_type` of statfs). */
const DANGERS: Readonly<Record<number, readonly [name: string, danger: string]>> = {
  0x01021994: ["tmpfs", IN_MEMORY],
  0x858458f6: ["ramfs", IN_MEMORY],
  0x6969: ["NFS", ON_NETWORK],
  0x517b: ["SMB", ON_NETWORK],
  0xff534d42: ["CIFS", ON_NETWORK],
  0xfe534d42: ["SMB2", ON_NETWORK],
  0x01021997: ["9P", ON_NETWORK],
  0x5346414f: ["AFS", ON_NETWORK],
  0x00c36400: ["Ceph", ON_NETWORK],
};

/** The folders of files that are not expected to stay. */
const TEMPORARY_FOLDERS = ["/tmp", "/var/tmp"];

/** The permission bit by which every user may write. */
const EVERYONE_WRITES = 0o002;

/** Finds file systems that are no place for disks: one problem for each. */
export function findRiskyFileSystems({ targets }: Config, { storage, places }: Survey): Problem[] {
  const units = targets.flatMap(({ logicalUnits }) => logicalUnits);
  const found = new Map<number, Problem>();
  const all: readonly (readonly [label: string, Place, line: number])[] = [
    [`Storage folder "${storage.path}"`, storage, GLOBALS_LINE],
    ...units.map(({ path, line }) => [`"${path}"`, places.get(path)!, line] as const),
  ];
  for (const [label, { fileSystem, realPath }, line] of all) {
    const [name, danger] = DANGERS[fileSystem?.type ?? 0] ?? [];
    if (fileSystem === undefined || name === undefined || isTemporary(realPath)) continue;
    if (found.has(fileSystem.device)) continue;
    found.set(fileSystem.device, { line, message: `${label} (${name}) ${danger}` });
  }
  return [...found.values()];
}

/** Finds a storage folder in which another machine may not see the lock of a server. */
export function findUntrustedLocks(_: Config, { storage, lockFault }: Survey): Problem[] {
  if (lockFault === undefined) return [];
  const message = `Storage folder "${storage.path}": ${
    describeDistrust(lockFault)
  }; "iscsi serve" takes --force there`;
  return [{ line: GLOBALS_LINE, message }];
}

/** Finds new disks in a folder on which another file system should be mounted: there they would be hidden later. */
export function findUnmountedFolders({ targets }: Config, survey: Survey): Problem[] {
  const { storage, unmounted } = survey;
  const units = targets.flatMap(({ logicalUnits }) => logicalUnits).filter((unit) => isNewUnit(unit, survey));
  return unmounted.flatMap((folder) => {
    const unit = units.find(({ path }) => isInside(folder, path));
    if (unit === undefined) return [];
    const line = isInside(storage.path, unit.path) ? GLOBALS_LINE : unit.line;
    const message =
      `Folder "${folder}" of /etc/fstab is not mounted, so "${unit.path}" would be on another file system: run ` +
      `"mount ${folder}", or "iscsi build --force" to use the folder as it is`;
    return [{ line, message }];
  });
}

/** Finds a storage folder that other programs or people use: disks would be among their files. */
export function findStrangeFolder(_: Config, { storage, strangers }: Survey): Problem[] {
  const [first] = strangers;
  if (first === undefined) return [];
  // Any text may be the name of a file.
  const others = strangers.length === 1 ? quote(first) : `${quote(first)} and ${strangers.length - 1} more`;
  const message =
    `Storage folder "${storage.path}" has other files (${others}): use a folder for the disks alone`;
  return [{ line: GLOBALS_LINE, message }];
}

/** Finds a storage folder in which every user may replace a disk. */
export function findExposedFolder(_: Config, { storage: { path, entry } }: Survey): Problem[] {
  if (entry.kind !== "folder" || (entry.mode & EVERYONE_WRITES) === 0) return [];
  const mode = entry.mode.toString(8).padStart(4, "0");
  const message =
    `The mode of storage folder "${path}" is ${mode}, so every user can put a file in the place of a disk: ` +
    'run "chmod o-w" on it';
  return [{ line: GLOBALS_LINE, message }];
}

function isTemporary(realPath: string): boolean {
  return TEMPORARY_FOLDERS.some((folder) => isInside(folder, realPath));
}
