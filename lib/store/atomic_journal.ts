/**
 * The journal of atomic writes: a file with the record of the writes under way (`atomic_record.ts`).
 *
 * Writes that are requested while others are under way form the next round. A round has three steps. Its record is
 * written and made durable; then its writes are done and made durable; then the record is erased. So there is a record
 * of every write that may be torn, whatever ends the process or the machine.
 *
 * A record that survives its completed writes does no harm, because recovery recognizes them. But bytes that a later
 * write changes back from the new to the old ones look like a torn write. So a flush of the store is followed by a
 * flush of the journal before it is acknowledged, and by then the record is gone.
 */
import { dirname } from "@std/path";
import {
  BODY_OFFSET,
  encodeBody,
  encodeHeader,
  recordBytesMax,
  recordedBytes,
  SECTOR_BYTES,
} from "./atomic_record.ts";
import { keptJournalOf } from "./atomic_recovery.ts";
import { type BlockStore, StoreError } from "./block_store.ts";
import { FileActivity } from "./file_activity.ts";
import { FlushQueue } from "./flush_queue.ts";
import { storeError } from "./os_error.ts";
import type { FailedWrite, Replacement } from "./write_or_restore.ts";
import { openIfPresent, PRIVATE_FILE_MODE, syncPath, writeAll } from "./stable_storage.ts";
import { errorMessage } from "../base/error_message.ts";

/** A journal that keeps writes whole when the process dies or the power fails. */
export interface AtomicJournal {
  /**
   * Performs a write as a whole, or not at all if it fails or is interrupted. The caller lets no other write touch the
   * range meanwhile.
   *
   * @param write does the write, and restores the old bytes when it fails
   * @throws {StoreError} (rejects) when the journal fails, before anything is written; or with the error of the write
   */
  protect(replacement: Replacement, write: () => Promise<FailedWrite | undefined>): Promise<void>;

  /**
   * Resolves when no write that completed before the call can be undone, not even after a loss of power.
   *
   * @throws {StoreError} (rejects) of kind `flushFailed` when that cannot be guaranteed
   */
  flush(): Promise<void>;

  /**
   * Overwrites every byte of the store that the journal holds, and makes that durable.
   *
   * @throws {StoreError} (rejects) when it fails
   */
  erase(): Promise<void>;

  /** Closes the file. Nothing may be under way, and nothing may follow. */
  close(): void;
}

/** The options of an `AtomicJournalFile`. */
export interface AtomicJournalOptions {
  /** The store whose writes the journal protects. */
  readonly store: Pick<BlockStore, "flush">;
  /** The NAA designator of the logical unit. */
  readonly owner: string;
  /** Bytes of writes that fit into one record; a larger write has a record of its own. */
  readonly roomBytes: number;
  /** Counts the operations off the event loop. */
  readonly activity?: FileActivity | undefined;
}

/** A write that waits for its round. */
interface Request {
  readonly replacement: Replacement;
  readonly write: () => Promise<FailedWrite | undefined>;
  readonly done: PromiseWithResolvers<void>;
}

/** Bytes overwritten at a time. */
const PIECE_BYTES = 256 * 1024;

