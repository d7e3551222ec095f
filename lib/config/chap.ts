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

/** What is asked of those who log in. */
export interface ChapConfig {
  /** The secrets of the initiators that are let in, by their names. */
  readonly initiators: ReadonlyMap<string, Secret>;
  /** What the target proves to an initiator that asks for it; without it, such an initiator is refused. */
  readonly mutual: Credentials | undefined;
}
