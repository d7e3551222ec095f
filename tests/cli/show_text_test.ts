import { assertEquals } from "@std/assert";
import {
  formatCount,
  formatDuration,
  formatGrowth,
  formatLatency,
  formatMegabytes,
  printable,
  shorten,
} from "../../lib/cli/show_text.ts";

Deno.test("formatDuration() shows the two largest units", () => {
  const cases = [
    [0, "0 s"],
    [0.9, "0 s"],
    [59, "59 s"],
    [60, "1 m 0 s"],
    [3599, "59 m 59 s"],
    [3600, "1 h 0 m"],
    [
      86_399,
      "23 h 59 m",
    ],
    [86_400, "1 d 0 h"],
    [40_000_000, "462 d 23 h"],
  ] as const;
  for (const [seconds, text] of cases) assertEquals(formatDuration(seconds), text);
});

Deno.test("formatCount() groups digits, and has a tenth below 10", () => {
  const cases = [[0, "0"], [0.04, "0.0"], [9.94, "9.9"], [12, "12"], [999.6, "1,000"], [
    1_234_567,
    "1,234,567",
  ]] as const;
  for (const [count, text] of cases) assertEquals(formatCount(count), text);
});

Deno.test("formatLatency(), formatMegabytes() and formatGrowth() have units that fit", () => {
  const latencies = [[null, "-"], [0.004, "0.00 ms"], [0.456, "0.46 ms"], [4.56, "4.6 ms"], [999, "999 ms"], [
    1500,
    "1.5 s",
  ]] as const;
  for (const [ms, text] of latencies) assertEquals(formatLatency(ms), text);
  assertEquals(formatMegabytes(1.5 * 1024 ** 2), "1.5");
  assertEquals(formatGrowth(-(1024 ** 3)), "-1 GB");
  assertEquals(formatGrowth(0.4), "0 bytes");
});

Deno.test("shorten() takes out the middle, and keeps more of the end", () => {
  assertEquals(shorten("abcdef", 6), "abcdef");
  assertEquals(shorten("iqn.2011-07.com.example:89abcdef", 20), "iqn.2...ple:89abcdef");
  for (let columns = 0; columns < 40; columns++) {
    assertEquals(shorten("x".repeat(40), columns).length, columns);
  }
});

Deno.test("printable() removes the characters that control a terminal", () => {
  assertEquals(printable("a\x1b[2J\x07\x7f\u009bb\r\n"), "a?[2J???b??");
  assertEquals(printable("d\u00e9j\u00e0 vu"), "d\u00e9j\u00e0 vu");
});
