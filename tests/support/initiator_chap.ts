/**
 * The initiator's side of CHAP (RFC 1994 and RFC 7143, 12.1.3), for tests; written apart from the target's.
 */
import { createHash } from "node:crypto";
import { TargetFault } from "./initiator_pdu.ts";
import type { TextPairs } from "./initiator_text.ts";

/** Numbers of the algorithms, and what `node:crypto` calls them. */
const HASHES: Readonly<Record<string, string>> = { "5": "md5", "6": "sha1", "7": "sha256", "8": "sha3-256" };

/** The CHAP credentials and preferences of an initiator. */
export interface ChapOptions {
  readonly name: string;
  readonly secret: string;
  /** CHAP_A; by default, every algorithm. */
  readonly algorithms?: string;
  /** The initiator's challenge to the target; absent, the target need not prove itself. */
  readonly mutual?: { readonly name: string; readonly secret: string; readonly challenge: Uint8Array };
}

/** Returns the response to a challenge, by the number of the algorithm. */
export function chapHash(
  algorithm: string,
  identifier: number,
  secret: string,
  challenge: Uint8Array,
): Uint8Array {
  const hash = HASHES[algorithm];
  if (hash === undefined) {
    throw new TargetFault(`The target chooses CHAP_A=${algorithm}, which is no algorithm`);
  }
  const text = new TextEncoder().encode(secret);
  return new Uint8Array(
    createHash(hash).update(new Uint8Array([identifier, ...text, ...challenge])).digest(),
  );
}

/** Returns the binary value of `0x...`. */
export function fromHexValue(text: string | undefined): Uint8Array {
  if (text === undefined || !/^0x([0-9a-f]{2})+$/.test(text)) {
    throw new TargetFault(`"${text}" is no binary value of whole bytes in hexadecimal`);
  }
  return Uint8Array.fromHex(text.slice(2));
}

/** The identifier of the initiator's own challenge. */
const IDENTIFIER = 77;

/** Returns the keys that answer the target's challenge, and challenge it in turn for mutual CHAP. */
export function answerChallenge(pairs: TextPairs, { name, secret, mutual }: ChapOptions): TextPairs {
  const keys = new Map(pairs);
  const identifier = Number(keys.get("CHAP_I"));
  const response = chapHash(keys.get("CHAP_A")!, identifier, secret, fromHexValue(keys.get("CHAP_C")));
  const own: TextPairs = [["CHAP_N", name], ["CHAP_R", `0x${response.toHex()}`]];
  if (mutual === undefined) return own;
  return [...own, ["CHAP_I", String(IDENTIFIER)], ["CHAP_C", `0x${mutual.challenge.toHex()}`]];
}

/** Throws when the target does not prove what it was asked to. */
export function checkTarget(pairs: TextPairs, algorithm: string, { mutual }: ChapOptions): void {
  const keys = new Map(pairs);
  if (mutual === undefined) {
    if (keys.has("CHAP_R")) throw new TargetFault("The target answers a challenge that there was not");
    return;
  }
  const expected = chapHash(algorithm, IDENTIFIER, mutual.secret, mutual.challenge);
  const isProof = keys.get("CHAP_N") === mutual.name &&
    fromHexValue(keys.get("CHAP_R")).toHex() === expected.toHex();
  if (!isProof) throw new TargetFault("The target does not prove who it is");
}
