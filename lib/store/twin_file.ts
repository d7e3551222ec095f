import { readIfPresent, replaceFileInFolder } from "./durable_file.ts";
import { FileActivity } from "./file_activity.ts";
import { storeError } from "./os_error.ts";
import { openIfPresent, writeSynced } from "./stable_storage.ts";
import { isIntactState, isState } from "./state_text.ts";

/** The minimum size of a copy: a block of any file system that it may be on. */
const ROOM_BYTES_MIN = 4096;

interface TwinFileOptions {
  readonly activity?: FileActivity | undefined;
  readonly write?: typeof writeSynced;
}

/** The content of a `TwinFile` as it was read. */
export interface TwinText {
  /** Undefined without a file. */
  readonly text: string | undefined;
  /** The file is not as `replace` leaves it; replacing the text by itself repairs that. */
  readonly needsRewrite: boolean;
  /** One of the two copies is damaged, or was being written when the power failed. */
  readonly isHalfDamaged: boolean;
}

/**
 * The text of a state file (`state_text.ts`). On a full file system it can still be replaced, unless the new text is
 * longer.
 *
 * ```text
 *                0 | first copy, padded with line feeds
 *  half the length | second copy, likewise
 * ```
 *
 * All blocks of the file are written with real bytes before the first text is acknowledged, and changed in place: the
 * first copy, then the second, each put on stable storage before the next step. After a loss of power at any moment one
 * copy is whole. It holds the last acknowledged change, or the one under way. Once a change is acknowledged, both
 * copies hold it, so damage to one of them is detected and loses nothing. A text that is too long for a copy makes a
 * new and larger file, which replaces the old one.
 *
 * ext4 and XFS overwrite allocated blocks in place. So does btrfs for a file without copy-on-write, which is the case
 * for a file in a folder with that attribute. Where a file system copies on write, or shares the blocks with a snapshot
 * or a reflink, a change allocates blocks, and fails for lack of space like any other write.
 */
export class TwinFile {
  readonly #path: string;
  readonly #activity: FileActivity;
  readonly #write: typeof writeSynced;
  /** The text that was last read or written. */
  #text: string | undefined;

  /**
   * @param activity counts the operations off the event loop
   * @param write writes a copy in place
   */
  constructor(path: string, { activity = new FileActivity(), write = writeSynced }: TwinFileOptions = {}) {
    this.#path = path;
    this.#activity = activity;
    this.#write = write;
  }

  /**
   * Reads the text, and puts it and its name on stable storage.
   *
   * A file without an intact copy is returned as a whole, because an older version of this program may have written it:
   * the caller decides.
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
   * Replaces the text, and resolves when the new one is on stable storage. One call at a time.
   *
   * @throws {StoreError} (rejects) of kind `writeFailed` or `outOfSpace`; the file holds the old text then, or the new
   *   one
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

  /**
   * Replaces the text in the existing file. Returns false, having changed nothing, when the file has no room or no copy
   * of the old text.
   */
  async #replaceInPlace(bytes: Uint8Array): Promise<boolean> {
    using file = await openIfPresent(this.#path);
    if (file === undefined || this.#text === undefined) return false;
    const before = await Deno.readFile(this.#path);
    const room = before.length / 2;
    const copies = copiesIn(before);
    if (room < bytes.length || !copies.includes(this.#text)) return false;
    // The intact copy is written last, when the other one holds the new text.
    const order = copies[0] === this.#text && copies[1] !== this.#text ? [room, 0] : [0, room];
    for (const offset of order) await this.#write(file, offset, fill(bytes, room));
    return true;
  }
}

/** Returns the copies in a file, with undefined for a copy that is not intact. */
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

/**
 * Returns the text of a file without an intact copy: the whole file, or its first half when only that can be a copy.
 */
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

/** Pads a text with line feeds, which JSON skips. */
function fill(bytes: Uint8Array, room: number): Uint8Array {
  const copy = new Uint8Array(room).fill("\n".charCodeAt(0));
  copy.set(bytes);
  return copy;
}
