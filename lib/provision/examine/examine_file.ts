/** Examines the file of a logical unit, or its absence, and compares it with its recorded identity. */
import { dirname } from "@std/path";
import type { LogicalUnitConfig } from "../../config/config.ts";
import { type Backing, type Candidate, exactSize, isUnrecorded, type Refusal } from "./backing.ts";
import { unpackCommand } from "./file_format.ts";
import { isInside } from "../is_inside.ts";
import { isOfDisk, type RecordedIdentity } from "../identity/recorded_identity.ts";
import type { Place } from "../survey.ts";

type FileEntry = Place["entry"] & { readonly kind: "file" };

/** File systems without sparse files, by number (`f_type` of statfs). */
const NOT_SPARSE: Readonly<Record<number, string>> = {
  0x4d44: "FAT",
  0x2011bab0: "exFAT",
  0x4244: "HFS",
  0x482b: "HFS+",
};

const FORCE = 'run "iscsi build --force"';

/** Examines a path at which there is no file. */
export function examineMissing({ unit, place, storage, recorded }: Candidate): Backing | Refusal {
  const create = `Cannot create "${unit.path}"`;
  const { ancestor } = place;
  if (!ancestor.isFolder && !ancestor.isForbidden) {
    return { problem: `${create}: "${ancestor.path}" is not a folder; set "file" to another path` };
  }
  // This program makes folders only below the storage folder. Elsewhere, a missing folder is a typing error or a file
  // system that is not mounted, and making it would put the file on the wrong disk.
  const folder = dirname(unit.path);
  if (ancestor.path !== folder && !isInside(storage.path, unit.path)) {
    return { problem: `${create}: folder "${folder}" does not exist; create it or mount it` };
  }
  const problem = notSparse(create, place);
  if (problem !== undefined) return { problem };
  const excess = findExcess(create, unit, place);
  if (excess !== undefined) return excess;
  if (recorded === "unknown" || !isOfDisk(recorded)) return { state: "missing" };
  const record = describeRecord(recorded);
  return {
    problem:
      `Disk "${unit.path}" is lost: the file does not exist, but ${record}; mount its file system or restore ` +
      `the file, or ${FORCE} to replace it with an empty disk that has a new identity`,
    forced: {
      backing: { state: "missing", isLost: true },
      consequence: `Disk "${unit.path}" is lost; an empty disk with a new identity replaces it`,
    },
    isMistaken: true,
  };
}

/** Examines a file. */
export function examineFile(candidate: Candidate, entry: FileEntry): Backing | Refusal {
  const { unit, place, recorded } = candidate;
  const { sizeBytes, allocatedBytes } = entry;
  const isNew = isUnrecorded(recorded);
  const foreign = isNew ? findForeignFormat(candidate, entry) : undefined;
  if (foreign !== undefined) return foreign;
  if (sizeBytes > unit.sizeBytes) {
    const problem = `Cannot use "${unit.path}" for size ${exactSize(unit.sizeBytes)}: the file has ` +
      `${exactSize(sizeBytes)}, and files are never shrunk; raise "size" or set "file" to another one`;
    return { problem };
  }
  if (sizeBytes === unit.sizeBytes) {
    const ready: Backing = { state: "ready", allocatedBytes };
    return findLoss(candidate, entry, ready) ?? ready;
  }
  const grow = `Cannot grow "${unit.path}"`;
  const problem = notSparse(grow, place);
  if (problem !== undefined) return { problem };
  const excess = findExcess(grow, unit, place);
  if (excess !== undefined) return excess;
  const short: Backing = { state: "short", fileBytes: sizeBytes, allocatedBytes };
  if (recorded !== "unknown" && isNew && !isOfThisBuild(entry, recorded)) {
    return refuseGrowth(candidate, short);
  }
  return findLoss(candidate, entry, short) ?? short;
}