/** A journal in a file, which `recoverAtomicWrites` has examined. */
export class AtomicJournalFile implements AtomicJournal {
  readonly #path: string;
  readonly #store: Pick<BlockStore, "flush">;
  readonly #owner: string;
  readonly #bodyBytesMax: number;
  readonly #activity: FileActivity;
  #file: Deno.FsFile | undefined;
  /** The file name is durable. */
  #isNameDurable = false;
  /** The file may have unsynchronized content, of this process or the one before. */
  #isUnsynced = true;
  #waiting: Request[] = [];
  readonly #flushes = new FlushQueue({
    open: () => this.#openIfPresent(),
    sync: () => this.#sync(),
    toError: (cause) => this.#flushError(cause),
  });

  constructor(path: string, { store, owner, roomBytes, activity }: AtomicJournalOptions) {
    this.#path = path;
    this.#store = store;
    this.#owner = owner.toLowerCase();
    this.#bodyBytesMax = recordBytesMax(roomBytes);
    this.#activity = activity ?? new FileActivity();
  }

  protect(replacement: Replacement, write: () => Promise<FailedWrite | undefined>): Promise<void> {
    const done = Promise.withResolvers<void>();
    this.#waiting.push({ replacement, write, done });
    if (this.#waiting.length === 1) this.#flushes.run(() => this.#carryOutRound());
    return done.promise;
  }

  async flush(): Promise<void> {
    this.#flushes.throwIfFailed();
    if (this.#isUnsynced) await this.#flushes.flush();
  }

  erase(): Promise<void> {
    return this.#flushes.run(() =>
      this.#activity.during(this.#path, async () => {
        await erase(this.#path);
        const keptPath = keptJournalOf(this.#path);
        if (await erase(keptPath)) await Deno.remove(keptPath);
      })
    );
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  /** Performs the waiting writes, as far as one record has room. Reports to their callers, and never throws. */
  async #carryOutRound(): Promise<void> {
    const round = this.#takeRound();
    try {
      this.#flushes.throwIfFailed();
      await this.#record(round.map(({ replacement }) => replacement));
    } catch (error) {
      for (const { done } of round) done.reject(error);
      return;
    }
    const failures = await Promise.all(round.map(({ write }) => write()));
    const failure = await this.#conclude(failures);
    for (const [index, { done }] of round.entries()) {
      const failed = failures[index] ?? failure;
      if (failed === undefined) done.resolve();
      else done.reject(failed.error);
    }
  }

  #takeRound(): Request[] {
    let [count, bytes] = [0, 0];
    for (const { replacement: { offset, old } } of this.#waiting) {
      bytes += recordedBytes(offset, old.length);
      if (count > 0 && bytes > this.#bodyBytesMax) break;
      count++;
    }
    const round = this.#waiting.splice(0, count);
    if (this.#waiting.length > 0) this.#flushes.run(() => this.#carryOutRound());
    return round;
  }

  async #record(replacements: readonly Replacement[]): Promise<void> {
    const body = encodeBody(replacements);
    await this.#write(BODY_OFFSET, body);
    await this.#write(0, encodeHeader(this.#owner, body, replacements.length));
    await this.#flushes.sync();
  }

  /** Makes the writes of a round durable and erases their record. While one of them is torn, the record remains. */
  async #conclude(failures: readonly (FailedWrite | undefined)[]): Promise<{ error: unknown } | undefined> {
    const torn = failures.find((failed) => failed?.isTorn);
    try {
      if (torn !== undefined) throw torn.error;
      await this.#store.flush();
      await this.#write(0, new Uint8Array(SECTOR_BYTES));
      return undefined;
    } catch (error) {
      // A record that cannot be erased may undo later writes, so no flush can be guaranteed.
      this.#flushes.fail(error);
      return { error };
    }
  }

  async #write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#isUnsynced = true;
    try {
      await this.#activity.during(this.#path, async () => {
        this.#file ??= await Deno.open(this.#path, {
          read: true,
          write: true,
          create: true,
          mode: PRIVATE_FILE_MODE,
        });
        await writeAll(this.#file, offset, bytes);
      });
    } catch (error) {
      throw storeError("writeFailed", `Cannot write journal "${this.#path}"`, error);
    }
  }

  async #openIfPresent(): Promise<void> {
    this.#file ??= await openIfPresent(this.#path);
  }

  /** Makes the file durable, and its name the first time. */
  async #sync(): Promise<void> {
    const file = this.#file;
    if (file !== undefined) await this.#activity.during(this.#path, () => this.#syncFile(file));
    this.#isUnsynced = false;
  }

  async #syncFile(file: Deno.FsFile): Promise<void> {
    if (this.#isNameDurable) return await file.syncData();
    await file.sync();
    await syncPath(dirname(this.#path));
    this.#isNameDurable = true;
  }

  #flushError(cause: unknown): StoreError {
    const reason = errorMessage(cause);
    return new StoreError("flushFailed", `Cannot flush journal "${this.#path}": ${reason}`, { cause });
  }
}

/** Overwrites a file with zeros and makes that durable; returns false when there is no file. */
async function erase(path: string): Promise<boolean> {
  try {
    using file = await openIfPresent(path);
    if (file === undefined) return false;
    // Not by `stat`, for which Deno needs a right to the real path.
    const size = await file.seek(0, Deno.SeekMode.End);
    const zeros = new Uint8Array(PIECE_BYTES);
    for (let at = 0; at < size; at += PIECE_BYTES) await writeAll(file, at, zeros.subarray(0, size - at));
    await file.sync();
    return true;
  } catch (error) {
    throw storeError("writeFailed", `Cannot erase journal "${path}"`, error);
  }
}
