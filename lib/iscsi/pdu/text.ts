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

/** The sign between key and value. */
const EQUALS = 0x3d;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Decodes a complete text segment.
 *
 * @returns the pairs, or a sentence that says what is wrong with the text
 */
export function decodeText(bytes: Uint8Array, limits: { textKeys: number }): readonly KeyValue[] | string {
  const pairs: KeyValue[] = [];
  for (let start = 0; start < bytes.length;) {
    const nul = bytes.indexOf(0, start);
    const end = nul < 0 ? bytes.length : nul;
    // Some initiators pad with additional NULs: an empty item is no pair and no error.
    if (end > start) {
      const pair = decodePair(bytes.subarray(start, end));
      if (typeof pair === "string") return pair;
      if (pairs.length === limits.textKeys) return `Text has more than ${limits.textKeys} keys`;
      pairs.push(pair);
    }
    start = end + 1;
  }
  return pairs;
}

/**
 * Decodes one pair. Key and value become strings of their own: a part of a longer string would keep the whole of it in
 * memory for as long as the part is kept.
 */
function decodePair(item: Uint8Array): KeyValue | string {
  const equals = item.indexOf(EQUALS);
  try {
    if (equals < 1) return notAPair(decoder.decode(item));
    const key = decoder.decode(item.subarray(0, equals));
    const isKey = key.length <= KEY_BYTES_MAX && KEY_PATTERN.test(key);
    return isKey ? [key, decoder.decode(item.subarray(equals + 1))] : notAPair(decoder.decode(item));
  } catch {
    return "Text is not UTF-8";
  }
}

function notAPair(item: string): string {
  return `Text ${JSON.stringify(item.slice(0, KEY_BYTES_MAX))} is not a key=value pair`;
}

/** Encodes pairs as a text segment. */
export function encodeText(pairs: readonly KeyValue[]): Uint8Array {
  return encoder.encode(pairs.map(([key, value]) => `${key}=${value}\0`).join(""));
}

/**
 * Joins the text of PDUs that the C bit ties together, up to a limit. All of it lies in one buffer, since pieces of one
 * byte each would take several hundred times their length in memory.
 */
export class TextAssembly {
  readonly #limitBytes: number;
  #buffer = NO_TEXT;
  #length = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Bytes of memory that it takes: at most twice the text. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /** Adds the text of one PDU (copied); false when that would pass the limit. */
  add(part: Uint8Array): boolean {
    const length = this.#length + part.length;
    if (length > this.#limitBytes) return false;
    if (length > this.#buffer.length) this.#grow(length);
    this.#buffer.set(part, this.#length);
    this.#length = length;
    return true;
  }

  /** Takes the whole text; the assembly is empty afterwards. */
  take(): Uint8Array {
    const whole = this.#buffer.subarray(0, this.#length);
    this.#buffer = NO_TEXT;
    this.#length = 0;
    return whole;
  }

  #grow(length: number): void {
    const capacity = Math.max(length, 2 * this.#buffer.length);
    const buffer = new Uint8Array(Math.min(capacity, this.#limitBytes));
    buffer.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = buffer;
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

  /** All that is left fits into one piece. */
  fits(bytesMax: number): boolean {
    return this.#text.length - this.#offset <= bytesMax;
  }

  /** The next piece of at most `bytesMax`; empty when there is no more. */
  take(bytesMax: number): Uint8Array {
    const piece = this.#text.subarray(this.#offset, this.#offset + bytesMax);
    this.#offset += piece.length;
    if (this.#offset === this.#text.length) this.#text = NO_TEXT;
    return piece;
  }
}
