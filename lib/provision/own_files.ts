import { join } from "@std/path";
import type { Config } from "../config/config.ts";
import { stateFolderOf, workerFoldersOf } from "./state_folder.ts";

/** A file itself, whatever it is called: its hard links share both numbers. */
export interface FileNumbers {
  readonly device: number;
  readonly inode: number;
}

/** The files that this program needs, each as the end of a sentence (`the conf`), by `fileKey`. */
export type OwnFiles = ReadonlyMap<string, string>;

/** Returns a text that is the same for all names of one file. */
export function fileKey({ device, inode }: FileNumbers): string {
  return `${device}:${inode}`;
}

/**
 * Finds the files that are never a disk: the conf, the files of secrets, this program and its state. What cannot be
 * looked at is left out.
 */
export function findOwnFiles({ file, secretsFiles, storage }: Config): OwnFiles {
  const stateFolder = stateFolderOf(storage);
  const named: readonly (readonly [string, string])[] = [
    ...[stateFolder, ...workerFoldersOf(storage)].flatMap(filesIn).map((path) =>
      [path, `"${path}", in which this program keeps its state`] as const
    ),
    [programPath(), "this program"],
    ...secretsFiles.map((path) => [path, `the file of secrets "${path}"`] as const),
    [file, "the conf"],
  ];
  return new Map(named.flatMap(([path, what]) => {
    const key = keyAt(path);
    return key === undefined ? [] : [[key, what] as const];
  }));
}

/** The files of a folder itself. In folders below the state folder there are links to backing files. */
function filesIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].filter(({ isFile }) => isFile).map(({ name }) => join(folder, name));
  } catch {
    return [];
  }
}

/** The file of this program; empty when it has no right to know that. */
function programPath(): string {
  try {
    return Deno.execPath();
  } catch {
    return "";
  }
}

function keyAt(path: string): string | undefined {
  try {
    const { dev, ino } = Deno.statSync(path);
    return fileKey({ device: dev, inode: ino ?? 0 });
  } catch {
    return undefined;
  }
}
