/** What initiators have to prove by CHAP before they learn anything of a node's targets. */
import { type ChapConfig, type Credentials, isAccountOf } from "../../config/chap.ts";
import type { Config, TargetConfig } from "../../config/config.ts";
import { isSameSecret } from "../../config/secret.ts";

/** What nobody can prove. */
const NOBODY: ChapConfig = { accounts: new Map(), mutual: undefined };

/**
 * What has to be proved for a login that is refused all the same, such as one to a target that is not there: where any
 * target asks for proof this asks too, so that nobody without a secret can tell one from the other.
 */
export function proofOfRefused(
  { chap }: Pick<Config, "chap">,
  targets: Iterable<Pick<TargetConfig, "chap">>,
): ChapConfig | undefined {
  if (chap !== undefined) return chap;
  return [...targets].some(({ chap }) => chap !== undefined) ? NOBODY : undefined;
}

/** Whether what an initiator has proved elsewhere would do here too. */
export function isProofFor(chap: ChapConfig | undefined, { initiatorName, proved }: ProvedName): boolean {
  if (chap === undefined) return true;
  const account = proved && chap.accounts.get(proved.name);
  return account !== undefined && isAccountOf(account, initiatorName) &&
    isSameSecret(account.secret, proved!.secret);
}

/** Whether two logins have proved the same. */
export function isSameProof(a: Proof, b: Proof): boolean {
  return a.proved?.name === b.proved?.name;
}

/**
 * Whether a login may take the place of a session with its name and ISID: it has proved the same, or what the session
 * had proved would not do any more.
 */
export function isSuccessor(identity: Proof, session: ProvedSession): boolean {
  return isSameProof(identity, session.identity) ||
    !isProofFor(session.target?.config.chap, session.identity);
}

interface Proof {
  readonly proved: Credentials | undefined;
}

/** What an initiator has proved, and under which iSCSI name. */
interface ProvedName extends Proof {
  readonly initiatorName: string;
}

interface ProvedSession {
  readonly identity: ProvedName;
  readonly target: { readonly config: Pick<TargetConfig, "chap"> } | undefined;
}
