/**
 * Deletes backing files that the logical units of a conf no longer use, with everything that is recorded about them. It
 * is the only code that deletes data.
 *
 * The order outlives a loss of power at any point: the file goes first, then the state of its logical unit, then its
 * identity. As long as the identity is recorded, the rest can be deleted by another run.
 */
import { dirname, join } from "@std/path";
import type { Config } from "../config/config.ts";
import { replaceFile, syncPath } from "../store/stable_storage.ts";
import { attempt } from "./attempt.ts";
import { lockForBuild } from "./build_lock.ts";
import { BuildMark } from "./build_mark.ts";
import { openToLock, takeFileLock } from "./file_lock.ts";
import { entriesOf } from "./folders.ts";
import { type ForgettableFile, planForget } from "./forget_plan.ts";
import { formatIdentities, type Identities } from "./identity/identities.ts";
import { describeLockOwner, findLockOwner } from "./lock_owner.ts";
import { ProvisionError, reasonOf } from "./provision_error.ts";
import { identitiesFileOf, stateFolderOf } from "./state_folder.ts";

/** The result of `forget`: what was deleted, or why nothing or not everything was. */
export interface ForgetReport {
  readonly files: readonly ForgettableFile[];
  /** Undefined when all was deleted; otherwise a message for the user. */
  readonly failure: string | undefined;
}

/** Deletes backing files by their paths in a conf. Nothing is deleted when one of them must not be. */
export async function forget(config: Config, names: readonly string[]): Promise<ForgetReport> {
  const deleted: ForgettableFile[] = [];
  try {
    using _lock = await lockForBuild(stateFolderOf(config.storage), "delete files");
    const { files, identities, problems } = planForget(config, names);
    if (problems.length > 0) throw new ProvisionError(problems.join("\n"));
    await deleteFiles(config, { files, identities, onDeleted: (file) => deleted.push(file) });
    return { files: deleted, failure: undefined };
  } catch (error) {
    if (!(error instanceof ProvisionError)) throw error;
    return { files: deleted, failure: error.message };
  }
}

async function deleteFiles(
  config: Config,
  { files, identities, onDeleted }: {
    readonly files: readonly ForgettableFile[];
    readonly identities: Identities;
    readonly onDeleted: (file: ForgettableFile) => void;
  },
): Promise<void> {
  const { storage } = config;
  const mark = new BuildMark(config);
  const isMarked = mark.coversAll();
  await mark.remove();
  const state = stateFolderOf(storage);
  for (const file of files) {
    using lock = lockFile(file);
    await attempt(`delete "${file.path}"`, async () => {
      await removeAll([...namesIn(state, lock), ...(file.sizeBytes === null ? [] : [file.path])]);
    });
    const naa = identities.get(file.key)!.naa.toLowerCase();
    await attempt(`delete the state of "${file.path}"`, () => removeAll(stateFilesOf(state, naa)));
    onDeleted(file);
  }
  const forgotten = new Set(files.map(({ key }) => key));
  const kept = new Map([...identities].filter(([key]) => !forgotten.has(key)));
  const path = identitiesFileOf(storage);
  await attempt(
    `remove the identities of the deleted files from "${path}", run it again`,
    () => replaceFile(path, formatIdentities(kept)),
  );
  // The other files are as durable as before.
  if (isMarked) await mark.set();
}

/** A locked backing file: no server can open it meanwhile. */
interface LockedFile extends Disposable {
  /** Undefined when the file is missing. */
  readonly info: Deno.FileInfo | undefined;
}

function lockFile({ path, sizeBytes }: ForgettableFile): LockedFile {
  if (sizeBytes === null) return { info: undefined, [Symbol.dispose]: () => {} };
  const file = openFile(path);
  const info = file.statSync();
  if (!takeFileLock(file)) {
    file.close();
    const owner = describeLockOwner(findLockOwner(info));
    throw new ProvisionError(`Cannot delete "${path}": ${owner} has locked it`);
  }
  return { info, [Symbol.dispose]: () => file.close() };
}

function openFile(path: string): Deno.FsFile {
  try {
    return openToLock(path);
  } catch (error) {
    throw new ProvisionError(`Cannot delete "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

/** Finds the hard links to a file below a folder, which a server that was killed may have left: they keep its space. */
function namesIn(folder: string, { info }: LockedFile): string[] {
  if (info === undefined || (info.nlink ?? 1) < 2) return [];
  return filesBelow(folder).filter((path) => {
    const { dev, ino } = Deno.lstatSync(path);
    return dev === info.dev && ino === info.ino;
  });
}

/** Finds the journals, reservations and outcomes of the logical unit with an NAA identifier below a folder. */
function stateFilesOf(folder: string, naa: string): string[] {
  const name = new RegExp(`/(?:atomic-)?${naa}\\.(?:journal|json)(?:\\.kept|\\.new)*$`);
  return filesBelow(folder).filter((path) => name.test(path));
}

function filesBelow(folder: string): string[] {
  return entriesOf(folder).map((name) => join(folder, name)).flatMap((path) => {
    const { isDirectory, isFile } = Deno.lstatSync(path);
    return isDirectory ? filesBelow(path) : isFile ? [path] : [];
  });
}

async function removeAll(paths: readonly string[]): Promise<void> {
  for (const path of paths) Deno.removeSync(path);
  for (const folder of new Set(paths.map(dirname))) await syncPath(folder);
}
