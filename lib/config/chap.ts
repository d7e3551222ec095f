/** The CHAP configuration: accounts of initiators, and the credentials of the target. */
import type { Secret } from "./secret.ts";

/** The algorithms, from the weakest to the strongest. */
export const CHAP_ALGORITHMS = ["md5", "sha1", "sha256", "sha3-256"] as const;

/** The name of an algorithm, as the conf writes it. */
export type ChapAlgorithm = typeof CHAP_ALGORITHMS[number];

/** A name and the secret that proves it. */
export interface Credentials {
  readonly name: string;
  readonly secret: Secret;
}

/** Credentials with which initiators authenticate. */
export interface Account extends Credentials {
  /** Folded iSCSI names of the only initiators that may use the account. Empty: every initiator may. */
  readonly initiators: readonly string[];
}

/** The credentials that a login requires. */
export interface ChapConfig {
  /** By CHAP name. */
  readonly accounts: ReadonlyMap<string, Account>;
  /** The credentials of the target, for mutual CHAP. Without them, an initiator that requests it is refused. */
  readonly mutual: Credentials | undefined;
}

/** Reports whether an initiator may use an account. */
export function isAccountOf({ initiators }: Account, initiatorName: string): boolean {
  return initiators.length === 0 || initiators.includes(initiatorName);
}

/** The most bytes of a CHAP name: the limit of a text value on the wire (RFC 7143, 6.1). */
const NAME_BYTES_MAX = 255;

/** Returns the remedy for a text that cannot be a CHAP name, as the end of a sentence; undefined for a valid one. */
export function chapNameProblem(name: string): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(name)) return "write printable ASCII without spaces";
  return name.length > NAME_BYTES_MAX ? `write at most ${NAME_BYTES_MAX} characters` : undefined;
}
