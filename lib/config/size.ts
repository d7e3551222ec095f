/** Sizes as people write them. Units are powers of 1024. */

/** The bytes of the smallest block. */
const BLOCK_BYTES = 512;
/** The most bytes of one LUN: 8 PiB, the range of exact integers. */
export const SIZE_BYTES_MAX = 2 ** 53;

/** The size of a LUN that is as large as its block device, until the device is measured. */
export const SIZE_OF_DEVICE = 0;

const UNIT_BYTES = { TB: 2 ** 40, GB: 2 ** 30, MB: 2 ** 20, KB: 2 ** 10 } as const;

/** A size, or the problem with the text and its remedy. */
export type ParsedSize =
  | {
    readonly sizeBytes: number;
    readonly problem: undefined;
    /** The reason why the user may mean another size, as the predicate of a sentence. */
    readonly doubt?: string;
  }
  | { readonly sizeBytes: undefined; readonly problem: string };

/**
 * Reads the size of a LUN: `750GB`, `1.5tb` or a number of bytes. `MB`, `GB` and `TB` may be written in any letter
 * case. The result is a whole number of 512-byte blocks, from one to 8 PiB.
 */
export function parseSize(text: string): ParsedSize {
  const match = /^(\d+)(?:\.(\d+))?(MB|GB|TB)?$/i.exec(text);
  if (!match) return problem(remedyFor(text));
  const [, whole = "", fraction = "", unit = ""] = match;
  if (fraction !== "" && unit === "") return problem("bytes are whole; write a unit, such as 1.5GB");
  // Longer numbers exceed the limits, and would take time to convert.
  if (whole.length > 40 || fraction.length > 40) return problem("write at most 40 digits");
  const unitBytes = BigInt(unit === "" ? 1 : UNIT_BYTES[unit.toUpperCase() as keyof typeof UNIT_BYTES]);
  const scale = 10n ** BigInt(fraction.length);
  const scaledBytes = BigInt(whole + fraction) * unitBytes;
  if (scaledBytes === 0n) return problem("a LUN has at least one block, 512 bytes");
  if (scaledBytes > BigInt(SIZE_BYTES_MAX) * scale) return problem("a LUN has at most 8192TB");
  const scaledBlock = BigInt(BLOCK_BYTES) * scale;
  const lacksUnit = unit === "" && scaledBytes < BigInt(UNIT_BYTES.MB);
  if (lacksUnit && scaledBytes % scaledBlock !== 0n) {
    return problem(`without a unit it is ${text} bytes, not whole blocks of 512; ${withUnit(text)}`);
  }
  if (scaledBytes % scaledBlock !== 0n) {
    const below = scaledBytes / scaledBlock;
    const choices = [below, below + 1n].filter((blocks) => blocks > 0n).map((blocks) => blocks * 512n);
    return problem(`it is not a whole number of 512-byte blocks; write ${choices.join(" or ")}`);
  }
  const size = { sizeBytes: Number(scaledBytes / scale), problem: undefined };
  return lacksUnit ? { ...size, doubt: `is ${text} bytes without a unit; ${withUnit(text)}` } : size;
}

function withUnit(number: string): string {
  return `did you mean "${number}MB" or "${number}GB"?`;
}

/**
 * Formats a number of bytes for people: `750 GB`, `1.5 TB`, `1025 GB`, `512 bytes`. The unit is the largest in which
 * two decimals are exact and the number is short; without one, the result is rounded (`114.98 GB`).
 */
export function formatSize(sizeBytes: number): string {
  const units = Object.entries(UNIT_BYTES).filter(([, unitBytes]) => sizeBytes >= unitBytes);
  const exact = units.find(([, unitBytes]) => {
    return Number.isInteger(sizeBytes * 100 / unitBytes) && sizeBytes / unitBytes < 10_240;
  });
  const [unit, unitBytes] = exact ?? units[0] ?? [sizeBytes === 1 ? "byte" : "bytes", 1];
  return `${Number((sizeBytes / unitBytes).toFixed(2))} ${unit}`;
}

/** Returns the remedy for a text that is no size: the size that it probably means, as this program writes it. */
function remedyFor(text: string): string {
  const [, whole = "", separator, fraction = "", unit] =
    /^(\d{1,40})(?:([.,])(\d{1,40}))?\s*([MGTP])(?:i?B)?$/i.exec(text) ?? [];
  if (unit === undefined) return "write a number with MB, GB or TB, such as 750GB";
  // Three digits after a comma are thousands, not a fraction.
  const isThousands = separator === "," && fraction.length === 3;
  const number = isThousands || fraction === "" ? whole + fraction : `${whole}.${fraction}`;
  const meant = unit.toUpperCase() === "P" ? `${Number(number) * 1024}TB` : `${number}${unit.toUpperCase()}B`;
  return `did you mean "${meant}"?`;
}

function problem(text: string): ParsedSize {
  return { sizeBytes: undefined, problem: text };
}
