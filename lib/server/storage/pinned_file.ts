import { reasonOf } from "../../provision/provision_error.ts";

/** The identity of a file, independent of its path. */
export interface FileIdentity {
  readonly device: number;
  readonly inode: number | null;
  readonly sizeBytes: number;
}

/** A path by which a helper program opens a file. */
export interface PinnedFile extends Disposable {
  readonly path: string;
  /** True if the path is a hard link, which leads to the same file until its disposal. */
  readonly isLink: boolean;
  /** The reason for which there is no such path. */
  readonly fault: string | undefined;
}

/** Returns whether two identities are of one file, which may have grown. */
export function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return one.device === other.device && one.inode === other.inode;
}

/** Returns the identity of the file at a path, or the reason for which it cannot be read. */
export function identify(path: string): FileIdentity | string {
  try {
    const { isFile, dev, ino, size } = Deno.lstatSync(path);
    return isFile ? { device: dev, inode: ino, sizeBytes: size } : "it is not a file";
  } catch (error) {
    return reasonOf(error);
  }
}

/**
 * Creates a hard link to a file, which a replacement of the file does not affect, and removes it on disposal. If `link`
 * is on another file system, the path is the file's own, checked just before the program starts. Holes punched in a
 * replacement, such as a restored backup, would destroy its data.
 */
export function pinFile(path: string, link: string, identity: FileIdentity): PinnedFile {
  const hasLink = makeLink(path, link);
  const name = hasLink ? link : path;
  const fault = leadsTo(name, identity) ? undefined : "another file has taken its place";
  return { path: name, isLink: hasLink, fault, [Symbol.dispose]: () => void (hasLink && removeLink(link)) };
}

/** Returns a node of a block device, which no replacement affects, because it contains the number of the device. */
export function pinNode(node: string): PinnedFile {
  return { path: node, isLink: false, fault: undefined, [Symbol.dispose]: () => {} };
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

function leadsTo(name: string, identity: FileIdentity): boolean {
  const found = identify(name);
  return typeof found !== "string" && isSameFile(found, identity);
}
