/** Time per byte of the page cache, rounded up: 2 GB/s. */
const FAST_MS_PER_BYTE = 1 / 2_000_000;

/**
 * Number of consecutive transfers of which one is timed while all are fast. Timing takes a tenth of a small transfer.
 * After a slow one, all transfers are timed until it no longer counts.
 */
const TIMED_ONE_IN = 16;

/** The share below which slow transfers are forgotten. */
const FORGOTTEN_SHARE = 0.01;

/** Weight of one transfer in the running share of slow ones. */
const WEIGHT = 1 / 16;

/**
 * The share of slow transfers above which they are done off the event loop. One slow transfer does not decide, because
 * an interruption can make a fast one look slow.
 */
const SLOW_SHARE = 0.25;

/** Fast transfers of one attempt after which transfers are done at once again. */
const FAST_TO_RETURN = 16;

/** Slow transfers that end an attempt. One that takes longer than any interruption counts as that many. */
const SLOW_TO_GIVE_UP = 3;
const SLOW_BEYOND_DOUBT_MS = 5;

/** The share of time for attempts (one hundredth), and their maximum interval. */
const ATTEMPT_TIME_FACTOR = 100;
const ATTEMPT_INTERVAL_MS_MAX = 2_000;

/**
 * The pace of a medium: from the durations of transfers it decides whether the next one should be done at once. Times
 * are in milliseconds.
 *
 * While transfers are fast, all are done at once. Once they are slow, only those of an attempt are, to detect when they
 * are fast again.
 */
export class Pace {
  readonly #fastMs: number;
  #slowShare = 0;
  #isSlow = false;
  #untimed = 0;
  #nextAttempt = 0;
  #fastCount = 0;
  #slowCount = 0;
  /** The shortest slow transfer of an attempt: the time of the medium, without interruptions. */
  #shortestSlowMs = 0;

  /** @param fastMs the time above which a small transfer is slow */
  constructor(fastMs: number) {
    this.#fastMs = fastMs;
  }

  /** True while transfers run off the event loop, except for attempts to return to it. */
  get isSlow(): boolean {
    return this.#isSlow;
  }

  /** Returns whether the next transfer is to be timed; an untimed one is to be done at once. */
  isTimed(): boolean {
    if (this.#isSlow || this.#slowShare > FORGOTTEN_SHARE) return true;
    this.#untimed = (this.#untimed + 1) % TIMED_ONE_IN;
    return this.#untimed === 0;
  }

  /** Returns whether a transfer that begins now should be done at once. */
  mayTry(now: number): boolean {
    return !this.#isSlow || now >= this.#nextAttempt;
  }

  /** Records a transfer that was done at once. */
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

  #endAttempt(timeMs: number, now: number): void {
    this.#nextAttempt = now + Math.min(timeMs * ATTEMPT_TIME_FACTOR, ATTEMPT_INTERVAL_MS_MAX);
    this.#fastCount = 0;
    this.#slowCount = 0;
    this.#shortestSlowMs = Infinity;
  }
}
