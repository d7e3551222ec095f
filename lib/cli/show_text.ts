/** Formats texts and figures for people. */
import { formatSize } from "../config/size.ts";

const ELLIPSIS = "...";
const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 60 * MINUTE_SECONDS;
const DAY_SECONDS = 24 * HOUR_SECONDS;

/** Replaces the characters of an untrusted text that could control the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, "?");
}

/** Cuts the middle out of a long name: names usually differ at the end. */
export function shorten(text: string, columns: number): string {
  if (text.length <= columns) return text;
  const kept = Math.max(columns - ELLIPSIS.length, 0);
  const head = Math.floor(kept / 3);
  return `${text.slice(0, head)}${ELLIPSIS}${text.slice(text.length - (kept - head))}`.slice(0, columns);
}

/** Formats a duration in its two largest units: `3 d 4 h`, `12 m 5 s`. */
export function formatDuration(seconds: number): string {
  const units = [["d", DAY_SECONDS], ["h", HOUR_SECONDS], ["m", MINUTE_SECONDS], ["s", 1]] as const;
  const index = units.findIndex(([, unitSeconds]) => seconds >= unitSeconds);
  if (index < 0) return "0 s";
  const [name, unitSeconds] = units[index]!;
  const first = `${Math.floor(seconds / unitSeconds)} ${name}`;
  const next = units[index + 1];
  return next === undefined ? first : `${first} ${Math.floor(seconds % unitSeconds / next[1])} ${next[0]}`;
}

/** Formats a number of commands in a second: `12,345`, `0.4`. */
export function formatCount(count: number): string {
  const digits = count > 0 && count < 10 ? 1 : 0;
  return count.toFixed(digits).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Formats bytes in a second as megabytes with one decimal. */
export function formatMegabytes(bytes: number): string {
  return (bytes / 1024 ** 2).toFixed(1);
}

/** Formats a latency: `0.45 ms`, `12 ms`, `3.2 s`. */
export function formatLatency(ms: number | null): string {
  if (ms === null) return "-";
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms.toFixed(ms < 1 ? 2 : ms < 10 ? 1 : 0)} ms`;
}

/** Formats the growth of a day: `1.5 GB`, `-20 MB`. */
export function formatGrowth(bytesPerDay: number): string {
  const size = formatSize(Math.round(Math.abs(bytesPerDay)));
  return bytesPerDay < 0 ? `-${size}` : size;
}
