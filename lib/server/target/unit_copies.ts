import { errorMessage } from "../../base/error_message.ts";
import type { Clock } from "../../iscsi/clock.ts";
import { chunksOf, type CopyBeforeWrite } from "../../store/copy_before_write.ts";
import type { FileActivity } from "../../store/file_activity.ts";
import { FileStore } from "../../store/file_store.ts";
import type { ServedUnit } from "./served_unit.ts";

/** Milliseconds after which a hold ends by itself: the copy that needs it has failed then. */
const HOLD_MS = 4_000;

const ENDED = "it has ended already";

/** The files that a copy shares with the worker. */
export interface CopyFiles {
  /** The file that keeps old bytes, as long as the LUN. */
  readonly keep: string;
  /** The map of chunks. */
  readonly map: string;
  /** The most bytes that may be kept. */
  readonly keptBytesMax: number;
}

/** A copy in the background. */
interface UnitCopy {
  readonly layer: CopyBeforeWrite;
  readonly end: () => Promise<string | null>;
  /** The reason for a failure; null after a success. */
  readonly ended: Promise<string | null>;
}

/** The worker's part of copies: it holds writes, or preserves what they change. The numbers are the supervisor's. */
export class UnitCopies {
  readonly #clock: Clock;
  readonly #copies = new Map<number, UnitCopy>();
  /** Functions that end holds. */
  readonly #holds = new Map<number, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Flushes a medium, waits until no operation on it is under way, and lets none begin before `unhold`.
   *
   * @throws {Error} (rejects) when the unit cannot be copied now, or its medium cannot be flushed
   */
  async hold(id: number, unit: ServedUnit): Promise<void> {
    unit.assertCopyable();
    // Sharing the blocks writes what is left, which is little then.
    await unit.flush();
    const release = await unit.seize();
    const end = (): void => {
      cancel();
      if (this.#holds.delete(id)) release();
    };
    const cancel = this.#clock.after(HOLD_MS, end);
    this.#holds.set(id, end);
  }

  /** Ends a hold, and returns whether it has lasted until now. */
  unhold(id: number): boolean {
    const end = this.#holds.get(id);
    end?.();
    return end !== undefined;
  }

  /**
   * Begins to preserve the content of this moment.
   *
   * @throws {Error} (rejects) when the files cannot be opened, or the unit is not ready
   */
  async begin(
    id: number,
    unit: ServedUnit,
    { keep: keepPath, map: mapPath, keptBytesMax }: CopyFiles,
    activity: FileActivity | undefined,
  ): Promise<void> {
    const { sizeBytes } = unit.logicalUnit.store;
    const files: FileStore[] = [];
    const open = (path: string, sizeBytes: number): FileStore => {
      files.push(FileStore.open(path, { sizeBytes, readOnly: false, activity }));
      return files.at(-1)!;
    };
    const ended = Promise.withResolvers<string | null>();
    try {
      const stores = { keep: open(keepPath, sizeBytes), map: open(mapPath, chunksOf(sizeBytes)) };
      const after = this.#clock.after.bind(this.#clock);
      const onFailed = (): void => void this.#copies.get(id)?.end();
      const { layer, remove } = await unit.preserve({ ...stores, after, onFailed, keptBytesMax });
      const end = async (): Promise<string | null> => {
        const failure = await layer.finish() ?? null;
        remove();
        if (this.#copies.delete(id)) { for (const file of files) file.close(); }
        ended.resolve(failure);
        return failure;
      };
      this.#copies.set(id, { layer, end, ended: ended.promise });
      if (layer.failure !== undefined) onFailed();
    } catch (error) {
      for (const file of files) file.close();
      throw new Error(errorMessage(error), { cause: error });
    }
  }

  /** Resolves when a copy has ended: to the reason for a failure, or to null. */
  async ended(id: number): Promise<string | null> {
    const copy = this.#copies.get(id);
    return copy === undefined ? ENDED : await copy.ended;
  }

  /** Ends a copy, and returns the reason for a failure, or null when all old content was preserved. */
  async end(id: number): Promise<string | null> {
    const copy = this.#copies.get(id);
    return copy === undefined ? ENDED : await copy.end();
  }
}
