import { writeUint16 } from "../bytes/big_endian.ts";
import { checkCondition } from "./finished.ts";
import type { Outcome } from "./outcome.ts";
import type { RangeHold, RangeLocks } from "./range_locks.ts";
import { encodeSense, Sense } from "./sense.ts";
import { Status } from "./status.ts";

/** SKSV: bytes 16 and 17 say how far something has come, in 65536ths (SPC-4, 4.5.2.4.4). */
const SKSV = 0x80;
const PROGRESS_WHOLE = 0x1_0000;

/** How a sanitize operation works. */
export interface SanitizeMethod {
  /** All the bytes that it goes over, each as often as it does. */
  readonly workBytes: number;
  /** Does it and makes it durable, until the end or until `isCancelled`. */
  readonly perform: (supervision: SanitizeSupervision) => Promise<void>;
}

/** What goes on during a sanitize operation. */
export interface SanitizeSupervision {
  readonly isCancelled: () => boolean;
  readonly onProgress: (bytes: number) => void;
}

/**
 * The sanitize operation of a logical unit (SBC-3, 4.11). It belongs to the unit and to no task: no reset and no lost
 * nexus ends it. While it is under way the unit does next to nothing else, and when it has failed nothing at all but
 * sanitize again, or, if the command allowed unrestricted exit (AUSE), leave that state.
 */
export class Sanitizer {
  readonly #ranges: RangeLocks;
  #doneBytes = 0;
  #workBytes = 0;
  #isUnderWay = false;
  #failure: "restricted" | "unrestricted" | undefined;
  #isCancelled = false;
  #ended: Promise<void> = Promise.resolve();

  /** @param ranges those of the unit's medium */
  constructor(ranges: RangeLocks) {
    this.#ranges = ranges;
  }

  get isUnderWay(): boolean {
    return this.#isUnderWay;
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
   * @param mayExitFailure AUSE: after a failure, EXIT FAILURE MODE may be used
   * @throws {StoreError} (rejects) when the medium fails
   */
  sanitize(method: SanitizeMethod, mayExitFailure: boolean): Promise<void> {
    this.#isUnderWay = true;
    this.#doneBytes = 0;
    this.#workBytes = method.workBytes;
    const work = this.#sanitize(method, mayExitFailure);
    this.#ended = work.catch(() => {});
    return work;
  }

  async #sanitize(method: SanitizeMethod, mayExitFailure: boolean): Promise<void> {
    let hold: RangeHold | undefined;
    // Transfers that are under way may pass often, but not for ever: no new ones begin.
    while (hold === undefined) hold = await this.#ranges.lock(0, Infinity).hold;
    try {
      await method.perform({
        isCancelled: () => this.#isCancelled,
        onProgress: (bytes) => this.#doneBytes += bytes,
      });
      this.#failure = undefined;
    } catch (error) {
      this.#failure = mayExitFailure ? "unrestricted" : "restricted";
      throw error;
    } finally {
      this.#isUnderWay = false;
      this.#ranges.release(hold);
    }
  }

  /** EXIT FAILURE MODE; false when the command that failed did not allow it. */
  exitFailureMode(): boolean {
    if (this.#failure === "restricted") return false;
    this.#failure = undefined;
    return true;
  }

  /** The unit is about to go: what is under way ends early, and leaves the rest as it is. Resolves when it has. */
  cancel(): Promise<void> {
    this.#isCancelled = true;
    return this.#ended;
  }

  #progress(): Outcome {
    const sense = encodeSense(Sense.sanitizeInProgress);
    const share = Math.floor(this.#doneBytes / this.#workBytes * PROGRESS_WHOLE);
    sense[15] = SKSV;
    writeUint16(sense, 16, Math.min(share, PROGRESS_WHOLE - 1));
    return { status: Status.checkCondition, sense };
  }
}
