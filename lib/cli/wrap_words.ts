/** The width of lines for people, in columns. */
export const LINE_COLUMNS_MAX = 80;

/** Breaks text into lines of at most `columns`, between words; a longer word has a line to itself. */
export function wrapWords(text: string, columns: number): string[] {
  return fillLines(text.split(" "), columns);
}

/** Fills lines of at most `columns` with parts, a space between them; a longer part has a line to itself. */
export function fillLines(parts: readonly string[], columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const part of parts) {
    if (line === "") line = part;
    else if (line.length + 1 + part.length <= columns) line += ` ${part}`;
    else {
      lines.push(line);
      line = part;
    }
  }
  return [...lines, line];
}
