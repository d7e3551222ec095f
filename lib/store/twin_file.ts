import { readIfPresent, replaceFileInFolder } from "./durable_file.ts";
import { FileActivity } from "./file_activity.ts";
import { storeError } from "./os_error.ts";
import { openIfPresent, writeSynced } from "./stable_storage.ts";
import { isIntactState, isState } from "./state_text.ts";

/** The smallest room of a copy: a block of any file system that holds it. */
const ROOM_BYTES_MIN = 4096;

interface TwinFileOptions {
  readonly activity?: FileActivity | undefined;
  readonly write?: typeof writeSynced;
}

/** The content of a `TwinFile` as it was found. */
export interface TwinText {
  /** Undefined when the file is not there. */
  readonly text: string | undefined;
  /** The file is not as `replace` leaves it: replacing the text by itself puts that right. */
  readonly needsRewrite: boolean;
  /** One of the two copies is damaged, or was only half written when the power went. */
  readonly isHalfDamaged: boolean;
}

/**
 * The text of a state file (`state_text.ts`) that can be replaced by one that is no longer, although the file system is
 * full.
 *
 * ```text
 *                0 | first copy, filled up with line feeds
 *  half the length | second copy, likewise
 * ```
 *
 * The file has all its blocks, written with real bytes, before the first text is promised, and is changed in place: the
 * first copy, then the second, each on stable storage before what follows. After a loss of power at any moment one copy
 * is whole, and it is that of the last change that was promised, or of the one under way. Once a change is promised
 * both copies hold it, so that damage to one of them is noticed and loses nothing. A text that is too long for a copy
 * makes a new and larger file, which takes the place of the one before.
 *
 * ext4 and XFS write blocks in place that a file has. So does btrfs for a file without copy-on-write, which a file made
 * in a folder with that attribute is. Where a file system copies on write, or shares the blocks with a snapshot or a
 * reflink, a change takes new blocks, and fails for lack of space as any other write does.
 */
export class TwinFile {
  readonly #path: string;
  readonly #activity: FileActivity;
  readonly #write: typeof writeSynced;
  /** The text that was last read or replaced. */
  #text: string | undefined;

  /**
   * @param activity counts what is under way off the event loop
   * @param write what writes a copy in place
   */
  constructor(path: string, { activity = new FileActivity(), write = writeSynced }: TwinFileOptions = {}) {
    this.#path = path;
    this.#activity = activity;
    this.#write = write;
  }

  /**
   * Reads the text, and makes what was read durable under its name.
   *
   * A file without an intact copy is taken as a whole, for one that an older version of this program has written: the
   * reader of the text decides.
   *
   * @throws {StoreError} of kind `readFailed`
   */
  read(): TwinText {
    const bytes = readIfPresent(this.#path, { makeDurable: true });
    if (bytes === undefined) return { text: undefined, needsRewrite: false, isHalfDamaged: false };
    const [first, second] = copiesIn(bytes);
    this.#text = first ?? second;
    if (this.#text === undefined) {
      return { text: wholeTextIn(bytes), needsRewrite: true, isHalfDamaged: false };
    }
    const isHalfDamaged = first === undefined || second === undefined;
    return { text: this.#text, needsRewrite: first !== second, isHalfDamaged };
  }

  /**
   * Puts a text in place of the one before, and resolves when it is on stable storage. One call at a time.
   *
   * @throws {StoreError} (rejects) of kind `writeFailed` or `outOfSpace` when that cannot be promised: the text before
   *   is still there then, or this one is
   */
  async replace(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    try {
      await this.#activity.during(this.#path, async () => {
        if (!await this.#replaceInPlace(bytes)) await replaceFileInFolder(this.#path, makeTwins(bytes));
      });
      this.#text = text.trimEnd();
    } catch (error) {
      throw storeError("writeFailed", `Cannot replace "${this.#path}"`, error);
    }
  }

  /** Returns false, having touched nothing, when the file has no room or no copy of the text before. */
  async #replaceInPlace(bytes: Uint8Array): Promise<boolean> {
    using file = await openIfPresent(this.#path);
    if (file === undefined || this.#text === undefined) return false;
    const before = await Deno.readFile(this.#path);
    const room = before.length / 2;
    const copies = copiesIn(before);
    if (room < bytes.length || !copies.includes(this.#text)) return false;
    // The copy that is relied on until the other one holds the new text comes last.
    const order = copies[0] === this.#text && copies[1] !== this.#text ? [room, 0] : [0, room];
    for (const offset of order) await this.#write(file, offset, fill(bytes, room));
    return true;
  }
}

/** Returns the intact copies in a file, with undefined in the place of one that is not. */
function copiesIn(bytes: Uint8Array): [first: string | undefined, second: string | undefined] {
  const room = bytes.length / 2;
  if (!isRoom(room)) return [undefined, undefined];
  const [first, second] = [bytes.subarray(0, room), bytes.subarray(room)].map(intactTextIn);
  return [first, second];
}

function intactTextIn(copy: Uint8Array): string | undefined {
  const text = decode(copy).trimEnd();
  return isIntactState(text) ? text : undefined;
}

/** Returns the text of a file without an intact copy: the whole, unless that makes no sense and there are copies. */
function wholeTextIn(bytes: Uint8Array): string {
  const whole = decode(bytes);
  const room = bytes.length / 2;
  return isState(whole) || !isRoom(room) ? whole : decode(bytes.subarray(0, room));
}

function makeTwins(bytes: Uint8Array): Uint8Array {
  let room = ROOM_BYTES_MIN;
  while (room < bytes.length) room *= 2;
  const file = new Uint8Array(2 * room);
  file.set(fill(bytes, room));
  file.set(fill(bytes, room), room);
  return file;
}

function isRoom(bytes: number): boolean {
  return bytes >= ROOM_BYTES_MIN && Number.isInteger(Math.log2(bytes));
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Fills a text up with line feeds, which JSON skips. */
function fill(bytes: Uint8Array, room: number): Uint8Array {
  const copy = new Uint8Array(room).fill("\n".charCodeAt(0));
  copy.set(bytes);
  return copy;
}
