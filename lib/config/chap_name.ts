/** Most bytes of a CHAP name: a text value on the wire is no longer (RFC 7143, 6.1). */
const NAME_BYTES_MAX = 255;

/** What keeps a text from being a CHAP name, as the end of a sentence; undefined for a good one. */
export function chapNameProblem(name: string): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(name)) return "write printable ASCII without spaces";
  return name.length > NAME_BYTES_MAX ? `write at most ${NAME_BYTES_MAX} characters` : undefined;
}
