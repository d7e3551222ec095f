/**
 * The one place that changes the disk.
 *
 * Nothing here can take data away: files are only ever created exclusively or made longer, the identities file is
 * replaced as a whole, and there is no call that removes anything.
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
 * How many files are made or grown at once. A file system puts on the disk all that it was told up to then, so that
 * many files cost little more than one does; and whoever interrupts a build waits for as many at most.
 */
const FILES_AT_ONCE = 64;

/** Steps that what follows relies on, or that rely on what came before: each is done by itself. */
const ORDERED_KINDS: readonly Step["kind"][] = ["createFolder", "restrictFolder", "recordIdentities"];

/**
 * Does steps, and yields each when it is on the disk. They may be repeated after an interruption: what is found done
 * already is left alone.
 *
 * @param signal aborted when nothing further is to begin
 * @throws {ProvisionError} when the disk refuses a step, or is no longer as the plan saw it; what was done beside it
 *   has been yielded then
 */
export async function* applySteps(steps: readonly Step[], signal?: AbortSignal): AsyncGenerator<Step> {
  for (const group of inGroups(steps)) {
    if (signal?.aborted) return;
    const results = await Promise.allSettled(group.map(applyStep));
    const done = group.filter((_, index) => results[index]!.status === "fulfilled");
    syncNames(done);
    yield* done;
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }
}

/** Cuts steps into groups of those that can be done at once, in their order. */
function* inGroups(steps: readonly Step[]): Generator<Step[]> {
  let group: Step[] = [];
  for (const step of steps) {
    const isOrdered = ORDERED_KINDS.includes(step.kind);
    if (group.length > 0 && (isOrdered || group.length === FILES_AT_ONCE)) {
      yield group;
      group = [];
    }
    if (isOrdered) yield [step];
    else group.push(step);
  }
  if (group.length > 0) yield group;
}

/** Does one step, and leaves the names of new files to `syncNames`. */
async function applyStep(step: Step): Promise<void> {
  switch (step.kind) {
    case "createFolder":
      return await attempt(`create folder "${step.path}"`, () => createFolder(step.path, step.mode));
    case "restrictFolder":
      return await attempt(
        `change the mode of folder "${step.path}"`,
        () => restrictFolder(step.path, step.mode),
      );
    case "recordIdentities":
      return await attempt(
        `record identities in "${step.path}"`,
        () => replaceFile(step.path, formatIdentities(step.identities)),
      );
    case "createFile":
      return await attempt(
        `create "${step.path}" with ${formatSize(step.sizeBytes)}`,
        () => createFile(step.path, step.sizeBytes),
      );
    case "growFile":
      return await attempt(
        `grow "${step.path}" to ${formatSize(step.sizeBytes)}`,
        () => growFile(step.path, step.fromBytes, step.sizeBytes),
      );
    case "keepFile":
    case "useDevice":
    case "keepUnusedFile":
      return;
  }
}

async function attempt(action: string, work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
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

// What these two change, they change before they first wait: so when the first file of a group is being put on the
// disk, all of them are there to go with it.

async function createFile(path: string, sizeBytes: number): Promise<void> {
  using file = Deno.openSync(path, { write: true, createNew: true, mode: FILE_MODE });
  file.truncateSync(sizeBytes);
  await file.sync();
}

async function growFile(path: string, fromBytes: number, sizeBytes: number): Promise<void> {
  using file = Deno.openSync(path, { write: true });
  // The call that makes a file longer also makes it shorter, so what the plan saw is checked on the open file.
  const { isFile, size } = file.statSync();
  if (!isFile || size !== fromBytes || size > sizeBytes) {
    throw new Error(`it was a file of ${fromBytes} bytes and is no more; run it again`);
  }
  file.truncateSync(sizeBytes);
  await file.sync();
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

/** Puts the names of new files on the disk, each folder once. */
function syncNames(done: readonly Step[]): void {
  const created = done.filter(({ kind }) => kind === "createFile");
  for (const folder of new Set(created.map(({ path }) => dirname(path)))) {
    try {
      syncFolder(folder);
    } catch (error) {
      throw new ProvisionError(`Cannot create files in "${folder}": ${reasonOf(error)}`, { cause: error });
    }
  }
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
