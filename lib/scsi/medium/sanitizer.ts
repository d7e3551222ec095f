import { writeUint16 } from "../../bytes/big_endian.ts";
import { Cancellation } from "../outcome/cancellation.ts";
import { checkCondition } from "../outcome/finished.ts";
import type { Outcome } from "../outcome/outcome.ts";
import type { RangeHold, RangeLocks } from "./range_locks.ts";
import type { CompletionMode, SanitizeRecord } from "./sanitize_record.ts";
import { encodeSense, Sense } from "../outcome/sense.ts";
import { Status } from "../outcome/status.ts";

/** SKSV: bytes 16 and 17 are the progress in 65536ths (SPC-4, 4.5.2.4.4). */
const SKSV = 0x80;
const PROGRESS_WHOLE = 0x1_0000;

/** The method of a sanitize operation. */
export interface SanitizeMethod {
  /** Total bytes of all passes. */
  readonly workBytes: number;
  /** Sanitizes and flushes. It fails when it is cancelled before the end. */
  readonly perform: (supervision: SanitizeSupervision) => Promise<void>;
}

/** Control of a sanitize operation. */
export interface SanitizeSupervision {
  readonly cancellation: Cancellation;
  readonly onProgress: (bytes: number) => void;
}

/**
 * The sanitize operation of a logical unit (SBC-3, 4.11). It belongs to the unit and not to a task: neither a reset nor
 * the loss of a nexus ends it. While it runs, the unit refuses nearly all commands. After a failure it accepts only
 * another SANITIZE and, if the command allowed unrestricted exit (AUSE), EXIT FAILURE MODE.
 *
 * An operation that did not complete has failed, also when the server ended first. Until another one completes, the
 * medium does not count as sanitized.
 */
export class Sanitizer {
  readonly #ranges: RangeLocks;
  /** The record of an incomplete operation; without it, a failure is forgotten when the unit is closed. */
  #record: SanitizeRecord | undefined;
  readonly #cancellation = new Cancellation();
  #doneBytes = 0;
  #workBytes = 0;
  #isUnderWay = false;
  #failure: CompletionMode | undefined;
  #ended: Promise<void> = Promise.resolve();

  /** @param ranges the range locks of the unit */
  constructor(ranges: RangeLocks) {
    this.#ranges = ranges;
  }

  /** Loads the record. It must be called before any operation. */
  load(record: SanitizeRecord): void {
    this.#record = record;
    this.#failure = record.unfinished;
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** The completion mode of the last operation, if that failed. */
  get failure(): CompletionMode | undefined {
    return this.#failure;
  }

  /** The outcome of other commands while they are refused; undefined when they are executed. */
  get outcome(): Outcome | undefined {
    if (this.#isUnderWay) return this.#progress();
    return this.#failure === undefined ? undefined : checkCondition(Sense.sanitizeCommandFailed);
  }

  /**
   * Performs a sanitize operation; none may be running. It begins after the transfers that are under way, so none of
   * their data remains. Later commands are refused.
   *
   * @param mode the completion mode, for a failure
   * @throws {StoreError} (rejects) when the medium or the record fails
   * @throws {CancelledError} (rejects) when the unit is removed before the end
   */
  sanitize(method: SanitizeMethod, mode: CompletionMode): Promise<void> {
    return this.#occupy(method.workBytes, () => this.#sanitize(method, mode));
  }

  /**
   * Performs EXIT FAILURE MODE, which the failed operation must have allowed; no operation may be running.
   *
   * @throws {StoreError} (rejects) when the record fails; the failure remains then
   */
  exitFailureMode(): Promise<void> {
    return this.#occupy(1, async () => {
      await this.#record?.keep(undefined);
      this.#failure = undefined;
    });
  }

  /** Cancels the running operation before the unit is removed. Resolves when it has ended. */
  cancel(): Promise<void> {
    this.#cancellation.cancel();
    return this.#ended;
  }

  #occupy(workBytes: number, work: () => Promise<void>): Promise<void> {
    this.#isUnderWay = true;
    this.#doneBytes = 0;
    this.#workBytes = workBytes;
    const done = work().finally(() => this.#isUnderWay = false);
    this.#ended = done.catch(() => {});
    return done;
  }

  async #sanitize(method: SanitizeMethod, mode: CompletionMode): Promise<void> {
    let hold: RangeHold | undefined;
    // Running transfers may pass the request often, but not forever, because no new ones begin.
    while (hold === undefined) hold = await this.#ranges.lock(0, Infinity).hold;
    try {
      this.#cancellation.throwIfCancelled();
      await this.#record?.keep(mode);
      // From here on, only a completed operation makes the medium usable.
      this.#failure = mode;
      await method.perform({
        cancellation: this.#cancellation,
        onProgress: (bytes) => this.#doneBytes += bytes,
      });
      await this.#record?.keep(undefined);
      this.#failure = undefined;
    } finally {
      this.#ranges.release(hold);
    }
  }

  #progress(): Outcome {
    const sense = encodeSense(Sense.sanitizeInProgress);
    const share = Math.floor(this.#doneBytes / this.#workBytes * PROGRESS_WHOLE);
    sense[15] = SKSV;
    writeUint16(sense, 16, Math.min(share, PROGRESS_WHOLE - 1));
    return { status: Status.checkCondition, sense };
  }
}
