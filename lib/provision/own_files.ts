import { join } from "@std/path";
import type { Config } from "../config/config.ts";
import { stateFolderOf, workerFoldersOf, workerPlacesOf } from "./state_folder.ts";

/** The numbers that identify a file. All of its hard links share them. */
export interface FileNumbers {
  readonly device: number;
  readonly inode: number;
}

/** The files that this program needs, by `fileKey`; each value is the end of a sentence (`the conf`). */
export type OwnFiles = ReadonlyMap<string, string>;

/** Returns a key that all names of one file share. */
export function fileKey({ device, inode }: FileNumbers): string {
  return `${device}:${inode}`;
}

/**
 * Finds the files that are never a disk: the conf, the files of secrets, this program and its state. Files that cannot
 * be accessed are left out.
 */
export function findOwnFiles({ file, secretsFiles, storage }: Config): OwnFiles {
  const stateFolder = stateFolderOf(storage);
  const named: readonly (readonly [string, string])[] = [
    ...[stateFolder, ...workerPlacesOf(storage).flatMap(workerFoldersOf)].flatMap(filesIn).map((path) =>
      [path, `"${path}", in which this program keeps its state`] as const
    ),
    [programPath(), "this program"],
    ...secretsFiles.map((path) => [path, `the file of secrets "${path}"`] as const),
    [file, "the conf"],
  ];
  return new Map(named.flatMap(([path, purpose]) => {
    const key = keyAt(path);
    return key === undefined ? [] : [[key, purpose] as const];
  }));
}

/** Returns the files in a folder, but not those below it: some folders of the state folder link to backing files. */
function filesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) => join(folder, name));
  } catch {
    return [];
  }
}

/** Returns the path of this program; empty without the right to read it. */
export function programPath(): string {
  try {
    return Deno.execPath();
  } catch {
    return "";
  }
}

/** Returns the key of the file at a path; undefined when it cannot be accessed. */
export function keyAt(path: string): string | undefined {
  try {
    const { dev, ino } = Deno.statSync(path);
    return fileKey({ device: dev, inode: ino ?? 0 });
  } catch {
    return undefined;
  }
}
