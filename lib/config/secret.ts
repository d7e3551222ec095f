/** Secrets of CHAP (RFC 7143, 9.2.1 and 12.1.3). */

/** 96 bits, the least that RFC 7143, 9.2.1, allows on a network without IPsec. */
const SECRET_BYTES_MIN = 12;
/** Windows takes no longer ones. */
const SECRET_BYTES_EVERYWHERE = 16;
const SECRET_BYTES_MAX = 255;

/**
 * A secret, which no text of this program shows: neither as a string nor in JSON nor in an error's dump.
 *
 * It may be posted to a worker. What arrives there has lost this class, but its bytes still show in neither of the
 * first two.
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

/** What a text is as a secret. No message repeats the text. */
export interface SecretReading {
  /** Undefined exactly when there is a problem. */
  readonly secret: Secret | undefined;
  /** What keeps it from being a secret, as the end of a sentence. */
  readonly problem?: string;
  /** What may keep some initiators from using it, as the end of a sentence. */
  readonly doubt?: string;
}

/** Reads a secret: printable ASCII as it is, or `0x` and two hexadecimal digits a byte. */
export function readSecretText(text: string): SecretReading {
  const bytes = secretBytes(text);
  if (typeof bytes === "string") return { secret: undefined, problem: bytes };
  const { length } = bytes;
  if (length < SECRET_BYTES_MIN || length > SECRET_BYTES_MAX) {
    const remedy = length > SECRET_BYTES_MAX
      ? `write at most ${SECRET_BYTES_MAX}`
      : `write ${SECRET_BYTES_MIN} to ${SECRET_BYTES_EVERYWHERE}`;
    return { secret: undefined, problem: `it is ${length} bytes long; ${remedy}` };
  }
  const secret = new Secret(bytes);
  if (length <= SECRET_BYTES_EVERYWHERE) return { secret };
  const doubt = `it is ${length} bytes long; initiators such as Windows take ${SECRET_BYTES_MIN} to ` +
    `${SECRET_BYTES_EVERYWHERE}`;
  return { secret, doubt };
}

function secretBytes(text: string): Uint8Array | string {
  if (/^0x/i.test(text)) {
    const digits = text.slice(2);
    return /^([0-9a-f]{2})+$/i.test(digits)
      ? Uint8Array.fromHex(digits)
      : 'after "0x" write two hexadecimal digits for each byte, and nothing else';
  }
  return /^[\x21-\x7e]*$/.test(text)
    ? new TextEncoder().encode(text)
    : "it contains something else than printable ASCII without spaces; write only that";
}

/**
 * Makes a secret as `readSecretText` reads it: a text of 96 bits, which every initiator can be told, or 128 bits in
 * hexadecimal. Either is as long as Windows takes it.
 */
export function makeSecretText(
  randomBytes: (length: number) => Uint8Array,
  form: "text" | "hexadecimal",
): string {
  if (form === "hexadecimal") return `0x${randomBytes(SECRET_BYTES_EVERYWHERE).toHex()}`;
  const text = randomBytes(SECRET_BYTES_MIN).toBase64({ alphabet: "base64url" });
  // What looks like the beginning of a number would be taken for one, here or by an initiator.
  return /^0[xb]/i.test(text) ? makeSecretText(randomBytes, form) : text;
}

/** Whether two secrets are the same. */
export function isSameSecret(a: Secret, b: Secret): boolean {
  const [bytes, others] = [new Uint8Array(a.bytes), new Uint8Array(b.bytes)];
  return bytes.length === others.length && bytes.every((byte, index) => byte === others[index]);
}
