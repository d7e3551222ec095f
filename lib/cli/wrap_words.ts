/** Widest line of what is printed for people, in columns. */
export const LINE_COLUMNS_MAX = 80;

/** Breaks text into lines of at most `columns`, between words; a longer word has a line to itself. */
export function wrapWords(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line === "") line = word;
    else if (line.length + 1 + word.length <= columns) line += ` ${word}`;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line];
}
