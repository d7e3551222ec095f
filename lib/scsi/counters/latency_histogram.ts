/** Upper bounds of the latency classes, in milliseconds; one more class has no bound. */
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

/** The latencies of commands: the number in each class, the last of which has no bound, and their sum. */
export interface Latencies {
  readonly counts: readonly number[];
  readonly totalMs: number;
}

/** A histogram of command latencies with fixed classes. */
export class LatencyHistogram {
  readonly #counts = new Float64Array(LATENCY_BOUNDS_MS.length + 1);
  #totalMs = 0;

  /** Counts `count` commands of this latency. */
  add(elapsedMs: number, count: number): void {
    let index = 0;
    while (index < LATENCY_BOUNDS_MS.length && elapsedMs > LATENCY_BOUNDS_MS[index]!) index++;
    this.#counts[index]! += count;
    this.#totalMs += elapsedMs * count;
  }

  /** Adds the counts of another histogram. */
  addAll(other: LatencyHistogram): void {
    for (let index = 0; index < this.#counts.length; index++) this.#counts[index]! += other.#counts[index]!;
    this.#totalMs += other.#totalMs;
  }

  /** Returns the counts. */
  latencies(): Latencies {
    return { counts: [...this.#counts], totalMs: this.#totalMs };
  }
}

/**
 * Estimates a quantile of command latencies, in milliseconds, as if the commands were spread evenly over their class.
 * For a quantile in the unbounded class it returns the last bound.
 *
 * @param counts number of commands in each class
 * @param share from 0 to 1
 * @returns null when there are no commands
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
