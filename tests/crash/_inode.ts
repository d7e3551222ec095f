/**
 * Files and folders as a file system has them in memory and on the disk: what is durable, and the units of what is not,
 * each of which a power cut may keep or lose.
 *
 * The model is the weakest that POSIX allows. A sync makes durable what was done to that very file or folder before the
 * sync began. A file's sync does not make its name durable; that takes the sync of its folder. Everything else may be
 * on the disk already or not, in any order: each page of each write, each size, each change of a name. A rename is on
 * the disk as a whole or not at all.
 */

/** The unit in which the kernel writes. */
export const PAGE_BYTES = 4096;

/** The content of a file. Pages that are not there are zeros. */
export interface FileImage {
  readonly sizeBytes: number;
  readonly pages: ReadonlyMap<number, Uint8Array>;
}

/** Something that is not durable yet. */
export type Unit = PageUnit | SizeUnit | NamesUnit;

interface UnitBase {
  /** The time of the change. */
  readonly time: number;
}

/** A page as a change left it; undefined where it became a hole. */
export interface PageUnit extends UnitBase {
  readonly kind: "page";
  readonly page: number;
  readonly bytes: Uint8Array | undefined;
}

/** The size that a change left. */
export interface SizeUnit extends UnitBase {
  readonly kind: "size";
  readonly sizeBytes: number;
}

/** Names that change together; undefined where one is removed. */
export interface NamesUnit extends UnitBase {
  readonly kind: "names";
  readonly names: readonly (readonly [folder: Folder, name: string, inode: Inode | undefined])[];
}

/** A file, a folder or a symbolic link. */
export type Inode = File | Folder | Link;

/** A symbolic link, which never changes. */
export class Link {
  readonly target: string;

  constructor(target: string) {
    this.target = target;
  }
}

/** A file. */
export class File {
  durable: FileImage = { sizeBytes: 0, pages: new Map() };
  units: readonly (PageUnit | SizeUnit)[] = [];

  /** The content after some of the units, in their order. */
  imageOf(units: readonly (PageUnit | SizeUnit)[]): FileImage {
    let { sizeBytes } = this.durable;
    const pages = new Map(this.durable.pages);
    for (const unit of units) {
      if (unit.kind === "size") sizeBytes = unit.sizeBytes;
      else if (unit.bytes === undefined) pages.delete(unit.page);
      else pages.set(unit.page, unit.bytes);
    }
    return { sizeBytes, pages };
  }

  /** The content as programs see it. */
  get latest(): FileImage {
    return this.imageOf(this.units);
  }

  /** Writes bytes. */
  write(time: number, offset: number, bytes: Uint8Array): void {
    const { pages, sizeBytes } = this.latest;
    const units: (PageUnit | SizeUnit)[] = [...this.units];
    for (let at = 0; at < bytes.length;) {
      const page = Math.floor((offset + at) / PAGE_BYTES);
      const within = (offset + at) % PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - within, bytes.length - at);
      const content = pages.get(page)?.slice() ?? new Uint8Array(PAGE_BYTES);
      content.set(bytes.subarray(at, at + length), within);
      units.push({ kind: "page", time, page, bytes: content });
      at += length;
    }
    const end = offset + bytes.length;
    if (end > sizeBytes) units.push({ kind: "size", time, sizeBytes: end });
    this.units = units;
  }

  /** Makes bytes zero, whole pages of them without content. */
  punch(time: number, offset: number, lengthBytes: number): void {
    const end = offset + lengthBytes;
    const units: (PageUnit | SizeUnit)[] = [...this.units];
    for (const [page, content] of this.latest.pages) {
      const start = Math.max(offset - page * PAGE_BYTES, 0);
      const stop = Math.min(end - page * PAGE_BYTES, PAGE_BYTES);
      if (start >= stop) continue;
      const isWhole = start === 0 && stop === PAGE_BYTES;
      units.push({
        kind: "page",
        time,
        page,
        bytes: isWhole ? undefined : content.slice().fill(0, start, stop),
      });
    }
    this.units = units;
  }

  /** Changes the size. What is cut off is gone, and zeros when the file becomes longer again. */
  resize(time: number, sizeBytes: number): void {
    const before = this.latest.sizeBytes;
    if (sizeBytes < before) {
      const end = Math.ceil(before / PAGE_BYTES) * PAGE_BYTES;
      this.punch(time, sizeBytes, end - sizeBytes);
    }
    if (sizeBytes !== before) this.units = [...this.units, { kind: "size", time, sizeBytes }];
  }

  /** Makes durable what was done before a time. */
  sync(before: number): void {
    const [durable, rest] = split(this.units, before);
    this.durable = this.imageOf(durable);
    this.units = rest;
  }
}

/** A folder. */
export class Folder {
  durable: ReadonlyMap<string, Inode> = new Map();
  units: readonly NamesUnit[] = [];

  /** The names after some of the units, in their order. */
  namesOf(units: readonly NamesUnit[]): Map<string, Inode> {
    const names = new Map(this.durable);
    for (const unit of units) {
      for (const [folder, name, inode] of unit.names) {
        if (folder !== this) continue;
        if (inode === undefined) names.delete(name);
        else names.set(name, inode);
      }
    }
    return names;
  }

  /** The names as programs see them. */
  get latest(): ReadonlyMap<string, Inode> {
    return this.namesOf(this.units);
  }

  /** Makes durable what was done before a time. */
  sync(before: number): void {
    const [durable, rest] = split(this.units, before);
    this.durable = this.namesOf(durable);
    this.units = rest;
  }
}

/** Units of changes that were done before a time, and the others. */
function split<T extends Unit>(units: readonly T[], before: number): [T[], T[]] {
  return [units.filter(({ time }) => time <= before), units.filter(({ time }) => time > before)];
}
