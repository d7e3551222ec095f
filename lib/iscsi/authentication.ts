/** What initiators have to prove by CHAP before they learn anything of a node's targets. */
import type { ChapConfig, Credentials } from "../config/chap.ts";
import type { Config, TargetConfig } from "../config/config.ts";
import { isSameSecret } from "../config/secret.ts";

/** What nobody can prove. */
const NOBODY: ChapConfig = { initiators: new Map(), mutual: undefined };

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

/** Whether what was proved elsewhere would do here too. */
export function isProofFor(chap: ChapConfig | undefined, proved: Credentials | undefined): boolean {
  if (chap === undefined) return true;
  const secret = proved && chap.initiators.get(proved.name);
  return secret !== undefined && isSameSecret(secret, proved!.secret);
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
    !isProofFor(session.target?.config.chap, session.identity.proved);
}

interface Proof {
  readonly proved: Credentials | undefined;
}

interface ProvedSession {
  readonly identity: Proof;
  readonly target: { readonly config: Pick<TargetConfig, "chap"> } | undefined;
}
