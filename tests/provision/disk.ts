/** Disks as a survey finds them, made of nothing. */
import { dirname } from "@std/path";
import type { BlockDevice } from "../../lib/provision/block_device.ts";
import type { Entry, Place, Survey } from "../../lib/provision/survey.ts";

export const KB = 2 ** 10;
export const MB = 2 ** 20;
export const GB = 2 ** 30;
export const EXT4 = 0xef53;
export const FAT = 0x4d44;

export const FOLDER: Entry = { kind: "folder", mode: 0o755 };
export const STATE_FOLDER: Entry = { kind: "folder", mode: 0o700 };
export const MISSING: Entry = { kind: "missing" };
export const AMPLE = { device: 1, type: EXT4, availableBytes: 1000 * GB, fileBytesMax: undefined };

/** A file; its inode becomes one of its own when it is put on a disk, unless it is given. */
export function file(sizeBytes: number, allocatedBytes = 0, inode = 0): Entry & { kind: "file" } {
  return { kind: "file", sizeBytes, allocatedBytes, device: 1, inode };
}

/** The properties of a device that nothing uses. */
export const UNUSED = {
  isWriteProtected: false,
  mountPoint: undefined,
  holder: undefined,
  content: undefined,
  discardBytesMax: 0,
  discardGranuleBytes: 0,
  isMapped: false,
  parts: [],
};

/** Returns the unused device 8:1, with `changes`. */
export function blockDevice(sizeBytes: number, changes: Partial<BlockDevice> = {}): Entry {
  return { kind: "blockDevice", major: 8, minor: 1, sizeBytes, ...UNUSED, ...changes };
}

/** A path with an ordinary folder around it, unless `changes` say otherwise. */
export function place(path: string, entry: Entry, changes: Partial<Place> = {}): Place {
  const ancestor = { path: dirname(path), isFolder: true };
  return { path, entry, realPath: path, ancestor, fileSystem: AMPLE, ...changes };
}

/** A disk with a storage folder `/s` and everything in `places`. */
export function disk(places: readonly Place[], changes: Partial<Survey> = {}): Survey {
  return {
    storage: place("/s", FOLDER),
    stateFolder: place("/s/.iscsi", STATE_FOLDER),
    recorded: { kind: "recorded", identities: new Map() },
    ownFiles: new Map(),
    strangers: [],
    formerStorages: [],
    twinStorages: [],
    unmounted: [],
    lockFault: undefined,
    places: new Map(places.map((place, index) => [place.path, withInode(place, 100 + index)])),
    ...changes,
  };
}

function withInode(place: Place, inode: number): Place {
  const { entry } = place;
  return entry.kind === "file" && entry.inode === 0 ? { ...place, entry: { ...entry, inode } } : place;
}
