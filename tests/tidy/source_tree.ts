/**
 * The text of this repository, read once for the tests that look at it.
 */
import { fromFileUrl, join } from "@std/path";

/** One file: where it is, with `/` between folders and from the repository's root, and what it says. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** Folders with files from elsewhere. */
const FOREIGN_FOLDERS = ["node_modules", "coverage", "vendor"];

/** The files of a folder and of those in it, in the order of their paths; hidden and foreign folders are left out. */
function listFiles(folder: string): string[] {
  const paths: string[] = [];
  for (const entry of Deno.readDirSync(join(ROOT, folder))) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isFile) paths.push(path);
    if (!entry.isDirectory || entry.name.startsWith(".") || FOREIGN_FOLDERS.includes(entry.name)) continue;
    paths.push(...listFiles(path));
  }
  return paths.sort();
}

/** Every TypeScript file of the repository. */
export function readSources(): SourceFile[] {
  return listFiles("").filter((path) => path.endsWith(".ts"))
    .map((path) => ({ path, text: Deno.readTextFileSync(join(ROOT, path)) }));
}
