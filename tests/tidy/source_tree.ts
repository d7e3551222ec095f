/**
 * The text of this repository, read once for the tests that look at it.
 */
import { fromFileUrl, join } from "@std/path";

/** A file: its path from the repository's root, with `/` between folders, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** Folders with files from elsewhere. */
const FOREIGN_FOLDERS = ["node_modules", "coverage", "vendor"];

/** Returns all files below a folder, in the order of their paths, without hidden and foreign folders. */
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

/** Returns every TypeScript file of the repository. */
export function readSources(): SourceFile[] {
  return listFiles("").filter((path) => path.endsWith(".ts"))
    .map((path) => ({ path, text: Deno.readTextFileSync(join(ROOT, path)) }));
}
