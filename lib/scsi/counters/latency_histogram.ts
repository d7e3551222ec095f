/** Upper bounds of the classes that latencies are counted in, in milliseconds; one more class has no bound. */
export const LATENCY_BOUNDS_MS = [
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  25,
  50,
  100,
  250,
  500,
  1_000,
  2_500,
  10_000,
] as const;

/** How long commands took, as plain data: how many in each class, the last of which has no bound, and in all. */
export interface Latencies {
  readonly counts: readonly number[];
  readonly totalMs: number;
}

/** Counts how long commands take, in fixed classes. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(LATENCY_BOUNDS_MS.length + 1);
  #totalMs = 0;

  /** Counts `count` commands that took this long each. */
  add(elapsedMs: number, count: number): void {
    let index = 0;
    while (index < LATENCY_BOUNDS_MS.length && elapsedMs > LATENCY_BOUNDS_MS[index]!) index++;
    this.#counts[index]! += count;
    this.#totalMs += elapsedMs * count;
  }

  /** Counts all that another has counted. */
  addAll(other: LatencyHistogram): void {
    for (const [index, count] of other.#counts.entries()) this.#counts[index]! += count;
    this.#totalMs += other.#totalMs;
  }

  /** What has been counted. */
  latencies(): Latencies {
    return { counts: [...this.#counts], totalMs: this.#totalMs };
  }
}

/**
 * How long a share of the commands took at most, in milliseconds: an estimate, as if they were spread evenly over their
 * class. Of those that took longer than every bound, no more is known than the last bound.
 *
 * @param counts how many there are in each class
 * @param share from 0 to 1
 * @returns null when there are none
 */
export function latencyQuantileMs(counts: readonly number[], share: number): number | null {
  const rank = share * counts.reduce((sum, count) => sum + count, 0);
  if (rank === 0) return null;
  let below = 0;
  for (const [index, upperMs] of LATENCY_BOUNDS_MS.entries()) {
    const count = counts[index]!;
    const lowerMs = LATENCY_BOUNDS_MS[index - 1] ?? 0;
    if (below + count >= rank) return lowerMs + (upperMs - lowerMs) * (rank - below) / count;
    below += count;
  }
  return LATENCY_BOUNDS_MS.at(-1)!;
}
