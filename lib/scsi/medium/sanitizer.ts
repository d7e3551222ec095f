import { writeUint16 } from "../../bytes/big_endian.ts";
import { Cancellation } from "../outcome/cancellation.ts";
import { checkCondition } from "../outcome/finished.ts";
import type { Outcome } from "../outcome/outcome.ts";
import type { RangeHold, RangeLocks } from "./range_locks.ts";
import type { CompletionMode, SanitizeRecord } from "./sanitize_record.ts";
import { encodeSense, Sense } from "../outcome/sense.ts";
import { Status } from "../outcome/status.ts";

/** SKSV: bytes 16 and 17 say how far something has come, in 65536ths (SPC-4, 4.5.2.4.4). */
const SKSV = 0x80;
const PROGRESS_WHOLE = 0x1_0000;

/** How a sanitize operation works. */
export interface SanitizeMethod {
  /** All the bytes that it goes over, each as often as it does. */
  readonly workBytes: number;
  /** Does it and makes it durable. It fails when it is cancelled before the end. */
  readonly perform: (supervision: SanitizeSupervision) => Promise<void>;
}

/** What goes on during a sanitize operation. */
export interface SanitizeSupervision {
  readonly cancellation: Cancellation;
  readonly onProgress: (bytes: number) => void;
}

/**
 * The sanitize operation of a logical unit (SBC-3, 4.11). It belongs to the unit and to no task: no reset and no lost
 * nexus ends it. While it is under way the unit does next to nothing else, and when it has failed nothing at all but
 * sanitize again, or, if the command allowed unrestricted exit (AUSE), leave that state.
 *
 * An operation that did not reach its end has failed, also when the server ended first: until another one completes,
 * nobody takes what it left for a sanitized medium.
 */
export class Sanitizer {
  readonly #ranges: RangeLocks;
  /** Where an operation that does not complete outlives the server; without it, it is forgotten with the unit. */
  #record: SanitizeRecord | undefined;
  readonly #cancellation = new Cancellation();
  #doneBytes = 0;
  #workBytes = 0;
  #isUnderWay = false;
  #failure: CompletionMode | undefined;
  #ended: Promise<void> = Promise.resolve();

  /** @param ranges those of the unit's medium */
  constructor(ranges: RangeLocks) {
    this.#ranges = ranges;
  }

  /** Takes over what was kept. Nothing may have been sanitized yet. */
  learn(record: SanitizeRecord): void {
    this.#record = record;
    this.#failure = record.unfinished;
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** The completion mode of the last operation if it has failed. */
  get failure(): CompletionMode | undefined {
    return this.#failure;
  }

  /** Why other commands are not executed; undefined when they are. */
  get outcome(): Outcome | undefined {
    if (this.#isUnderWay) return this.#progress();
    return this.#failure === undefined ? undefined : checkCondition(Sense.sanitizeCommandFailed);
  }

  /**
   * Carries a sanitize operation out; none may be under way. It begins when the transfers that were under way have
   * ended, so that nothing of them is there afterwards; who comes later is refused.
   *
   * @param mode what may be done after a failure
   * @throws {StoreError} (rejects) when the medium or the record fails
   * @throws {CancelledError} (rejects) when the unit goes before the end
   */
  sanitize(method: SanitizeMethod, mode: CompletionMode): Promise<void> {
    return this.#occupy(method.workBytes, () => this.#sanitize(method, mode));
  }

  /**
   * EXIT FAILURE MODE, which the operation that failed must have allowed; none may be under way.
   *
   * @throws {StoreError} (rejects) when the record fails; the failure stays then
   */
  exitFailureMode(): Promise<void> {
    return this.#occupy(1, async () => {
      await this.#record?.keep(undefined);
      this.#failure = undefined;
    });
  }

  /** The unit is about to go: what is under way fails. Resolves when it has ended. */
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
    // Transfers that are under way may pass often, but not for ever: no new ones begin.
    while (hold === undefined) hold = await this.#ranges.lock(0, Infinity).hold;
    try {
      this.#cancellation.throwIfCancelled();
      await this.#record?.keep(mode);
      // From the first block on, nothing but a completed operation makes the medium usable.
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
