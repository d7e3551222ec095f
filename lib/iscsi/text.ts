/**
 * Text segments (RFC 7143, 6.1): `key=value` pairs, each ended by a NUL, possibly spread over several PDUs by the C
 * bit.
 */

/** The longest name of a key (RFC 7143, 6.1). */
const KEY_BYTES_MAX = 63;

/** 6.1 wants a capital first, which the one key of RFC 7144 (iSCSIProtocolLevel) has not. */
const KEY_PATTERN = /^[A-Za-z][A-Za-z0-9.\-+@_#]*$/;

/** A key and its value, in the order of the wire. */
export type KeyValue = readonly [key: string, value: string];

const NO_TEXT = new Uint8Array();

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Decodes a complete text segment.
 *
 * @returns the pairs, or a sentence that says what is wrong with the text
 */
export function decodeText(bytes: Uint8Array, limits: { textKeys: number }): readonly KeyValue[] | string {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return "Text is not UTF-8";
  }
  const pairs: KeyValue[] = [];
  for (const item of text.split("\0")) {
    // Some initiators pad with additional NULs: an empty item is no pair and no error.
    if (item === "") continue;
    const equals = item.indexOf("=");
    const key = item.slice(0, equals);
    if (equals < 1 || key.length > KEY_BYTES_MAX || !KEY_PATTERN.test(key)) {
      return `Text ${JSON.stringify(item.slice(0, KEY_BYTES_MAX))} is not a key=value pair`;
    }
    if (pairs.length === limits.textKeys) return `Text has more than ${limits.textKeys} keys`;
    pairs.push([key, item.slice(equals + 1)]);
  }
  return pairs;
}

/** Encodes pairs as a text segment. */
export function encodeText(pairs: readonly KeyValue[]): Uint8Array {
  return encoder.encode(pairs.map(([key, value]) => `${key}=${value}\0`).join(""));
}

/** Joins the text of PDUs that the C bit ties together, up to a limit. */
export class TextAssembly {
  readonly #limitBytes: number;
  #parts: Uint8Array[] = [];
  #length = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes that are kept. */
  get length(): number {
    return this.#length;
  }

  /** Adds the text of one PDU (copied); false when that would pass the limit. */
  add(part: Uint8Array): boolean {
    if (this.#length + part.length > this.#limitBytes) return false;
    // An empty part adds nothing: pushing it would let endless empty PDUs grow the list.
    if (part.length > 0) this.#parts.push(part.slice());
    this.#length += part.length;
    return true;
  }

  /** The whole text; the assembly is empty afterwards. */
  take(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      whole.set(part, offset);
      offset += part.length;
    }
    this.#parts = [];
    this.#length = 0;
    return whole;
  }
}

/** Hands out a text in pieces that fit the peer's PDUs, and keeps nothing of it when all has been handed out. */
export class TextPieces {
  #text: Uint8Array;
  #offset = 0;

  constructor(text: Uint8Array) {
    this.#text = text;
  }

  /** All has been handed out. */
  get done(): boolean {
    return this.#text.length === 0;
  }

  /** Bytes that are kept. */
  get length(): number {
    return this.#text.length;
  }

  /** The next piece of at most `bytesMax`; empty when there is no more. */
  take(bytesMax: number): Uint8Array {
    const piece = this.#text.subarray(this.#offset, this.#offset + bytesMax);
    this.#offset += piece.length;
    if (this.#offset === this.#text.length) this.#text = NO_TEXT;
    return piece;
  }
}
