/** The proofs that initiators give by CHAP before they learn anything about the targets of a node. */
import { type ChapConfig, type Credentials, isAccountOf } from "../../config/chap.ts";
import type { Config, TargetConfig } from "../../config/config.ts";
import { isSameSecret } from "../../config/secret.ts";

/** Terms that no initiator can meet. */
const NO_ACCOUNTS: ChapConfig = { accounts: new Map(), mutual: undefined };

/**
 * Returns the proof to require in a login that will be refused, such as one to an unknown target. If any target
 * requires a proof, so does the refused login, and an initiator without a secret cannot distinguish the two.
 */
export function proofOfRefused(
  { chap }: Pick<Config, "chap">,
  targets: Iterable<Pick<TargetConfig, "chap">>,
): ChapConfig | undefined {
  if (chap !== undefined) return chap;
  return [...targets].some(({ chap }) => chap !== undefined) ? NO_ACCOUNTS : undefined;
}

/** Returns whether the account that an initiator has proved satisfies other terms, too. */
export function isProofFor(chap: ChapConfig | undefined, { initiatorName, proved }: ProvedName): boolean {
  if (chap === undefined) return true;
  const account = proved && chap.accounts.get(proved.name);
  return account !== undefined && isAccountOf(account, initiatorName) &&
    isSameSecret(account.secret, proved!.secret);
}

/** Returns whether two logins have proved the same account name, or none. */
export function isSameProof(a: Proof, b: Proof): boolean {
  return a.proved?.name === b.proved?.name;
}

/**
 * Returns whether a login may reinstate a session of the same name and ISID: it has proved the same account, or the
 * account of the session is no longer accepted.
 */
export function isSuccessor(identity: Proof, session: ProvedSession): boolean {
  return isSameProof(identity, session.identity) ||
    !isProofFor(session.target?.config.chap, session.identity);
}

interface Proof {
  readonly proved: Credentials | undefined;
}

/** The account that an initiator has proved, and its iSCSI name. */
interface ProvedName extends Proof {
  readonly initiatorName: string;
}

interface ProvedSession {
  readonly identity: ProvedName;
  readonly target: { readonly config: Pick<TargetConfig, "chap"> } | undefined;
}
