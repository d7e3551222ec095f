/**
 * Digests (RFC 7143, 11.2.3 and A.4), for tests. Like all of the initiator it shares no code with the target: the CRC
 * is computed byte by byte, each by a table that is made by long division.
 */
import { readUint24 } from "../../lib/bytes/big_endian.ts";
import { HEADER_BYTES, paddingBytes, TargetFault } from "./initiator_pdu.ts";
import { joinBytes, type TextPairs } from "./initiator_text.ts";

/** The digests of a connection. */
export interface DigestUse {
  readonly header: boolean;
  readonly data: boolean;
}

export const NO_DIGESTS: DigestUse = { header: false, data: false };

/** Every combination of the two. */
export const DIGEST_USES: readonly DigestUse[] = [
  NO_DIGESTS,
  { header: true, data: false },
  { header: false, data: true },
  { header: true, data: true },
];

/** Returns the login keys that ask for digests. */
export function digestKeys({ header, data }: DigestUse): Readonly<Record<string, string>> {
  return { HeaderDigest: header ? "CRC32C" : "None", DataDigest: data ? "CRC32C" : "None" };
}

/** Returns the digests that a login negotiated. */
export function settleDigests(answered: TextPairs): DigestUse {
  const settled = new Map(answered);
  return { header: settled.get("HeaderDigest") === "CRC32C", data: settled.get("DataDigest") === "CRC32C" };
}

/** The remainder of each byte, by the polynomial 11edc6f41h with its bits reversed. */
const REMAINDERS = Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) {
    remainder = (remainder & 1) === 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1;
  }
  return remainder;
});

/** Returns the digest of bytes as sent: least significant byte first. */
export function digestOf(bytes: Uint8Array): Uint8Array {
  let remainder = -1;
  for (const byte of bytes) remainder = (remainder >>> 8) ^ REMAINDERS[(remainder ^ byte) & 0xff]!;
  const digest = new Uint8Array(4);
  new DataView(digest.buffer).setInt32(0, ~remainder, true);
  return digest;
}

/** Returns the end of each part of a PDU without digests, by its own header. */
function partsOf(bytes: Uint8Array): { headerEnd: number; dataBytes: number } {
  const dataBytes = readUint24(bytes, 5);
  return { headerEnd: HEADER_BYTES + bytes[4]! * 4, dataBytes: dataBytes + paddingBytes(dataBytes) };
}

/** Returns a PDU with its digests inserted. */
export function withDigests(pdu: Uint8Array, { header, data }: DigestUse): Uint8Array {
  const { headerEnd } = partsOf(pdu);
  const [head, rest] = [pdu.subarray(0, headerEnd), pdu.subarray(headerEnd)];
  const parts = [head, ...header ? [digestOf(head)] : [], rest];
  return joinBytes(data && rest.length > 0 ? [...parts, digestOf(rest)] : parts);
}

/** Returns the length of a PDU with its digests, by its header. */
export function bytesWithDigests(start: Uint8Array, { header, data }: DigestUse): number {
  const { headerEnd, dataBytes } = partsOf(start);
  return headerEnd + (header ? 4 : 0) + dataBytes + (data && dataBytes > 0 ? 4 : 0);
}

/**
 * A PDU without its digests.
 *
 * @throws {TargetFault} when one of them is wrong
 */
export function withoutDigests(bytes: Uint8Array, use: DigestUse): Uint8Array {
  const { headerEnd, dataBytes } = partsOf(bytes);
  const dataStart = headerEnd + (use.header ? 4 : 0);
  const pdu = joinBytes([bytes.subarray(0, headerEnd), bytes.subarray(dataStart, dataStart + dataBytes)]);
  if (!use.header && !use.data) return pdu;
  const expected = withDigests(pdu, use);
  let same = 0;
  while (same < bytes.length && bytes[same] === expected[same]) same++;
  if (same < bytes.length) {
    throw new TargetFault(`The ${same < dataStart ? "header" : "data"} digest is wrong`);
  }
  return pdu;
}
