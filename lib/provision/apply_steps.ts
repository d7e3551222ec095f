/**
 * The only code of a build that changes the disk.
 *
 * It cannot destroy data: it only creates new files, grows files, and replaces the identities file as a whole. It
 * removes nothing.
 */
import { dirname } from "@std/path";
import { formatSize } from "../config/size.ts";
import { attempt } from "./attempt.ts";
import { formatIdentities } from "./identity/identities.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { makeFolder, PRIVATE_FILE_MODE, replaceFile, syncPath } from "../store/stable_storage.ts";
import type { Step } from "./step.ts";

const PARENT_FOLDER_MODE = 0o755;

/**
 * The number of files that are created or grown at the same time. One sync writes all earlier changes of the file
 * system, so syncing many files takes little longer than syncing one. A build that is interrupted finishes at most this
 * many.
 */
const FILES_AT_ONCE = 64;

/** Steps that depend on earlier ones, or that later ones depend on: each is done alone. */
const ORDERED_KINDS: readonly Step["kind"][] = [
  "createFolder",
  "restrictFolder",
  "recordIdentities",
  "confirmFiles",
];

/** Options of `applySteps`. */
export interface ApplyOptions {
  /** Aborted to start no further step. */
  readonly signal?: AbortSignal | undefined;
  /** Reports whether a file that needs no change is on stable storage; other files are synced. By default, all are. */
  readonly isDurable?: (path: string) => boolean;
}

/**
 * Applies steps, and yields each one when it is on the disk. A folder that is already there is left as it is.
 *
 * @throws {ProvisionError} when a step fails, or the disk has changed since the plan; the steps that were done at the
 *   same time have been yielded before
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

/** Splits steps, in their order, into groups that can be done at the same time. */
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

/** Applies one step, but leaves the names of files to `syncNames`. */
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

async function createFolder(path: string, mode: number): Promise<void> {
  for (const folder of await makeFolder(path, mode, PARENT_FOLDER_MODE)) await syncPath(folder);
}

async function restrictFolder(path: string, mode: number): Promise<void> {
  Deno.chmodSync(path, mode);
  await syncPath(path);
}

// The next two functions make their change before they first wait. So when the first file of a group is synced, all
// files of the group are changed already, and that sync writes them too.

async function createFile(path: string, sizeBytes: number): Promise<void> {
  using file = Deno.openSync(path, { write: true, createNew: true, mode: PRIVATE_FILE_MODE });
  file.truncateSync(sizeBytes);
  await file.sync();
}

async function growFile(path: string, fromBytes: number, sizeBytes: number): Promise<void> {
  using file = Deno.openSync(path, { write: true });
  // The same call could shorten the file, so its size is compared with the plan once it is open.
  const { isFile, size } = file.statSync();
  if (!isFile || size !== fromBytes || size > sizeBytes) {
    throw new Error(`it is no longer a file of ${fromBytes} bytes; run it again`);
  }
  file.truncateSync(sizeBytes);
  await file.sync();
}

/** Syncs the folders of files, and with them the files' names. */
async function syncNames(done: readonly Step[]): Promise<void> {
  for (const folder of new Set(done.map(({ path }) => dirname(path)))) {
    try {
      await syncPath(folder);
    } catch (error) {
      throw new ProvisionError(`Cannot create files in "${folder}": ${reasonOf(error)}`, { cause: error });
    }
  }
}
