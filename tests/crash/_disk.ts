/** A disk: a folder with what is in it, to which operations are applied, and of which a crash leaves something. */
import { basename, dirname } from "@std/path";
import { File, type FileImage, Folder, type Inode, Link, type NamesUnit, type Unit } from "./_inode.ts";
import type { Change, Operation } from "./_operation.ts";

/** Everything in a folder, by relative path, parents first. */
export type Tree = ReadonlyMap<string, Entry>;

/** An object with a path. */
export type Entry =
  | { readonly kind: "folder" }
  | { readonly kind: "file"; readonly image: FileImage }
  | { readonly kind: "link"; readonly target: string };

/** A file system of one folder, whose own path is the empty text. */
export class Disk {
  #root: Folder;
  readonly #handles = new Map<number, File | Folder>();

  /** Makes a disk, all of it durable. */
  constructor(tree: Tree = new Map()) {
    this.#root = new Folder();
    for (const [path, entry] of tree) {
      const folder = this.#folderOf(path);
      folder.durable = new Map([...folder.durable, [basename(path), toInode(entry)]]);
    }
  }

  /** Does what an operation did. Its effect is there at its end; a sync makes durable what was there at its start. */
  apply({ start, end, change }: Operation): void {
    switch (change.kind) {
      case "open":
        return this.#open(end, change);
      case "write":
        return this.#fileOf(change.handle).write(end, change.offset, change.bytes);
      case "resize":
        return this.#fileOf(change.handle).resize(end, change.sizeBytes);
      case "punch":
        return this.#fileOf(change.handle).punch(end, change.offset, change.lengthBytes);
      case "sync":
        return this.#handles.get(change.handle)?.sync(start);
      case "syncAll":
        return this.#syncAll(start);
      case "makeFolder":
        return this.#setNames(end, [change.path, new Folder()]);
      case "makeLink":
        return this.#setNames(end, [change.path, new Link(change.target)]);
      case "addName":
        return this.#setNames(end, [change.path, this.#find(change.from)]);
      case "rename":
        return this.#setNames(end, [change.path, this.#find(change.from)], [change.from, undefined]);
      case "remove":
        return this.#setNames(end, [change.path, undefined]);
    }
  }

  /** Everything that is not durable: what can be reached by names that may be there after a power cut. */
  units(): Unit[] {
    const units = new Set<Unit>();
    const seen = new Set<Inode>();
    function visit(inode: Inode): void {
      if (seen.has(inode) || inode instanceof Link) return;
      seen.add(inode);
      for (const unit of inode.units) units.add(unit);
      if (!(inode instanceof Folder)) return;
      for (const child of inode.durable.values()) visit(child);
      for (const { names } of inode.units) {
        for (const [, , child] of names) if (child !== undefined) visit(child);
      }
    }
    visit(this.#root);
    return [...units].sort((a, b) => a.time - b.time);
  }

  /** Returns what a power cut leaves that keeps these units and loses the others. */
  treeWith(keeps: (unit: Unit) => boolean): Tree {
    const tree = new Map<string, Entry>();
    function visit(folder: Folder, path: string): void {
      const names = [...folder.namesOf(folder.units.filter(keeps))].sort(([a], [b]) => a < b ? -1 : 1);
      for (const [name, inode] of names) {
        const child = path === "" ? name : `${path}/${name}`;
        if (inode instanceof Link) tree.set(child, { kind: "link", target: inode.target });
        else if (inode instanceof File) {
          tree.set(child, { kind: "file", image: inode.imageOf(inode.units.filter(keeps)) });
        } else {
          tree.set(child, { kind: "folder" });
          visit(inode, child);
        }
      }
    }
    visit(this.#root, "");
    return tree;
  }

  /** Returns what programs see. */
  tree(): Tree {
    return this.treeWith(() => true);
  }

  /** Returns the same disk, to go on with in another way. Times begin again: everything lies before them. */
  fork(): Disk {
    const copies = new Map<Inode, Inode>();
    function copy<T extends Inode>(inode: T): T {
      const known = copies.get(inode);
      if (known !== undefined) return known as T;
      const made = inode instanceof Folder ? new Folder() : inode instanceof File ? new File() : inode;
      copies.set(inode, made);
      if (made instanceof File && inode instanceof File) {
        made.durable = inode.durable;
        made.units = inode.units.map((unit) => ({ ...unit, time: unit.time - BEFORE }));
      }
      if (made instanceof Folder && inode instanceof Folder) {
        made.durable = new Map([...inode.durable].map(([name, child]) => [name, copy(child)]));
        made.units = inode.units.map((unit) => copyUnit(unit));
      }
      return made as T;
    }
    const units = new Map<NamesUnit, NamesUnit>();
    function copyUnit(unit: NamesUnit): NamesUnit {
      const known = units.get(unit);
      if (known !== undefined) return known;
      const names: (readonly [Folder, string, Inode | undefined])[] = [];
      const made: NamesUnit = { ...unit, time: unit.time - BEFORE, names };
      units.set(unit, made);
      for (const [folder, name, child] of unit.names) {
        names.push([copy(folder), name, child === undefined ? undefined : copy(child)]);
      }
      return made;
    }
    const disk = new Disk();
    disk.#root = copy(this.#root);
    for (const [handle, inode] of this.#handles) disk.#handles.set(handle, copy(inode));
    return disk;
  }

  #syncAll(before: number): void {
    const seen = new Set<Inode>();
    function visit(inode: Inode): void {
      if (inode instanceof Link || seen.has(inode)) return;
      seen.add(inode);
      inode.sync(before);
      if (inode instanceof Folder) { for (const child of inode.latest.values()) visit(child); }
    }
    visit(this.#root);
  }

  #open(time: number, { handle, path, creates, truncates }: Change & { readonly kind: "open" }): void {
    let inode = this.#find(path);
    if (inode === undefined && creates) {
      inode = new File();
      this.#setNames(time, [path, inode]);
    }
    // Entries from before the recording, or elsewhere, are ignored.
    if (inode === undefined || inode instanceof Link) return;
    if (inode instanceof File && truncates) inode.resize(time, 0);
    this.#handles.set(handle, inode);
  }

  #setNames(time: number, ...changes: readonly (readonly [path: string, inode: Inode | undefined])[]): void {
    const names = changes.map(([path, inode]) => [this.#folderOf(path), basename(path), inode] as const);
    const unit: NamesUnit = { kind: "names", time, names };
    for (const folder of new Set(names.map(([folder]) => folder))) folder.units = [...folder.units, unit];
  }

  #fileOf(handle: number): File {
    const file = this.#handles.get(handle);
    return file instanceof File ? file : new File();
  }

  #find(path: string): Inode | undefined {
    if (path === "") return this.#root;
    return this.#findFolder(dirname(path))?.latest.get(basename(path));
  }

  #findFolder(path: string): Folder | undefined {
    const inode = this.#find(path === "." ? "" : path);
    return inode instanceof Folder ? inode : undefined;
  }

  #folderOf(path: string): Folder {
    const folder = this.#findFolder(dirname(path));
    if (folder === undefined) throw new Error(`No folder for "${path}"`);
    return folder;
  }
}

/** Further than any time of a recording. */
const BEFORE = 2 ** 40;

function toInode(entry: Entry): Inode {
  if (entry.kind === "folder") return new Folder();
  if (entry.kind === "link") return new Link(entry.target);
  const file = new File();
  file.durable = entry.image;
  return file;
}
