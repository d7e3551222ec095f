import { writeUint16 } from "../../bytes/big_endian.ts";
import { Cancellation } from "../outcome/cancellation.ts";
import { checkCondition } from "../outcome/finished.ts";
import type { Outcome } from "../outcome/outcome.ts";
import type { RangeHold, RangeLocks } from "./range_locks.ts";
import type { CompletionMode, EraseRecord, Unfinished } from "./erase_record.ts";
import { encodeSense, Sense, type SenseCondition } from "../outcome/sense.ts";
import { Status } from "../outcome/status.ts";

/** SKSV: bytes 16 and 17 are the progress in 65536ths (SPC-4, 4.5.2.4.4). */
const SKSV = 0x80;
const PROGRESS_WHOLE = 0x1_0000;

/** The conditions of other commands while an operation is running, and after it has failed. */
const CONDITIONS: Readonly<
  Record<"sanitize" | "format", { readonly inProgress: SenseCondition; readonly failed: SenseCondition }>
> = {
  sanitize: { inProgress: Sense.sanitizeInProgress, failed: Sense.sanitizeCommandFailed },
  format: { inProgress: Sense.formatInProgress, failed: Sense.mediumFormatCorrupted },
};

function kindOf(unfinished: Unfinished): keyof typeof CONDITIONS {
  return unfinished === "format" ? "format" : "sanitize";
}

/** The method of a sanitize or format operation. */
export interface EraseMethod {
  /** Total bytes of all passes. */
  readonly workBytes: number;
  /** Replaces all blocks and flushes. It fails when it is cancelled before the end. */
  readonly perform: (supervision: EraseSupervision) => Promise<void>;
}

/** Control of a sanitize or format operation. */
export interface EraseSupervision {
  readonly cancellation: Cancellation;
  readonly onProgress: (bytes: number) => void;
}

/**
 * The sanitize (SBC-3, 4.11) or format operation (4.33) of a logical unit, which replaces the content of all blocks. It
 * belongs to the unit and not to a task: neither a reset nor the loss of a nexus ends it. While it runs, the unit
 * refuses nearly all commands. After a failed sanitize operation it accepts only another SANITIZE and, if the command
 * allowed unrestricted exit (AUSE), EXIT FAILURE MODE. After a failed format operation it refuses access to the medium.
 *
 * An operation that did not complete has failed, also when the server ended first. Until another one completes, the
 * medium does not count as sanitized or formatted.
 */
export class Eraser {
  readonly #ranges: RangeLocks;
  /** The record of an incomplete operation; without it, a failure is forgotten when the unit is closed. */
  #record: EraseRecord | undefined;
  readonly #cancellation = new Cancellation();
  #doneBytes = 0;
  #workBytes = 0;
  #underWay: keyof typeof CONDITIONS | undefined;
  #failure: Unfinished | undefined;
  #ended: Promise<void> = Promise.resolve();

  /** @param ranges the range locks of the unit */
  constructor(ranges: RangeLocks) {
    this.#ranges = ranges;
  }

  /** Loads the record. It must be called before any operation. */
  load(record: EraseRecord): void {
    this.#record = record;
    this.#failure = record.unfinished;
  }

  get isUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  /** The last operation, if that failed. */
  get failure(): Unfinished | undefined {
    return this.#failure;
  }

  /** The outcome of other commands while they are refused; undefined when they are executed. */
  get outcome(): Outcome | undefined {
    if (this.#underWay !== undefined) return this.#progress(CONDITIONS[this.#underWay].inProgress);
    return this.#failure === undefined ? undefined : checkCondition(CONDITIONS[kindOf(this.#failure)].failed);
  }

  /**
   * Performs a sanitize operation; none may be running. It begins after the transfers that are under way, so none of
   * their data remains. Later commands are refused.
   *
   * @param mode the completion mode, for a failure
   * @throws {StoreError} (rejects) when the medium or the record fails
   * @throws {CancelledError} (rejects) when the unit is removed before the end
   */
  sanitize(method: EraseMethod, mode: CompletionMode): Promise<void> {
    return this.#replaceAll(method, mode);
  }

  /**
   * Performs a format operation; none may be running. It begins, and refuses commands, as a sanitize operation does.
   *
   * @throws {StoreError} (rejects) when the medium or the record fails
   * @throws {CancelledError} (rejects) when the unit is removed before the end
   */
  format(method: EraseMethod): Promise<void> {
    return this.#replaceAll(method, "format");
  }

  /**
   * Performs EXIT FAILURE MODE, which the failed operation must have allowed; no operation may be running.
   *
   * @throws {StoreError} (rejects) when the record fails; the failure remains then
   */
  exitFailureMode(): Promise<void> {
    return this.#occupy("sanitize", 1, async () => {
      await this.#record?.keep(undefined);
      this.#failure = undefined;
    });
  }

  /** Cancels the running operation before the unit is removed. Resolves when it has ended. */
  cancel(): Promise<void> {
    this.#cancellation.cancel();
    return this.#ended;
  }

  #occupy(kind: keyof typeof CONDITIONS, workBytes: number, work: () => Promise<void>): Promise<void> {
    this.#underWay = kind;
    this.#doneBytes = 0;
    this.#workBytes = workBytes;
    const done = work().finally(() => this.#underWay = undefined);
    this.#ended = done.catch(() => {});
    return done;
  }

  #replaceAll(method: EraseMethod, unfinished: Unfinished): Promise<void> {
    return this.#occupy(kindOf(unfinished), method.workBytes, async () => {
      let hold: RangeHold | undefined;
      // Running transfers may pass the request often, but not forever, because no new ones begin.
      while (hold === undefined) hold = await this.#ranges.lock(0, Infinity).hold;
      try {
        await this.#perform(method, unfinished);
      } finally {
        this.#ranges.release(hold);
      }
    });
  }

  async #perform(method: EraseMethod, unfinished: Unfinished): Promise<void> {
    this.#cancellation.throwIfCancelled();
    await this.#record?.keep(unfinished);
    // From here on, only a completed operation makes the medium usable.
    this.#failure = unfinished;
    await method.perform({
      cancellation: this.#cancellation,
      onProgress: (bytes) => this.#doneBytes += bytes,
    });
    await this.#record?.keep(undefined);
    this.#failure = undefined;
  }

  #progress(condition: SenseCondition): Outcome {
    const sense = encodeSense(condition);
    const share = Math.floor(this.#doneBytes / this.#workBytes * PROGRESS_WHOLE);
    sense[15] = SKSV;
    writeUint16(sense, 16, Math.min(share, PROGRESS_WHOLE - 1));
    return { status: Status.checkCondition, sense };
  }
}
