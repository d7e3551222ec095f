/**
 * Files and names that outlive a loss of power.
 *
 * A file needs two things on stable storage: its content, and its name, which is content of its folder. So making,
 * renaming or removing a file includes synchronizing its folder.
 */
import { dirname } from "@std/path";

/** The mode of files that only this program reads. */
export const PRIVATE_FILE_MODE = 0o600;

/** Puts a file or the names in a folder on stable storage. */
export async function syncPath(path: string): Promise<void> {
  using file = await Deno.open(path, { read: true });
  await file.sync();
}

/** Does the same and blocks the thread, for the time before anything is served. */
export function syncPathNow(path: string): void {
  using file = Deno.openSync(path, { read: true });
  file.syncSync();
}

/**
 * Makes a folder and those that it lacks. An existing folder is left as it is. Returns the folders that hold a new
 * name, which the caller puts on stable storage.
 *
 * @param parentMode the mode of the folders above it, where they are missing
 */
export async function makeFolder(path: string, mode: number, parentMode = mode): Promise<string[]> {
  if (await isFolder(path)) return [];
  const parent = dirname(path);
  const changed = await makeFolder(parent, parentMode);
  // "recursive" accepts a folder that has appeared in the meantime.
  await Deno.mkdir(path, { recursive: true, mode });
  return [...changed, parent];
}

/**
 * Replaces a file as a whole, and resolves when the new one is on stable storage. At any moment, and after a loss of
 * power, the file is the old one or the new one. A failed replacement leaves nothing that takes space.
 */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const newPath = `${path}.new`;
  await removeLeftover(newPath);
  try {
    // An existing file is refused, because a link of that name could lead anywhere.
    using file = await Deno.open(newPath, { write: true, createNew: true, mode: PRIVATE_FILE_MODE });
    await writeSynced(file, 0, typeof content === "string" ? new TextEncoder().encode(content) : content);
    await Deno.rename(newPath, path);
  } catch (error) {
    await removeLeftover(newPath).catch(() => {});
    throw error;
  }
  await syncPath(dirname(path));
}

/** Writes all of `bytes` at an offset of an open file. */
export async function writeAll(file: Deno.FsFile, offset: number, bytes: Uint8Array): Promise<void> {
  file.seekSync(offset, Deno.SeekMode.Start);
  for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
}

/** Writes all of `bytes` at an offset of an open file, and resolves when the file is on stable storage. */
export async function writeSynced(file: Deno.FsFile, offset: number, bytes: Uint8Array): Promise<void> {
  await writeAll(file, offset, bytes);
  await file.sync();
}

/** Opens a file for reading and writing; returns undefined when there is none. */
export async function openIfPresent(path: string): Promise<Deno.FsFile | undefined> {
  try {
    return await Deno.open(path, { read: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Removes what an interrupted replacement left: the name, and nothing that it may link to. */
async function removeLeftover(path: string): Promise<void> {
  try {
    if (!(await Deno.lstat(path)).isDirectory) await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
