/** What the conf says of CHAP: who has to prove what to whom. */
import type { Secret } from "./secret.ts";

/** The algorithms, from the weakest to the strongest. */
export const CHAP_ALGORITHMS = ["md5", "sha1", "sha256", "sha3-256"] as const;

/** The name of an algorithm in the conf. */
export type ChapAlgorithm = typeof CHAP_ALGORITHMS[number];

/** A name and the secret that proves it. */
export interface Credentials {
  readonly name: string;
  readonly secret: Secret;
}

/** What initiators may prove themselves by. */
export interface Account extends Credentials {
  /** Folded iSCSI names of the initiators that may, and no others. Empty: every initiator. */
  readonly initiators: readonly string[];
}

/** What is asked of those who log in. */
export interface ChapConfig {
  /** By their CHAP names. */
  readonly accounts: ReadonlyMap<string, Account>;
  /** What the target proves to an initiator that asks for it; without it, such an initiator is refused. */
  readonly mutual: Credentials | undefined;
}

/** Whether an initiator may prove itself by an account. */
export function isAccountOf({ initiators }: Account, initiatorName: string): boolean {
  return initiators.length === 0 || initiators.includes(initiatorName);
}

/** Most bytes of a CHAP name: a text value on the wire is no longer (RFC 7143, 6.1). */
const NAME_BYTES_MAX = 255;

/** What keeps a text from being a CHAP name, as the end of a sentence; undefined for a good one. */
export function chapNameProblem(name: string): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(name)) return "write printable ASCII without spaces";
  return name.length > NAME_BYTES_MAX ? `write at most ${NAME_BYTES_MAX} characters` : undefined;
}