/** Refuses a recorded disk that is smaller than recorded. */
function findLoss(
  { unit: { path }, recorded }: Candidate,
  { sizeBytes, allocatedBytes }: FileEntry,
  backing: Backing,
): Refusal | undefined {
  if (recorded === "unknown" || !isOfDisk(recorded)) return undefined;
  const record = describeRecord(recorded);
  if (sizeBytes === 0) {
    return {
      problem:
        `Disk "${path}" is lost: the file is empty, but ${record}; restore the file, or ${FORCE} to replace it ` +
        "with an empty disk that has a new identity",
      forced: {
        backing: { state: "short", fileBytes: 0, allocatedBytes, isLost: true },
        consequence: `Disk "${path}" is lost; an empty disk with a new identity replaces it`,
      },
      isMistaken: true,
    };
  }
  if (recorded.sizeBytes === undefined || sizeBytes >= recorded.sizeBytes) return undefined;
  const [now, before] = [exactSize(sizeBytes), exactSize(recorded.sizeBytes)];
  return {
    problem:
      `Disk "${path}" is truncated: the file has ${now}, but ${record}; restore the file, or ${FORCE} to replace ` +
      "the lost data with zeros",
    forced: {
      backing,
      consequence: `Disk "${path}" is truncated: only the first ${now} of ${before} are left`,
    },
    isMistaken: true,
  };
}

/** Reports whether an interrupted build may have left the file. */
function isOfThisBuild({ sizeBytes }: FileEntry, recorded: RecordedIdentity | undefined): boolean {
  return recorded !== undefined && (sizeBytes === 0 || sizeBytes === recorded.sizeBytes);
}

/** Refuses a file that no build has created, and whose content has the format of something other than a disk. */
function findForeignFormat(
  { unit }: Candidate,
  { format, sizeBytes, allocatedBytes }: FileEntry,
): Refusal | undefined {
  if (format === undefined) return undefined;
  const { path } = unit;
  const { command, result } = unpackCommand(format, path);
  const problem =
    `Cannot use "${path}" as a backing file: it is ${format.name}, and initiators would see it instead of the ` +
    `disk in it; run "${command}" and set "file" to "${result}"`;
  if (sizeBytes !== unit.sizeBytes) return { problem, isMistaken: true };
  return {
    problem: `${problem}; or ${FORCE} to export it as it is`,
    forced: {
      backing: { state: "ready", allocatedBytes },
      consequence: `File "${path}" is ${format.name}, and is exported as it is`,
    },
    isMistaken: true,
  };
}

/** Refuses to grow a file that no build has created. */
function refuseGrowth(
  { unit, blockSizeBytes }: Candidate,
  short: Backing & { readonly state: "short" },
): Refusal {
  const { path, sizeBytes } = unit;
  const { fileBytes } = short;
  const use = `Cannot use "${path}" as a backing file`;
  const blocks = Math.ceil(fileBytes / blockSizeBytes) * blockSizeBytes;
  if (blocks !== fileBytes) {
    const problem =
      `${use}: "iscsi build" did not create it, and its ${fileBytes} bytes are not a multiple of ` +
      `${blockSizeBytes}; set "file" to another path, or run "truncate --size=${blocks}" on it if it is a disk`;
    return { problem, isMistaken: true };
  }
  const keep = fileBytes === 0 ? "remove it" : `set "size" to ${fileBytes} to export it as it is`;
  const growth = `from ${exactSize(fileBytes)} to ${exactSize(sizeBytes)}`;
  return {
    problem:
      `Cannot grow "${path}" ${growth}: "iscsi build" did not create it; ${keep}, or ${FORCE} to grow it`,
    forced: {
      backing: short,
      consequence: `File "${path}", which "iscsi build" did not create, grows from ${exactSize(fileBytes)}`,
    },
    isMistaken: true,
  };
}

/** Describes the record of a disk, as a clause. */
function describeRecord({ created, sizeBytes }: RecordedIdentity): string {
  if (typeof created !== "string") return "its identity is recorded";
  return `on ${created.slice(0, "YYYY-MM-DD".length)} it had ${exactSize(sizeBytes ?? 0)}`;
}

/** Refuses a size that no file of its file system can have. */
function findExcess(
  action: string,
  { sizeBytes }: LogicalUnitConfig,
  { fileSystem }: Place,
): Refusal | undefined {
  const max = fileSystem?.fileBytesMax;
  if (max === undefined || sizeBytes <= max) return undefined;
  const problem =
    `${action} with size ${exactSize(sizeBytes)}: files on its file system have at most ${exactSize(max)}; ` +
    'lower "size" or use another file system, such as XFS';
  return { problem, isMistaken: true };
}

function notSparse(action: string, place: Place): string | undefined {
  const name = NOT_SPARSE[place.fileSystem?.type ?? 0];
  if (name === undefined) return undefined;
  return `${action}: its file system (${name}) has no sparse files; use another one, such as ext4 or XFS`;
}
