/**
 * The growth of backing files: samples of their space, some hours apart and at most a week old. The history survives
 * restarts, because the growth per day takes hours to measure.
 */
import { formatState, parseState } from "../../store/state_text.ts";
import { isRecord } from "../../base/is_record.ts";

const VERSION = 2;

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

/** Shortest time between two samples. */
export const SAMPLE_INTERVAL_MS = 4 * HOUR_MS;

/** Age at which a sample is dropped. */
const SAMPLE_AGE_MAX_MS = 7 * DAY_MS;

/** Shortest time between two samples from which growth is computed. */
const SPAN_MIN_MS = HOUR_MS;

/** The space that backing files took at one time. */
export interface SpaceSample {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Allocated bytes by path. */
  readonly allocatedBytes: Readonly<Record<string, number>>;
}

/**
 * Returns the history with another sample, if one is due. Drops samples that are too old or lie in the future.
 */
export function addSample(history: readonly SpaceSample[], sample: SpaceSample): readonly SpaceSample[] {
  const kept = history.filter(({ atMs }) => atMs <= sample.atMs && atMs >= sample.atMs - SAMPLE_AGE_MAX_MS);
  const last = kept.at(-1);
  const isDue = last === undefined || sample.atMs - last.atMs >= SAMPLE_INTERVAL_MS;
  return isDue ? [...kept, sample] : kept;
}

/** Returns the growth of a file per day since its oldest sample; undefined when that is too recent. */
export function growthBytesPerDay(
  history: readonly SpaceSample[],
  path: string,
  now: { readonly atMs: number; readonly allocatedBytes: number },
): number | undefined {
  const first = history.find(({ atMs, allocatedBytes }) =>
    Object.hasOwn(allocatedBytes, path) && atMs >= now.atMs - SAMPLE_AGE_MAX_MS
  );
  if (first === undefined || now.atMs - first.atMs < SPAN_MIN_MS) return undefined;
  return (now.allocatedBytes - first.allocatedBytes[path]!) / (now.atMs - first.atMs) * DAY_MS;
}

/** Returns the history as the text of a state file. */
export function formatHistory(samples: readonly SpaceSample[]): string {
  return formatState({ version: VERSION, body: { samples } });
}

/**
 * Parses a history.
 *
 * @throws {SyntaxError} when the text is damaged
 * @throws {NewerStateError} when a newer version of this program has written it
 */
export function parseHistory(text: string): readonly SpaceSample[] {
  const { samples } = parseState(text, VERSION).body;
  if (!Array.isArray(samples) || !samples.every(isSample)) throw new SyntaxError("it is not a history");
  return samples;
}

function isSample(value: unknown): value is SpaceSample {
  if (!isRecord(value)) return false;
  const { atMs, allocatedBytes } = value;
  return Number.isFinite(atMs) && isRecord(allocatedBytes) &&
    Object.values(allocatedBytes).every(Number.isFinite);
}
