/** A tree as real files, and real files as a tree. */
import { join } from "@std/path";
import type { Entry, Tree } from "./_disk.ts";
import { PAGE_BYTES } from "./_inode.ts";

/** The modes that the product sets, so it has nothing to restrict. */
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** Puts a tree into a folder in place of all that is there. Links must lead to where they are to lead there. */
export function writeTree(root: string, tree: Tree): void {
  for (const { name } of [...Deno.readDirSync(root)]) Deno.removeSync(join(root, name), { recursive: true });
  for (const [path, entry] of tree) writeEntry(join(root, path), entry);
}

function writeEntry(path: string, entry: Entry): void {
  if (entry.kind === "folder") return Deno.mkdirSync(path, { mode: FOLDER_MODE });
  if (entry.kind === "link") return Deno.symlinkSync(entry.target, path);
  using file = Deno.openSync(path, { write: true, createNew: true, mode: FILE_MODE });
  const { sizeBytes, pages } = entry.image;
  for (const [page, bytes] of pages) {
    const offset = page * PAGE_BYTES;
    if (offset >= sizeBytes) continue;
    file.seekSync(offset, Deno.SeekMode.Start);
    file.writeSync(bytes.subarray(0, sizeBytes - offset));
  }
  file.truncateSync(sizeBytes);
}

/** Returns what is in a folder. What is neither a file nor a folder nor a link is left out. */
export function readTree(root: string, path = ""): Tree {
  const tree = new Map<string, Entry>();
  for (const { name, isDirectory, isFile, isSymlink } of [...Deno.readDirSync(join(root, path))]) {
    const child = path === "" ? name : `${path}/${name}`;
    if (isSymlink) tree.set(child, { kind: "link", target: Deno.readLinkSync(join(root, child)) });
    if (isFile) tree.set(child, readFile(join(root, child)));
    if (!isDirectory) continue;
    tree.set(child, { kind: "folder" });
    for (const [below, entry] of readTree(root, child)) tree.set(below, entry);
  }
  return tree;
}

function readFile(path: string): Entry {
  const content = Deno.readFileSync(path);
  const pages = new Map<number, Uint8Array>();
  for (let page = 0; page * PAGE_BYTES < content.length; page++) {
    const bytes = new Uint8Array(PAGE_BYTES);
    bytes.set(content.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES));
    if (bytes.some((byte) => byte !== 0)) pages.set(page, bytes);
  }
  return { kind: "file", image: { sizeBytes: content.length, pages } };
}

/** Returns what differs first between two trees; pages of zeros may be there or not. */
export function findDifference(found: Tree, wanted: Tree): string | undefined {
  for (const path of [...new Set([...wanted.keys(), ...found.keys()])].sort()) {
    const [a, b] = [found, wanted].map((tree) => describe(tree.get(path)));
    if (a !== b) return `"${path}" is ${a?.slice(0, 80)} and not ${b?.slice(0, 80)}`;
  }
  return undefined;
}

function describe(entry: Entry | undefined): string {
  if (entry?.kind !== "file") return entry === undefined ? "missing" : JSON.stringify(entry);
  const { sizeBytes, pages } = entry.image;
  const used = [...pages].filter(([page, bytes]) =>
    page * PAGE_BYTES < sizeBytes &&
    bytes.subarray(0, sizeBytes - page * PAGE_BYTES).some((byte) => byte !== 0)
  );
  const contents = used.sort(([a], [b]) => a - b)
    .map(([page, bytes]) => `${page}: ${bytes.subarray(0, sizeBytes - page * PAGE_BYTES).toHex()}`);
  return `a file of ${sizeBytes} bytes with the pages ${used.map(([page]) => page).join(" ")}\n${
    contents.join("\n")
  }`;
}

/** Makes a folder for the states, by its real path. */
export function makeScratch(): string {
  return Deno.realPathSync(Deno.makeTempDirSync({ prefix: "iscsi-crash-" }));
}
