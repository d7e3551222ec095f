/**
 * Graphs of characters. They are ASCII, because the program does not read the environment, which would name the
 * character set of the terminal.
 */

/** The heights of a value, from zero to the greatest. */
const LEVELS = "_.:-=+*#";
const UNKNOWN = " ";

/** Draws values as a line of one character each, scaled to the greatest; unknown ones are blank. */
export function sparkLine(values: readonly (number | undefined)[]): string {
  const greatest = Math.max(0, ...values.filter((value) => value !== undefined));
  return values.map((value) => {
    if (value === undefined) return UNKNOWN;
    // Anything above zero differs from zero.
    const level = value <= 0 ? 0 : Math.max(1, Math.round(value / greatest * (LEVELS.length - 1)));
    return LEVELS[level]!;
  }).join("");
}

/** Draws the used part of a whole as a bar of so many characters, with its ends. */
export function usageBar(used: number, whole: number, columns: number): string {
  const room = columns - "[]".length;
  const share = whole > 0 ? Math.min(Math.max(used / whole, 0), 1) : 0;
  const filled = Math.round(share * room);
  return `[${"#".repeat(filled)}${"-".repeat(room - filled)}]`;
}
