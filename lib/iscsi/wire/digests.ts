/**
 * Digests (RFC 7143, 11.2.3): where a connection has negotiated them, a CRC32C follows the header segments, and another
 * one the data segment with its padding. An empty data segment has none.
 */
import { crc32c } from "../../bytes/crc32c.ts";
import { Crc32cKernel } from "../../bytes/crc32c_kernel.ts";

/** Length of a digest. */
export const DIGEST_BYTES = 4;

/**
 * One kernel for all connections with data digests, made for the first of them. It keeps nothing from one call to the
 * next, and a module's memory takes 4 GiB of addresses, however little of it is used: those who log in and out again
 * would fill the address space with them.
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

  /** Bytes behind a data segment of `dataBytes`. */
  dataDigestBytes(dataBytes: number): number {
    return dataBytes === 0 ? 0 : this.#dataDigestBytes;
  }

  /** The digest behind header segments from `start` to `end` is theirs, or there is none. */
  isHeaderRight(buffer: Uint8Array, start: number, end: number): boolean {
    return this.headerDigestBytes === 0 || readDigest(buffer, end) === crc32c(buffer, 0, start, end);
  }

  /** The digest behind a padded data segment from `start` to `end` is its own, or there is none. */
  isDataRight(buffer: Uint8Array, start: number, end: number): boolean {
    return this.#kernel === undefined || start === end ||
      readDigest(buffer, end) === this.#kernel.crc32c(buffer, 0, start, end);
  }

  /** Writes the digests of a PDU that is complete but for them: a basic header segment and a padded data segment. */
  complete(pdu: Uint8Array, headerEnd: number, dataEnd: number): void {
    const dataStart = headerEnd + this.headerDigestBytes;
    if (this.headerDigestBytes > 0) writeDigest(pdu, headerEnd, crc32c(pdu, 0, 0, headerEnd));
    if (this.#kernel === undefined || dataStart === dataEnd) return;
    writeDigest(pdu, dataEnd, this.#kernel.crc32c(pdu, 0, dataStart, dataEnd));
  }
}

/** What holds until the login is over, and without negotiation after it: no digests (6.3). */
export const NO_DIGESTS: Digests = new Digests({ headerDigest: false, dataDigest: false });

/** A.4: the least significant byte of a digest is sent first. */
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
