/** What the page cache takes for each byte, generously: 2 GB/s. */
const FAST_MS_PER_BYTE = 1 / 2_000_000;

/**
 * While all is fast only every so many transfers that follow one another are timed, since that takes a tenth of a small
 * one. A slow one among them has all of the following ones timed, for as long as it counts.
 */
const TIMED_ONE_IN = 16;

/** Below this share no slow transfer is remembered. */
const FORGOTTEN_SHARE = 0.01;

/** How much one transfer counts in the running share of slow ones. */
const WEIGHT = 1 / 16;

/**
 * From this share of slow transfers on they are done off the event loop. Being interrupted makes a fast transfer look
 * slow now and then, so that one alone must not decide.
 */
const SLOW_SHARE = 0.25;

/** So many fast transfers within one attempt, and they are done at once again. */
const FAST_TO_RETURN = 16;

/** So many slow ones, and the attempt is over. One that takes longer than any interruption counts for all. */
const SLOW_TO_GIVE_UP = 3;
const SLOW_BEYOND_DOUBT_MS = 5;

/** An attempt takes at most one hundredth of the time, and is made at least this often. */
const ATTEMPT_COST = 100;
const ATTEMPT_INTERVAL_MS_MAX = 2_000;

/**
 * Judges from how long transfers take whether the next one should be done at once. Times are in milliseconds.
 *
 * While transfers are fast, all are done at once. Once they are slow, only those of an attempt are, to see whether they
 * have become fast again.
 */
export class Pace {
  readonly #fastMs: number;
  #slowShare = 0;
  #isSlow = false;
  #untimed = 0;
  #nextAttempt = 0;
  #fastCount = 0;
  #slowCount = 0;
  /** The shortest slow transfer of an attempt: what the medium takes, without interruptions. */
  #shortestSlowMs = 0;

  /** @param fastMs a small transfer that takes longer is slow */
  constructor(fastMs: number) {
    this.#fastMs = fastMs;
  }

  /** Transfers are not done at once but to try it. */
  get isSlow(): boolean {
    return this.#isSlow;
  }

  /** Whether the next transfer is to be timed; one that is not is to be done at once. */
  isTimed(): boolean {
    if (this.#isSlow || this.#slowShare > FORGOTTEN_SHARE) return true;
    this.#untimed = (this.#untimed + 1) % TIMED_ONE_IN;
    return this.#untimed === 0;
  }

  /** Whether a transfer that begins now should be done at once. */
  mayTry(now: number): boolean {
    return !this.#isSlow || now >= this.#nextAttempt;
  }

  /** Takes note of a transfer that was done at once. */
  took(began: number, ended: number, bytes: number): void {
    const duration = ended - began;
    const wasSlow = duration > this.#fastMs + bytes * FAST_MS_PER_BYTE;
    this.#slowShare += ((wasSlow ? 1 : 0) - this.#slowShare) * WEIGHT;
    if (this.#isSlow) this.#judgeAttempt(wasSlow, duration, ended);
    else if (this.#slowShare > SLOW_SHARE) this.#becomeSlow(duration, ended);
  }

  #becomeSlow(duration: number, now: number): void {
    this.#isSlow = true;
    this.#endAttempt(duration, now);
  }

  #judgeAttempt(wasSlow: boolean, duration: number, now: number): void {
    if (!wasSlow) {
      this.#fastCount++;
      if (this.#fastCount >= FAST_TO_RETURN) this.#becomeFast();
      return;
    }
    this.#slowCount += duration > SLOW_BEYOND_DOUBT_MS ? SLOW_TO_GIVE_UP : 1;
    this.#shortestSlowMs = Math.min(this.#shortestSlowMs, duration);
    if (this.#slowCount >= SLOW_TO_GIVE_UP) this.#endAttempt(this.#shortestSlowMs * this.#slowCount, now);
  }

  #becomeFast(): void {
    this.#isSlow = false;
    this.#slowShare = 0;
  }

  #endAttempt(cost: number, now: number): void {
    this.#nextAttempt = now + Math.min(cost * ATTEMPT_COST, ATTEMPT_INTERVAL_MS_MAX);
    this.#fastCount = 0;
    this.#slowCount = 0;
    this.#shortestSlowMs = Infinity;
  }
}
