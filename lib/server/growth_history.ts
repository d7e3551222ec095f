/**
 * How backing files have grown: samples of the space that they took, some hours apart and not older than a week. It is
 * kept across restarts, as what a disk takes in a day is not known in the minutes after one.
 */
import { formatState, parseState } from "../store/state_text.ts";
import { isRecord } from "../base/is_record.ts";

const VERSION = 2;

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

/** How far samples are apart at least. */
export const SAMPLE_INTERVAL_MS = 4 * HOUR_MS;

/** A sample this old is not looked at any more. */
const SAMPLE_AGE_MAX_MS = 7 * DAY_MS;

/** What two samples must be apart for their difference to say anything about a day. */
const SPAN_MIN_MS = HOUR_MS;

/** What backing files took at a moment. */
export interface SpaceSample {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** By their paths. */
  readonly allocatedBytes: Readonly<Record<string, number>>;
}

/**
 * The history with a sample more, if it is time for one. What is too old, or from a clock that was wrong, is dropped.
 */
export function addSample(history: readonly SpaceSample[], sample: SpaceSample): readonly SpaceSample[] {
  const kept = history.filter(({ atMs }) => atMs <= sample.atMs && atMs >= sample.atMs - SAMPLE_AGE_MAX_MS);
  const last = kept.at(-1);
  const isDue = last === undefined || sample.atMs - last.atMs >= SAMPLE_INTERVAL_MS;
  return isDue ? [...kept, sample] : kept;
}

/** How much a file grows in a day, since the oldest sample that has it; undefined when none is old enough to say. */
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
 * Reads the history of a text.
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
