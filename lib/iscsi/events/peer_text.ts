/** Text from a peer, made safe for a line of the log. */

/** Length at which a quotation is cut: only values of CHAP keys may be longer (RFC 7143, 6.1). */
const QUOTED_LENGTH_MAX = 255;

/** Quotes a peer's text in a message, and cuts it to fit a line of the log. */
export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, QUOTED_LENGTH_MAX));
}

/** Escapes control characters, line ends and changes of direction, which could forge a line or control a terminal. */
export function escapeControls(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
