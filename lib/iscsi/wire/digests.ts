/**
 * Digests (RFC 7143, 11.2.3): if negotiated, a CRC32C follows the header segments, and another one the padded data
 * segment. An empty data segment has no digest.
 */
import { crc32c } from "../../bytes/crc32c.ts";
import { Crc32cKernel } from "../../bytes/crc32c_kernel.ts";

/** Length of a digest in bytes. */
export const DIGEST_BYTES = 4;

/**
 * The kernel of all connections with data digests, created for the first of them. It holds no state between calls. One
 * for each connection would exhaust the address space, of which every WebAssembly memory reserves 4 GiB.
 */
const shared: { kernel: Crc32cKernel | undefined } = { kernel: undefined };

/** The digests of one connection, in both directions. */
export class Digests {
  /** Bytes between the header segments and the data segment. */
  readonly headerDigestBytes: number;
  readonly #dataDigestBytes: number;
  readonly #kernel: Crc32cKernel | undefined;

  constructor(parameters: { readonly headerDigest: boolean; readonly dataDigest: boolean }) {
    this.headerDigestBytes = parameters.headerDigest ? DIGEST_BYTES : 0;
    this.#dataDigestBytes = parameters.dataDigest ? DIGEST_BYTES : 0;
    if (parameters.dataDigest) this.#kernel = shared.kernel ??= new Crc32cKernel();
  }

  /** Returns the length of the digest that follows a data segment of `dataBytes`. */
  dataDigestBytes(dataBytes: number): number {
    return dataBytes === 0 ? 0 : this.#dataDigestBytes;
  }

  /** Returns whether the digest that follows the header segments from `start` to `end` is right, or unused. */
  isHeaderRight(buffer: Uint8Array, start: number, end: number): boolean {
    return this.headerDigestBytes === 0 || readDigest(buffer, end) === crc32c(buffer, 0, start, end);
  }

  /** Returns whether the digest that follows the padded data segment from `start` to `end` is right, or unused. */
  isDataRight(buffer: Uint8Array, start: number, end: number): boolean {
    return this.#kernel === undefined || start === end ||
      readDigest(buffer, end) === this.#kernel.crc32c(buffer, 0, start, end);
  }

  /** Writes the digests of a PDU that consists of a basic header segment and a padded data segment. */
  complete(pdu: Uint8Array, headerEnd: number, dataEnd: number): void {
    const dataStart = headerEnd + this.headerDigestBytes;
    if (this.headerDigestBytes > 0) writeDigest(pdu, headerEnd, crc32c(pdu, 0, 0, headerEnd));
    if (this.#kernel === undefined || dataStart === dataEnd) return;
    writeDigest(pdu, dataEnd, this.#kernel.crc32c(pdu, 0, dataStart, dataEnd));
  }
}

/** No digests: the state of a connection until the end of its login (6.3). */
export const NO_DIGESTS: Digests = new Digests({ headerDigest: false, dataDigest: false });

/** Reads a digest: its least significant byte is sent first (A.4). */
function readDigest(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! | bytes[offset + 1]! << 8 | bytes[offset + 2]! << 16 | bytes[offset + 3]! << 24) >>>
    0;
}

function writeDigest(bytes: Uint8Array, offset: number, digest: number): void {
  bytes[offset] = digest;
  bytes[offset + 1] = digest >>> 8;
  bytes[offset + 2] = digest >>> 16;
  bytes[offset + 3] = digest >>> 24;
}
