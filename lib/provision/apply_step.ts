/**
 * The one place that changes the disk.
 *
 * Nothing here can take data away: files are only ever created exclusively or made longer, the identities file is
 * replaced as a whole, and there is no call that removes anything. Every step is on the disk when it returns.
 */
import { dirname } from "@std/path";
import { formatSize } from "../config/size.ts";
import { formatIdentities } from "./identities.ts";
import { ProvisionError } from "./provision_error.ts";
import { reasonOf } from "./reason_of.ts";
import type { Step } from "./step.ts";

/** Backing files hold whatever initiators store in them, which is nobody's business on this machine. */
const FILE_MODE = 0o600;
const PARENT_FOLDER_MODE = 0o755;

/**
 * Does one step. It may be repeated after an interruption: what it finds done already, it leaves alone.
 *
 * @throws {ProvisionError} when the disk refuses, or is no longer as the plan saw it
 */
export function applyStep(step: Step): void {
  switch (step.kind) {
    case "createFolder":
      return attempt(`create folder "${step.path}"`, () => createFolder(step.path, step.mode));
    case "restrictFolder":
      return attempt(`change the mode of folder "${step.path}"`, () => restrictFolder(step.path, step.mode));
    case "recordIdentities":
      return attempt(
        `record identities in "${step.path}"`,
        () => replaceFile(step.path, formatIdentities(step.identities)),
      );
    case "createFile":
      return attempt(
        `create "${step.path}" with ${formatSize(step.sizeBytes)}`,
        () => createFile(step.path, step.sizeBytes),
      );
    case "growFile":
      return attempt(
        `grow "${step.path}" to ${formatSize(step.sizeBytes)}`,
        () => growFile(step.path, step.fromBytes, step.sizeBytes),
      );
    case "keepFile":
    case "useDevice":
    case "keepUnusedFile":
      return;
  }
}

function attempt(action: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    throw new ProvisionError(`Cannot ${action}: ${reasonOf(error)}`, { cause: error });
  }
}

function createFolder(path: string, mode: number): void {
  const parent = dirname(path);
  if (!isFolder(parent)) createFolder(parent, PARENT_FOLDER_MODE);
  if (isFolder(path)) return;
  Deno.mkdirSync(path, { mode });
  syncFolder(parent);
}

function restrictFolder(path: string, mode: number): void {
  Deno.chmodSync(path, mode);
  syncFolder(path);
}

function createFile(path: string, sizeBytes: number): void {
  {
    using file = Deno.openSync(path, { write: true, createNew: true, mode: FILE_MODE });
    file.truncateSync(sizeBytes);
    file.syncSync();
  }
  syncFolder(dirname(path));
}

function growFile(path: string, fromBytes: number, sizeBytes: number): void {
  using file = Deno.openSync(path, { write: true });
  // The call that makes a file longer also makes it shorter, so what the plan saw is checked on the open file.
  const { isFile, size } = file.statSync();
  if (!isFile || size !== fromBytes || size > sizeBytes) {
    throw new Error(`it was a file of ${fromBytes} bytes and is no more; run it again`);
  }
  file.truncateSync(sizeBytes);
  file.syncSync();
}

/** Replaces a file so that at any moment, and after a power failure, either the old or the new one is there. */
function replaceFile(path: string, text: string): void {
  const newPath = `${path}.new`;
  {
    using file = Deno.openSync(newPath, { write: true, create: true, truncate: true, mode: FILE_MODE });
    const bytes = new TextEncoder().encode(text);
    for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
    file.syncSync();
  }
  Deno.renameSync(newPath, path);
  syncFolder(dirname(path));
}

/** Puts the names in a folder on the disk: a file that is safe under a name that is not, is lost. */
function syncFolder(path: string): void {
  using folder = Deno.openSync(path, { read: true });
  folder.syncSync();
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
