import { reasonOf } from "../provision/provision_error.ts";

/** A file, whatever its path leads to by now. */
export interface FileIdentity {
  readonly device: number;
  readonly inode: number | null;
  readonly sizeBytes: number;
}

/** A name by which a program reaches a file. */
export interface PinnedFile extends Disposable {
  readonly path: string;
  /** Why there is no such name. */
  readonly fault: string | undefined;
}

/** Finds out which file a path leads to, or returns why that is not possible. */
export function identify(path: string): FileIdentity | string {
  try {
    const { isFile, dev, ino, size } = Deno.lstatSync(path);
    return isFile ? { device: dev, inode: ino, sizeBytes: size } : "it is not a file";
  } catch (error) {
    return reasonOf(error);
  }
}

/**
 * Gives a file another name, which leads to it and to no other that takes its place: a hard link, until it is
 * disposed of. On another file system than `link`, where none can be made, it is the file's own path, looked at last
 * before the program starts. A program that finds another file would take from a copy that was put back what has been
 * deleted from the disk since.
 */
export function pinFile(path: string, link: string, identity: FileIdentity): PinnedFile {
  const hasLink = makeLink(path, link);
  const name = hasLink ? link : path;
  const fault = leadsTo(name, identity) ? undefined : "another file has taken its place";
  return { path: name, fault, [Symbol.dispose]: () => void (hasLink && removeLink(link)) };
}

function makeLink(path: string, link: string): boolean {
  try {
    Deno.linkSync(path, link);
    return true;
  } catch {
    return false;
  }
}

function removeLink(link: string): void {
  try {
    Deno.removeSync(link);
  } catch {
    // The next server removes it.
  }
}

function leadsTo(name: string, { device, inode }: FileIdentity): boolean {
  const found = identify(name);
  return typeof found !== "string" && found.device === device && found.inode === inode;
}
