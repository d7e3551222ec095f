/** Above this a transfer has waited for something: four to ten times what the page cache takes for 4 KiB. */
const FAST_MS = 0.025;

/** What the page cache takes for each byte beside that, generously: 2 GB/s. */
const FAST_MS_PER_BYTE = 1 / 2_000_000;

/** How much one transfer counts in the running share of slow ones. */
const WEIGHT = 1 / 16;

/**
 * From this share of slow transfers on they are done off the event loop, and below the other at once again. Being
 * interrupted makes a fast transfer look slow now and then, so that one alone must not decide.
 */
const SLOW_FROM = 0.25;
const FAST_BELOW = 0.1;

/** While transfers are slow, trying takes at most one hundredth of the time; a try is due at least this often. */
const TRY_COST = 100;
const TRY_INTERVAL_MS_MAX = 2_000;

/** Judges from how long transfers take whether the next one should be done at once. Times are in milliseconds. */
export class Pace {
  #slowShare = 0;
  #isSlow = false;
  #nextTry = 0;

  /** Whether a transfer that begins now should be done at once: always while they are fast, now and then while slow. */
  mayTry(now: number): boolean {
    return !this.#isSlow || now >= this.#nextTry;
  }

  /** Takes note of a transfer that was done at once. */
  took(began: number, ended: number, bytes: number): void {
    const duration = ended - began;
    const wasSlow = duration > FAST_MS + bytes * FAST_MS_PER_BYTE;
    this.#slowShare += ((wasSlow ? 1 : 0) - this.#slowShare) * WEIGHT;
    if (this.#isSlow) this.#isSlow = this.#slowShare > FAST_BELOW;
    else this.#isSlow = this.#slowShare > SLOW_FROM;
    // After a fast one the next is tried at once; after a slow one only when its cost has been forgotten.
    this.#nextTry = wasSlow ? ended + Math.min(duration * TRY_COST, TRY_INTERVAL_MS_MAX) : ended;
  }
}
