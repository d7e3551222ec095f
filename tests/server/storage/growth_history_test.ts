import { assertEquals, assertThrows } from "@std/assert";
import {
  addSample,
  formatHistory,
  growthBytesPerDay,
  parseHistory,
  type SpaceSample,
} from "../../../lib/server/storage/growth_history.ts";
import { formatState, NewerStateError } from "../../../lib/store/state_text.ts";

const HOUR_MS = 60 * 60 * 1000;

/** Returns a history of the space that `/a` takes, of samples at these hours. */
function historyOf(...samples: readonly (readonly [hours: number, bytes: number])[]): readonly SpaceSample[] {
  return samples.reduce<readonly SpaceSample[]>(
    (history, [hours, bytes]) =>
      addSample(history, { atMs: hours * HOUR_MS, allocatedBytes: { "/a": bytes } }),
    [],
  );
}

function hoursOf(history: readonly SpaceSample[]): number[] {
  return history.map(({ atMs }) => atMs / HOUR_MS);
}

Deno.test("addSample() keeps samples of a week, four hours apart", () => {
  assertEquals(hoursOf(historyOf([0, 0], [3.9, 0], [4, 0], [5, 0])), [0, 4]);
  const month = Array.from({ length: 24 * 30 }, (_, hour) => [hour, 0] as const);
  const history = hoursOf(historyOf(...month));
  assertEquals([history.length, history[0], history.at(-1)], [42, 552, 716]);
});

Deno.test("addSample() drops what a clock that was wrong has recorded", () => {
  assertEquals(hoursOf(historyOf([1_000_000, 0], [10, 0])), [10]);
});

Deno.test("growthBytesPerDay() compares with the oldest sample", () => {
  const history = historyOf([0, 1000], [24, 9000], [48, 2000]);
  const now = { atMs: 48 * HOUR_MS, allocatedBytes: 3000 };
  assertEquals(growthBytesPerDay(history, "/a", now), 1000);
  assertEquals(growthBytesPerDay(history, "/a", { ...now, allocatedBytes: 0 }), -500);
});

Deno.test("growthBytesPerDay() does not guess", () => {
  const now = { atMs: 0.9 * HOUR_MS, allocatedBytes: 3000 };
  assertEquals(growthBytesPerDay([], "/a", now), undefined);
  assertEquals(growthBytesPerDay(historyOf([0, 0]), "/a", now), undefined);
  assertEquals(growthBytesPerDay(historyOf([0, 0]), "/b", { ...now, atMs: 24 * HOUR_MS }), undefined);
  // The latest sample is weeks old: it says nothing of now.
  assertEquals(growthBytesPerDay(historyOf([0, 0]), "/a", { ...now, atMs: 1000 * HOUR_MS }), undefined);
});

Deno.test("a history is read back from its text, and a damaged one is not", () => {
  const history = historyOf([0, 1000], [24, 9000]);
  assertEquals(parseHistory(formatHistory(history)), history);
  assertEquals(parseHistory(formatHistory([])), []);
  assertEquals(parseHistory(JSON.stringify({ version: 1, samples: history })), history, "an older version");
  const damaged = [
    "",
    "{}",
    "[]",
    '{"version":2,"samples":[]}',
    formatHistory(history).replace("9000", "9001"),
    formatState({ version: 2, body: { samples: {} } }),
    '{"version":1,"samples":[{"atMs":null,"allocatedBytes":{}}]}',
    '{"version":1,"samples":[{"atMs":1,"allocatedBytes":{"/a":"x"}}]}',
    '{"version":1,"samples":[{"atMs":1,"allocatedBytes":[]}]}',
  ];
  for (const text of damaged) assertThrows(() => parseHistory(text), SyntaxError, undefined, text);
  assertThrows(() => parseHistory(formatState({ version: 3, body: {} })), NewerStateError, "version 3");
});
