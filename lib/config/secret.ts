/** Secrets of CHAP (RFC 7143, 9.2.1 and 12.1.3). */

/** 96 bits, the minimum on a network without IPsec (RFC 7143, 9.2.1). */
const SECRET_BYTES_MIN = 12;
/** The most bytes that Windows accepts. */
const SECRET_BYTES_WINDOWS = 16;
const SECRET_BYTES_MAX = 255;

/**
 * A secret that no text of this program shows: no string, no JSON and no dump of an error.
 *
 * It may be posted to a worker. There it arrives without this class, but strings and JSON still do not show its bytes.
 */
export class Secret {
  readonly bytes: ArrayBuffer;

  constructor(bytes: Uint8Array) {
    this.bytes = new Uint8Array(bytes).buffer;
  }

  toString(): string {
    return "(secret)";
  }

  toJSON(): string {
    return "(secret)";
  }

  [Symbol.for("Deno.customInspect")](): string {
    return "(secret)";
  }
}

/** The result of reading a secret. No message repeats its text. */
export interface SecretReading {
  /** Undefined exactly when there is a problem. */
  readonly secret: Secret | undefined;
  /** The reason why the text is not a secret, and the remedy, as the end of a sentence. */
  readonly problem?: string;
  /** The reason why some initiators cannot use the secret, as the predicate of a sentence. */
  readonly doubt?: string;
}

/** Reads a secret: printable ASCII, or `0x` and two hexadecimal digits per byte. */
export function readSecretText(text: string): SecretReading {
  const bytes = secretBytes(text);
  if (typeof bytes === "string") return { secret: undefined, problem: bytes };
  const { length } = bytes;
  const unit = isHexadecimal(text) ? "bytes" : "characters";
  const actual = `is ${length} ${unit} long`;
  const windows = `Windows: at most ${SECRET_BYTES_WINDOWS}`;
  if (length < SECRET_BYTES_MIN || length > SECRET_BYTES_MAX) {
    const remedy = `use ${SECRET_BYTES_MIN} to ${SECRET_BYTES_MAX} ${unit} (${windows})`;
    return { secret: undefined, problem: `it ${actual}; ${remedy}` };
  }
  const secret = new Secret(bytes);
  return length <= SECRET_BYTES_WINDOWS ? { secret } : { secret, doubt: `${actual} (${windows})` };
}

function isHexadecimal(text: string): boolean {
  return /^0x/i.test(text);
}

/** Returns the bytes of a secret, or the problem with its text. */
function secretBytes(text: string): Uint8Array | string {
  if (isHexadecimal(text)) {
    const digits = text.slice(2);
    return /^([0-9a-f]{2})+$/i.test(digits)
      ? Uint8Array.fromHex(digits)
      : 'after "0x" write two hexadecimal digits for each byte, and nothing else';
  }
  return /^[\x21-\x7e]*$/.test(text)
    ? new TextEncoder().encode(text)
    : "it contains a space, or characters that are not printable ASCII; remove them";
}

/**
 * Makes the text of a random secret, for `readSecretText`: 96 bits as characters, which every initiator accepts, or
 * 128 bits in hexadecimal. Windows accepts the length of both.
 */
export function makeSecretText(
  randomBytes: (length: number) => Uint8Array,
  form: "text" | "hexadecimal",
): string {
  if (form === "hexadecimal") return `0x${randomBytes(SECRET_BYTES_WINDOWS).toHex()}`;
  const text = randomBytes(SECRET_BYTES_MIN).toBase64({ alphabet: "base64url" });
  // This program or an initiator would read such a text as a number.
  return /^0[xb]/i.test(text) ? makeSecretText(randomBytes, form) : text;
}

/** Reports whether two secrets are equal. */
export function isSameSecret(a: Secret, b: Secret): boolean {
  const [bytes, others] = [new Uint8Array(a.bytes), new Uint8Array(b.bytes)];
  return bytes.length === others.length && bytes.every((byte, index) => byte === others[index]);
}
