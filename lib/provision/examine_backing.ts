import { join, relative } from "@std/path";
import type { LogicalUnitConfig } from "../config/config.ts";
import { type Backing, type Candidate, exactSize, type Refusal } from "./backing.ts";
import type { BlockDevice } from "./block_device.ts";
import { examineFile, examineMissing } from "./examine_file.ts";
import { isInside } from "./is_inside.ts";
import type { Place } from "./survey.ts";

/** Judges what stands at the path of a logical unit: what it is good for, or why it is not used. */
export function examineBacking(candidate: Candidate): Backing | Refusal {
  const { unit, readOnly, place, storage } = candidate;
  const detour = findDetour(place, storage);
  if (detour !== undefined) return { problem: detour };
  const { entry } = place;
  switch (entry.kind) {
    case "missing":
      return examineMissing(candidate);
    case "file":
      return examineFile(candidate, entry);
    case "blockDevice":
      return examineDevice(unit, entry, readOnly);
    default:
      return { problem: describeUnusable(unit, entry) };
  }
}

/** Says why an entry can be no disk. */
function describeUnusable(
  { path }: LogicalUnitConfig,
  entry: Exclude<Place["entry"], { readonly kind: "missing" | "file" | "blockDevice" }>,
): string {
  const use = `Cannot use "${path}" as a backing file`;
  switch (entry.kind) {
    case "folder":
      return `${use}: it is a folder; set "file" to the path of a file`;
    case "special":
      return `${use}: it is ${entry.name}; set "file" to the path of a file`;
    case "danglingLink":
      return `${use}: it is a symbolic link to "${entry.leadsTo}", which leads nowhere; remove the link`;
    case "unreadable":
      return `Cannot look at "${path}": ${entry.reason}`;
  }
}

function examineDevice(unit: LogicalUnitConfig, device: BlockDevice, readOnly: boolean): Backing | Refusal {
  const use = `Cannot use block device "${unit.path}"`;
  const { sizeBytes, isWriteProtected, mountPoint } = device;
  if (sizeBytes < unit.sizeBytes) {
    const problem = `${use} for size ${exactSize(unit.sizeBytes)}: it has only ${exactSize(sizeBytes)}; ` +
      'lower "size" or use a larger device';
    return { problem };
  }
  if (isWriteProtected && !readOnly) {
    return { problem: `${use}: it is write-protected; set "readonly=y" or use another device` };
  }
  // An initiator's writes below a file system that this machine has mounted destroy it.
  if (mountPoint !== undefined && !readOnly) {
    const problem =
      `${use}: it, or a part of it, is mounted at "${mountPoint}"; unmount that or use another device`;
    return { problem };
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
