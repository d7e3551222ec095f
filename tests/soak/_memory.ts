/** The memory of a process over time, and whether it grows. */

/** The memory at a time. */
export interface Sample {
  readonly seconds: number;
  readonly mebibytes: number;
}

/** The trend of memory after the warm-up. */
export interface MemoryTrend {
  readonly meanMebibytes: number;
  /** The slope of the straight line that fits the samples best, by least squares. */
  readonly mebibytesPerHour: number;
  /** Growth along that line, from the first sample to the last. */
  readonly grownMebibytes: number;
  readonly isFlat: boolean;
}

/** The part of the time that is warm-up: buffers and pools reach their sizes. */
const WARM_UP_SHARE = 0.25;
const WARM_UP_SECONDS_MAX = 600;

/** Growth that is no trend: a garbage collection sooner or later. */
const NOISE_MEBIBYTES = 16;
const NOISE_SHARE = 0.1;

/** Fits a line to samples; undefined when there are too few. */
export function findTrend(samples: readonly Sample[]): MemoryTrend | undefined {
  const end = samples.at(-1)?.seconds ?? 0;
  const warmUp = Math.min(end * WARM_UP_SHARE, WARM_UP_SECONDS_MAX);
  const kept = samples.filter(({ seconds }) => seconds >= warmUp);
  if (kept.length < 3) return undefined;
  const meanSeconds = mean(kept.map(({ seconds }) => seconds));
  const meanMebibytes = mean(kept.map(({ mebibytes }) => mebibytes));
  let covariance = 0;
  let variance = 0;
  for (const { seconds, mebibytes } of kept) {
    covariance += (seconds - meanSeconds) * (mebibytes - meanMebibytes);
    variance += (seconds - meanSeconds) ** 2;
  }
  const slope = covariance / variance;
  const grownMebibytes = slope * (end - kept[0]!.seconds);
  return {
    meanMebibytes,
    mebibytesPerHour: slope * 3600,
    grownMebibytes,
    isFlat: grownMebibytes <= Math.max(NOISE_MEBIBYTES, meanMebibytes * NOISE_SHARE),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
