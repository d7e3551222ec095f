/** The hash functions of CHAP (RFC 1994, 4.1; RFC 7143, 12.1.3). */
import { createHash, timingSafeEqual } from "node:crypto";
import type { ChapAlgorithm } from "../../config/chap.ts";

/** The algorithms, with their codes in CHAP_A (IANA, PPP authentication algorithms). */
export const ChapAlgorithms = {
  "md5": { code: 5, bytes: 16 },
  "sha1": { code: 6, bytes: 20 },
  "sha256": { code: 7, bytes: 32 },
  "sha3-256": { code: 8, bytes: 32 },
} as const satisfies Record<ChapAlgorithm, { readonly code: number; readonly bytes: number }>;

/** Computes the response to a challenge: a hash of identifier, secret and challenge, in this order. */
export function chapResponse(
  algorithm: ChapAlgorithm,
  { identifier, secret, challenge }: { identifier: number; secret: Uint8Array; challenge: Uint8Array },
): Uint8Array {
  const hash = createHash(algorithm);
  hash.update(Uint8Array.of(identifier));
  hash.update(secret);
  hash.update(challenge);
  return new Uint8Array(hash.digest());
}

/** Returns whether two responses are equal, in a time that depends on their lengths only. */
export function isSameResponse(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
