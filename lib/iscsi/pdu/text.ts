/** Text segments (RFC 7143, 6.1): `key=value` pairs, each ended by a NUL. The C bit continues text in the next PDU. */

/** The longest name of a key (RFC 7143, 6.1). */
const KEY_BYTES_MAX = 63;

/** A key begins with a capital (6.1), except iSCSIProtocolLevel (RFC 7144). */
const KEY_PATTERN = /^[A-Za-z][A-Za-z0-9.\-+@_#]*$/;

/** A key and its value. */
export type KeyValue = readonly [key: string, value: string];

const NO_TEXT = new Uint8Array();

const EQUALS = 0x3d;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Decodes a complete text.
 *
 * @returns the pairs in their order, or a sentence that names the fault
 */
export function decodeText(bytes: Uint8Array, limits: { textKeys: number }): readonly KeyValue[] | string {
  const pairs: KeyValue[] = [];
  for (let start = 0; start < bytes.length;) {
    const nul = bytes.indexOf(0, start);
    const end = nul < 0 ? bytes.length : nul;
    // Some initiators pad with additional NULs, so empty items are skipped.
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

/** Decodes one pair. Key and value are decoded separately, because a substring would keep the whole text in memory. */
function decodePair(item: Uint8Array): KeyValue | string {
  const equals = item.indexOf(EQUALS);
  try {
    if (equals < 1) return malformed(decoder.decode(item));
    const key = decoder.decode(item.subarray(0, equals));
    const isKey = key.length <= KEY_BYTES_MAX && KEY_PATTERN.test(key);
    return isKey ? [key, decoder.decode(item.subarray(equals + 1))] : malformed(decoder.decode(item));
  } catch {
    return "Text is not UTF-8";
  }
}

/** Returns the first key that has more than one pair; undefined when there is none. */
export function findRepeatedKey(pairs: readonly KeyValue[]): string | undefined {
  const keys = new Set<string>();
  for (const [key] of pairs) {
    if (keys.has(key)) return key;
    keys.add(key);
  }
  return undefined;
}

function malformed(item: string): string {
  return `Text ${JSON.stringify(item.slice(0, KEY_BYTES_MAX))} is not a key=value pair`;
}

/** Encodes pairs as a text. */
export function encodeText(pairs: readonly KeyValue[]): Uint8Array {
  return encoder.encode(pairs.map(([key, value]) => `${key}=${value}\0`).join(""));
}

/**
 * The text of several PDUs joined by the C bit, up to a limit. It is kept in one buffer, because separate pieces of one
 * byte would take several hundred bytes each.
 */
export class TextAssembly {
  readonly #limitBytes: number;
  #buffer = NO_TEXT;
  #length = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** The memory in use: at most twice the length of the text. */
  get heldBytes(): number {
    return this.#buffer.length;
  }

  /** Adds a copy of the text of one PDU; returns false when it would exceed the limit. */
  add(part: Uint8Array): boolean {
    const length = this.#length + part.length;
    if (length > this.#limitBytes) return false;
    if (length > this.#buffer.length) this.#grow(length);
    this.#buffer.set(part, this.#length);
    this.#length = length;
    return true;
  }

  /** Removes and returns the whole text. */
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

/** A text that is sent in pieces, one for each PDU. Its memory is freed with the last piece. */
export class TextPieces {
  #text: Uint8Array;
  #offset = 0;

  constructor(text: Uint8Array) {
    this.#text = text;
  }

  /** The whole text has been taken. */
  get done(): boolean {
    return this.#text.length === 0;
  }

  /** The memory in use. */
  get length(): number {
    return this.#text.length;
  }

  /** Returns whether the rest fits into one piece. */
  fits(bytesMax: number): boolean {
    return this.#text.length - this.#offset <= bytesMax;
  }

  /** Removes and returns the next piece of at most `bytesMax`; it is empty at the end. */
  take(bytesMax: number): Uint8Array {
    const piece = this.#text.subarray(this.#offset, this.#offset + bytesMax);
    this.#offset += piece.length;
    if (this.#offset === this.#text.length) this.#text = NO_TEXT;
    return piece;
  }
}
