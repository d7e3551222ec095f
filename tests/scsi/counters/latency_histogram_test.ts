import { assertEquals } from "@std/assert";
import {
  LATENCY_BOUNDS_MS,
  LatencyHistogram,
  latencyQuantileMs,
} from "../../../lib/scsi/counters/latency_histogram.ts";

Deno.test("the bounds of latencies ascend", () => {
  assertEquals([...LATENCY_BOUNDS_MS], LATENCY_BOUNDS_MS.toSorted((a, b) => a - b));
  assertEquals(new Set(LATENCY_BOUNDS_MS).size, LATENCY_BOUNDS_MS.length);
});

Deno.test("LATENCY_BOUNDS_MS has 1, 2.5 and 5 times powers of ten only", () => {
  for (const bound of LATENCY_BOUNDS_MS) {
    const digits = bound.toExponential().replace(/e.*$/, "");
    assertEquals(["1", "2.5", "5"].includes(digits), true, `${bound} ms`);
  }
});

Deno.test("LatencyHistogram counts each latency in the first class that contains it", () => {
  for (const [index, bound] of LATENCY_BOUNDS_MS.entries()) {
    const histogram = new LatencyHistogram();
    histogram.add(bound, 1);
    histogram.add(bound + bound / 1000, 3);
    const { counts, totalMs } = histogram.latencies();
    assertEquals([counts[index], counts[index + 1]], [1, 3], `at ${bound} ms`);
    assertEquals(counts.length, LATENCY_BOUNDS_MS.length + 1);
    assertEquals(totalMs, bound + (bound + bound / 1000) * 3);
  }
});

Deno.test("LatencyHistogram adds another one", () => {
  const histograms = [new LatencyHistogram(), new LatencyHistogram()] as const;
  histograms[0].add(0, 2);
  histograms[1].add(0, 3);
  histograms[1].add(60_000, 1);
  histograms[0].addAll(histograms[1]);
  const { counts, totalMs } = histograms[0].latencies();
  assertEquals([counts[0], counts.at(-1), totalMs], [5, 1, 60_000]);
});

Deno.test("latencyQuantileMs() interpolates within the class of the quantile", () => {
  const histogram = new LatencyHistogram();
  assertEquals(latencyQuantileMs(histogram.latencies().counts, 0.5), null);
  histogram.add(3, 98);
  histogram.add(20_000, 2);
  const { counts } = histogram.latencies();
  const shares = [0.49, 0.98, 0.99, 1];
  assertEquals(shares.map((share) => latencyQuantileMs(counts, share)), [3.75, 5, 10_000, 10_000]);
});

Deno.test("latencyQuantileMs() never leaves the class of the quantile", () => {
  for (const ms of [0.01, 0.07, 0.3, 4, 60, 700, 9_999]) {
    const histogram = new LatencyHistogram();
    histogram.add(ms, 1_000);
    const upper = LATENCY_BOUNDS_MS.find((bound) => ms <= bound)!;
    const lower = LATENCY_BOUNDS_MS[LATENCY_BOUNDS_MS.indexOf(upper) - 1] ?? 0;
    for (const share of [0.001, 0.5, 0.99, 1]) {
      const estimate = latencyQuantileMs(histogram.latencies().counts, share)!;
      assertEquals(estimate > lower && estimate <= upper, true, `${estimate} ms for ${ms} ms`);
    }
  }
});
