/**
 * The one place that changes the disk.
 *
 * Nothing here can take data away: files are only ever created exclusively or made longer, the identities file is
 * replaced as a whole, and there is no call that removes anything.
 */
import { dirname } from "@std/path";
import { formatSize } from "../config/size.ts";
import { formatIdentities } from "./identities.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { makeFolder, PRIVATE_FILE_MODE, replaceFile, syncPath } from "../store/stable_storage.ts";
import type { Step } from "./step.ts";

const PARENT_FOLDER_MODE = 0o755;

/**
 * How many files are made or grown at once. A file system puts on the disk all that it was told up to then, so that
 * many files cost little more than one does; and whoever interrupts a build waits for as many at most.
 */
const FILES_AT_ONCE = 64;

/** Steps that what follows relies on, or that rely on what came before: each is done by itself. */
const ORDERED_KINDS: readonly Step["kind"][] = [
  "createFolder",
  "restrictFolder",
  "recordIdentities",
  "confirmFiles",
];

/** How to do steps. */
export interface ApplyOptions {
  /** Aborted when nothing further is to begin. */
  readonly signal?: AbortSignal | undefined;
  /** Whether a file that is found as it should be is on stable storage; else it is put there. None is, by default. */
  readonly isDurable?: (path: string) => boolean;
}

/**
 * Does steps, and yields each when it is on the disk. They may be repeated after an interruption: what is found done
 * already is left alone.
 *
 * @throws {ProvisionError} when the disk refuses a step, or is no longer as the plan saw it; what was done beside it
 *   has been yielded then
 */
export async function* applySteps(steps: readonly Step[], options: ApplyOptions = {}): AsyncGenerator<Step> {
  const { signal, isDurable = () => false } = options;
  const confirmed = new Set(steps.flatMap((step) => step.kind === "confirmFiles" ? step.files : []));
  const isSynced = (step: Step): boolean =>
    step.kind === "createFile" || step.kind === "growFile" ||
    step.kind === "keepFile" && (confirmed.has(step.path) || !isDurable(step.path));
  for (const group of inGroups(steps)) {
    if (signal?.aborted) return;
    const synced = new Set(group.filter(isSynced));
    const results = await Promise.allSettled(group.map((step) => applyStep(step, synced.has(step))));
    const done = group.filter((_, index) => results[index]!.status === "fulfilled");
    await syncNames(done.filter((step) => synced.has(step)));
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

/** Does one step, and leaves the names of files to `syncNames`. */
async function applyStep(step: Step, isSynced: boolean): Promise<void> {
  switch (step.kind) {
    case "createFolder":
      return await attempt(
        `create folder "${step.path}"`,
        () => createFolder(step.path, step.mode),
      );
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
    case "confirmFiles":
      return await attempt(
        `record in "${step.path}" that files were made`,
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
      return isSynced
        ? await attempt(`put "${step.path}" on stable storage`, () => syncPath(step.path))
        : undefined;
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

async function createFolder(path: string, mode: number): Promise<void> {
  for (const folder of await makeFolder(path, mode, PARENT_FOLDER_MODE)) await syncPath(folder);
}

async function restrictFolder(path: string, mode: number): Promise<void> {
  Deno.chmodSync(path, mode);
  await syncPath(path);
}

// What these two change, they change before they first wait: so when the first file of a group is being put on the
// disk, all of them are there to go with it.

async function createFile(path: string, sizeBytes: number): Promise<void> {
  using file = Deno.openSync(path, { write: true, createNew: true, mode: PRIVATE_FILE_MODE });
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

/** Puts the names of files on the disk, each folder once. */
async function syncNames(done: readonly Step[]): Promise<void> {
  for (const folder of new Set(done.map(({ path }) => dirname(path)))) {
    try {
      await syncPath(folder);
    } catch (error) {
      throw new ProvisionError(`Cannot create files in "${folder}": ${reasonOf(error)}`, { cause: error });
    }
  }
}
