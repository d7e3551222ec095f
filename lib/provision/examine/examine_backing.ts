import { join, relative } from "@std/path";
import type { LogicalUnitConfig } from "../../config/config.ts";
import { SIZE_OF_DEVICE } from "../../config/size.ts";
import { type Backing, type Candidate, exactSize, isUnrecorded, type Refusal } from "./backing.ts";
import { type BlockDevice, DEVICES_FOLDER, MAPPER_FOLDER } from "../block_device.ts";
import type { DeviceStorage } from "../device_storage.ts";
import { examineFile, examineMissing } from "./examine_file.ts";
import { isInside } from "../is_inside.ts";
import type { Place } from "../survey.ts";
import { findSystemFolder } from "../system_folders.ts";

/** Examines the path of a logical unit, and returns the backing there or the reason to refuse it. */
export function examineBacking(candidate: Candidate): Backing | Refusal {
  const { unit, place, storage } = candidate;
  const problem = findRedirectedPath(place, storage);
  if (problem !== undefined) return { problem };
  const misplaced = findMisplacement(candidate);
  if (misplaced !== undefined) return { problem: misplaced, isMistaken: true };
  const { entry } = place;
  if (unit.followsDevice && entry.kind !== "blockDevice" && !isInside(DEVICES_FOLDER, unit.path)) {
    const problem =
      `Cannot use "${unit.path}" with size "device": it is no block device; set "size" to a number ` +
      'with MB, GB or TB, or "file" to a block device';
    return { problem };
  }
  switch (entry.kind) {
    case "missing":
      return examineMissing(candidate);
    case "file":
      return examineFile(candidate, entry);
    case "blockDevice":
      return examineDevice(candidate, entry);
    default:
      return { problem: describeUnusable(unit, entry) };
  }
}

/** Describes an entry that cannot be a disk. */
function describeUnusable(
  { path }: LogicalUnitConfig,
  entry: Exclude<Place["entry"], { readonly kind: "missing" | "file" | "blockDevice" }>,
): string {
  const use = `Cannot use "${path}" as a backing file`;
  switch (entry.kind) {
    case "folder":
      return `${use}: it is a folder; set "file" to the path of a file`;
    case "special":
      if (isInside(DEVICES_FOLDER, path)) {
        return `Cannot use block device "${path}": it is ${entry.name}; connect it, or set "file" to another path`;
      }
      return `${use}: it is ${entry.name}; set "file" to the path of a file`;
    case "danglingLink":
      return `${use}: it is a broken symbolic link, to "${entry.leadsTo}"; remove the link`;
    case "unreadable":
      return `Cannot access "${path}": ${entry.reason}`;
  }
}

function examineDevice(
  { unit, readOnly, recorded }: Candidate,
  device: BlockDevice & Pick<DeviceStorage, "disk">,
): Backing | Refusal {
  const use = `Cannot use block device "${unit.path}"`;
  const { sizeBytes, isWriteProtected, mountPoint, holder, multipath } = device;
  if (multipath !== undefined) {
    const map = `"${MAPPER_FOLDER}/${multipath}"`;
    const [what, other] = device.disk === undefined
      ? ["it is one path", map]
      : ["its disk is one path", `the partition of ${map}`];
    const problem =
      `${use}: ${what} of multipath device "${multipath}", and writes that bypass the others destroy data; ` +
      `set "file" to ${other}`;
    return { problem, isMistaken: true };
  }
  if (unit.sizeBytes === SIZE_OF_DEVICE) {
    return { problem: `${use}: it was not there when the conf was read; run "iscsi build"` };
  }
  const shrinkage = findShrinkage(unit, recorded, device);
  if (shrinkage !== undefined) return shrinkage;
  if (sizeBytes < unit.sizeBytes) {
    const problem = `${use} for size ${exactSize(unit.sizeBytes)}: it has only ${exactSize(sizeBytes)}; ` +
      'lower "size" or use a larger device';
    return { problem };
  }
  if (isWriteProtected && !readOnly) {
    return { problem: `${use}: it is write-protected; set "readonly=y" or use another device` };
  }
  // Writes of an initiator would destroy a file system that this machine has mounted.
  if (mountPoint !== undefined && !readOnly) {
    const problem =
      `${use}: it, or a part of it, is mounted at "${mountPoint}"; unmount it or use another device`;
    return { problem };
  }
  // A disk in use is not refused: its initiator may have made the volumes, and this system may have found them.
  if (holder !== undefined && !readOnly && isUnrecorded(recorded)) {
    return { problem: `${use}: it, or a part of it, holds ${holder}; remove that or use another device` };
  }
  return { state: "device", deviceBytes: sizeBytes };
}

/** Refuses a device that has become smaller, because a smaller LUN is a damaged disk to its initiators. */
function findShrinkage(
  { path, followsDevice, sizeBytes }: LogicalUnitConfig,
  recorded: Candidate["recorded"],
  { sizeBytes: deviceBytes }: BlockDevice,
): Refusal | undefined {
  if (!followsDevice || recorded === "unknown" || recorded?.sizeBytes === undefined) return undefined;
  if (recorded.sizeBytes <= sizeBytes) return undefined;
  const [now, before] = [exactSize(deviceBytes), exactSize(recorded.sizeBytes)];
  return {
    problem:
      `Block device "${path}" has shrunk from ${before} to ${now}, and a LUN is never shrunk; extend it again, ` +
      'or run "iscsi build --force" to give up what was behind its end',
    forced: {
      backing: { state: "device", deviceBytes },
      consequence: `Block device "${path}" has shrunk: only the first ${now} of ${before} are left`,
    },
  };
}

/** The entries that may be or become a file. Deno inspects nothing in /proc, for one, without all rights. */
const NEW_FILE_KINDS: readonly Place["entry"]["kind"][] = ["file", "missing", "unreadable"];

/** Returns the problem with a new disk in a folder of the operating system, unless the storage folder is there. */
function findMisplacement({ unit, place, storage, recorded }: Candidate): string | undefined {
  const { entry, realPath } = place;
  if (!NEW_FILE_KINDS.includes(entry.kind) || !isUnrecorded(recorded)) return undefined;
  const folder = findSystemFolder(realPath);
  if (folder === undefined || isInside(storage.realPath, realPath)) return undefined;
  return `Cannot use "${unit.path}" as a backing file: "${folder}" belongs to the operating system; ` +
    `set "file" to a path in "${storage.path}"`;
}

/**
 * Returns the problem with a path that symbolic links lead elsewhere. The storage folder itself may be a link, because
 * the administrator chooses its place.
 */
function findRedirectedPath(place: Place, storage: Place): string | undefined {
  const { path, realPath, entry } = place;
  const expected = isInside(storage.path, path) ? join(storage.realPath, relative(storage.path, path)) : path;
  if (realPath === expected || entry.kind === "danglingLink" || entry.kind === "unreadable") return undefined;
  return `Cannot use "${path}" as a backing file: a symbolic link leads to "${realPath}"; ` +
    `set "file" to that path or remove the link`;
}
