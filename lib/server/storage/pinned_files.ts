import { setTimer } from "../../base/delay.ts";
import { type FileIdentity, isSameFile, pinFile, type PinnedFile } from "./pinned_file.ts";

/** Milliseconds between two searches for links that no request has used since the last search; these are removed. */
const SEARCH_MS = 500;

/** A hard link that requests share. */
interface SharedLink {
  readonly file: PinnedFile;
  readonly identity: FileIdentity;
  /** The requests that use it now. */
  users: number;
  /** True if a request has used it since the last search. */
  isRecent: boolean;
}

/**
 * The hard links by which the requests of a service reach files. To make and remove a link can take as long as a small
 * hole, so a link stays for the next requests of a burst. A file that cannot have one is checked for each request.
 */
export class PinnedFiles implements Disposable {
  readonly #linkTo: (path: string) => string;
  readonly #after: typeof setTimer;
  /** The links for the next requests, by the paths of the files. */
  readonly #links = new Map<string, SharedLink>();
  #cancelSearch: (() => void) | undefined;

  /**
   * @param linkTo returns the path of a new link to a file
   * @param after sets a timer
   */
  constructor(linkTo: (path: string) => string, after = setTimer) {
    this.#linkTo = linkTo;
    this.#after = after;
  }

  /** Pins a file for a request, until the result is disposed of. */
  pin(path: string, identity: FileIdentity): PinnedFile {
    const known = this.#links.get(path);
    if (known !== undefined && isSameFile(known.identity, identity)) return this.#use(path, known);
    this.drop(path);
    const file = pinFile(path, this.#linkTo(path), identity);
    if (!file.isLink || file.fault !== undefined) return file;
    const link = { file, identity, users: 0, isRecent: false };
    this.#links.set(path, link);
    return this.#use(path, link);
  }

  /** Drops the links to other files than these. */
  retain(identityOf: (path: string) => FileIdentity | undefined): void {
    for (const [path, { identity }] of this.#links) {
      const wanted = identityOf(path);
      if (wanted === undefined || !isSameFile(wanted, identity)) this.drop(path);
    }
  }

  /** Removes the link to a file as soon as no request uses it. The next request makes another. */
  drop(path: string): void {
    const link = this.#links.get(path);
    if (link === undefined) return;
    this.#links.delete(path);
    if (link.users === 0) link.file[Symbol.dispose]();
  }

  /** Drops all links, and makes others for later requests. */
  [Symbol.dispose](): void {
    for (const path of this.#links.keys()) this.drop(path);
    this.#cancelSearch?.();
    this.#cancelSearch = undefined;
  }

  #use(path: string, link: SharedLink): PinnedFile {
    link.users++;
    return { ...link.file, [Symbol.dispose]: () => this.#release(path, link) };
  }

  #release(path: string, link: SharedLink): void {
    link.users--;
    if (this.#links.get(path) === link) {
      link.isRecent = true;
      this.#cancelSearch ??= this.#after(SEARCH_MS, () => this.#search());
    } else if (link.users === 0) {
      link.file[Symbol.dispose]();
    }
  }

  /** Drops the links that no request has used since the last search. */
  #search(): void {
    this.#cancelSearch = undefined;
    for (const [path, link] of this.#links) {
      if (link.users > 0) continue;
      if (!link.isRecent) this.drop(path);
      link.isRecent = false;
    }
    if (this.#links.size > 0) this.#cancelSearch = this.#after(SEARCH_MS, () => this.#search());
  }
}
