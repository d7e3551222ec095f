/** Most of a text that is repeated: no value of a key but those of CHAP is longer (RFC 7143, 6.1). */
const QUOTED_LENGTH_MAX = 255;

/** A text of a peer's as a message repeats it: as much as fits into a line of the log. */
export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, QUOTED_LENGTH_MAX));
}
