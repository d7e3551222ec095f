/** Lines of cells as wide as their columns: the first to the left, the others to the right. */
export function formatTable(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)));
  return lines.map((line) =>
    line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))
      .join("  ").trimEnd() + "\n"
  ).join("");
}

/** Formats a number with its significant digits; empty for undefined. */
export function formatFigure(figure: number | undefined, digits = 0): string {
  return figure === undefined ? "-" : figure.toFixed(digits);
}
