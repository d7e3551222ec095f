import { assertEquals } from "@std/assert";
import { formatSize, parseSize, SIZE_BYTES_MAX } from "../../lib/config/size.ts";

const MB = 1024 ** 2;
const GB = 1024 ** 3;
const TB = 1024 ** 4;

Deno.test("parseSize() reads numbers with and without unit", () => {
  const rows = [
    ["750GB", 750 * GB],
    ["500mb", 500 * MB],
    ["2Tb", 2 * TB],
    ["1.5TB", 1.5 * TB],
    ["0.5MB", 0.5 * MB],
    ["1.50000GB", 1.5 * GB],
    ["0.00048828125MB", 512],
    ["007GB", 7 * GB],
    ["1048576", MB],
    ["1073741824", GB],
    ["8192TB", SIZE_BYTES_MAX],
    ["9007199254740992", SIZE_BYTES_MAX],
    ["8191.999999999534338712692260742187500TB", SIZE_BYTES_MAX - 512],
  ] as const;
  for (const [text, sizeBytes] of rows) {
    assertEquals(parseSize(text), { sizeBytes, problem: undefined }, text);
  }
});

Deno.test("parseSize() doubts a number of bytes below 1 MB", () => {
  for (const sizeBytes of [512, 1024, 2 ** 20 - 512]) {
    assertEquals(parseSize(String(sizeBytes)), {
      sizeBytes,
      problem: undefined,
      doubt: `is ${sizeBytes} bytes without a unit; did you mean "${sizeBytes}MB" or "${sizeBytes}GB"?`,
    });
  }
});

Deno.test("parseSize() returns the remedy for an invalid size", () => {
  const form = "write a number with MB, GB or TB, such as 750GB";
  const empty = "a LUN has at least one block, 512 bytes";
  const large = "a LUN has at most 8192TB";
  const rows = [
    ["", form],
    ["GB", form],
    ["750 GB", 'did you mean "750GB"?'],
    ["1,5GB", 'did you mean "1.5GB"?'],
    ["1,000g", 'did you mean "1000GB"?'],
    ["1,0000GB", 'did you mean "1.0000GB"?'],
    ["3p", 'did you mean "3072TB"?'],
    ["750KB", form],
    ["750G", 'did you mean "750GB"?'],
    ["1.5t", 'did you mean "1.5TB"?'],
    ["512MiB", 'did you mean "512MB"?'],
    ["750K", form],
    ["-1GB", form],
    ["+1GB", form],
    ["1.GB", form],
    [".5GB", form],
    ["1e3GB", form],
    ["0x10GB", form],
    ["\u0667GB", form],
    ["512.0", "bytes are whole; write a unit, such as 1.5GB"],
    ["0", empty],
    ["0.0TB", empty],
    ["8192.0001TB", large],
    ["9007199254741504", large],
    [`${"9".repeat(40)}TB`, large],
    ["9".repeat(41), "write at most 40 digits"],
    [`0.${"0".repeat(41)}GB`, "write at most 40 digits"],
    ["1048577", "it is not a whole number of 512-byte blocks; write 1048576 or 1049088"],
    ["750", 'without a unit it is 750 bytes, not whole blocks of 512; did you mean "750MB" or "750GB"?'],
    ["1", 'without a unit it is 1 bytes, not whole blocks of 512; did you mean "1MB" or "1GB"?'],
    ["1.3GB", "it is not a whole number of 512-byte blocks; write 1395864064 or 1395864576"],
  ] as const;
  for (const [text, problem] of rows) {
    assertEquals(parseSize(text), { sizeBytes: undefined, problem }, text);
  }
});

Deno.test("formatSize() takes the largest exact unit, and rounds when no result is short", () => {
  const rows = [
    [0, "0 bytes"],
    [1, "1 byte"],
    [512, "512 bytes"],
    [1024, "1 KB"],
    [1536, "1.5 KB"],
    [500 * MB, "500 MB"],
    [750 * GB, "750 GB"],
    [1.5 * TB, "1.5 TB"],
    [1.25 * TB, "1.25 TB"],
    [1025 * GB, "1025 GB"],
    [1000 * GB, "1000 GB"],
    [SIZE_BYTES_MAX, "8192 TB"],
    [GB + 512, "1 GB"],
    [123_456_789_012, "114.98 GB"],
  ] as const;
  for (const [sizeBytes, text] of rows) assertEquals(formatSize(sizeBytes), text);
});
