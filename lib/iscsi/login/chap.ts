/**
 * CHAP on one connection, as the target sees it (RFC 7143, 12.1.3 and 9.2.1): values in, values out.
 *
 *     initiator                             target
 *     AuthMethod=CHAP,...             ->
 *                                     <-    AuthMethod=CHAP
 *     CHAP_A=7,5                      ->
 *                                     <-    CHAP_A=7 CHAP_I=id CHAP_C=challenge
 *     CHAP_N=name CHAP_R=response
 *     [CHAP_I=id CHAP_C=challenge]    ->
 *                                     <-    [CHAP_N=name CHAP_R=response]
 */
import {
  CHAP_ALGORITHMS,
  type ChapAlgorithm,
  type ChapConfig,
  type Credentials,
  isAccountOf,
} from "../../config/chap.ts";
import { readBinaryValue, writeBinaryValue } from "../negotiation/binary_value.ts";
import { ChapAlgorithms, chapResponse, isSameResponse } from "./chap_hash.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import { parseNumber } from "../negotiation/negotiation.ts";
import { quoted } from "../events/peer_text.ts";
import type { KeyValue } from "../pdu/text.ts";

/** Longest challenge or response in bytes (12.1.3). */
const BINARY_BYTES_MAX = 1024;

/** A substitute for the secret of an unknown name: its refusal takes as long as that of a wrong secret. */
const NO_SECRET = new Uint8Array(16);

/** The proofs that are accepted, and the means to verify them. */
export interface ChapTerms extends Pick<ChapConfig, "mutual"> {
  /** The accepted accounts; undefined where any response passes, because nothing has to be proved. */
  readonly accounts: ChapConfig["accounts"] | undefined;
  /** The weakest accepted algorithm. */
  readonly minimum: ChapAlgorithm;
  /** Returns random bytes that cannot be guessed. */
  readonly randomBytes: (length: number) => Uint8Array;
  /** Returns whether this challenge of the target awaits a response on any connection. */
  readonly isOutstanding: (challenge: Uint8Array) => boolean;
}

/** The answers to an initiator's keys, or the failure of the login. */
export type ChapReply =
  | { readonly answers: readonly KeyValue[] }
  | { readonly failure: LoginStatus; readonly reason: string };

/** Returns whether a key belongs to CHAP. */
export function isChapKey(key: string): boolean {
  return Object.hasOwn(KEYS, key);
}

const KEYS = { CHAP_A: true, CHAP_I: true, CHAP_C: true, CHAP_N: true, CHAP_R: true } as const;

type ChapKey = keyof typeof KEYS;

/** The keys that each stage requires, and optional ones, of which it has all or none. */
const STAGE_KEYS = {
  method: { required: [], optional: [] },
  algorithm: { required: ["CHAP_A"], optional: [] },
  response: { required: ["CHAP_N", "CHAP_R"], optional: ["CHAP_I", "CHAP_C"] },
  done: { required: [], optional: [] },
} as const satisfies Record<string, { required: readonly ChapKey[]; optional: readonly ChapKey[] }>;

interface Challenge {
  readonly algorithm: ChapAlgorithm;
  readonly identifier: number;
  readonly bytes: Uint8Array;
}

/** The CHAP exchange of one login. */
export class ChapExchange {
  readonly #terms: ChapTerms;
  readonly #initiatorName: string;
  #stage: keyof typeof STAGE_KEYS = "method";
  #challenge: Challenge | undefined;
  #proved: Credentials | undefined;

  /** @param initiatorName the folded iSCSI name that the initiator claims */
  constructor(terms: ChapTerms, initiatorName: string) {
    this.#terms = terms;
    this.#initiatorName = initiatorName;
  }

  /** AuthMethod=CHAP has been chosen. */
  get hasBegun(): boolean {
    return this.#stage !== "method";
  }

  /** The exchange is complete, and its proof accepted. */
  get isDone(): boolean {
    return this.#stage === "done";
  }

  /** The account that the initiator has proved; undefined before, and where any response passes. */
  get proved(): Credentials | undefined {
    return this.#proved;
  }

  /** Returns whether this challenge awaits the initiator's response. */
  isOutstanding(challenge: Uint8Array): boolean {
    return this.#stage === "response" && isSameResponse(challenge, this.#challenge!.bytes);
  }

  /** Begins the exchange: AuthMethod=CHAP has been chosen. */
  begin(): void {
    this.#stage = "algorithm";
  }

  /** Answers the CHAP keys of one text, which has none of them twice. */
  receive(pairs: readonly KeyValue[]): ChapReply {
    const keys = new Map(pairs);
    const problem = this.#findMisplaced(keys);
    if (problem !== undefined) return problem;
    return this.#stage === "algorithm"
      ? this.#chooseAlgorithm(keys.get("CHAP_A")!)
      : this.#verify(keys, this.#challenge!);
  }

  #findMisplaced(keys: ReadonlyMap<string, string>): ChapReply | undefined {
    const { required, optional } = STAGE_KEYS[this.#stage];
    const allowed: readonly string[] = [...required, ...optional];
    const misplaced = keys.keys().find((key) => !allowed.includes(key));
    if (misplaced !== undefined) return fault(`${misplaced} is sent out of turn`);
    const isMutual = optional.some((key) => keys.has(key));
    const missing = [...required, ...(isMutual ? optional : [])].find((key) => !keys.has(key));
    return missing && { failure: LoginStatus.missingParameter, reason: `${missing} is missing` };
  }

  #chooseAlgorithm(offer: string): ChapReply {
    // 6.2.1: the first accepted one, because the list is in the order of the initiator's preference.
    const minimum = CHAP_ALGORITHMS.indexOf(this.#terms.minimum);
    const admitted = CHAP_ALGORITHMS.slice(minimum);
    const algorithm = offer.split(",").map(parseNumber)
      .map((code) => admitted.find((name) => ChapAlgorithms[name].code === code))
      .find((name) => name !== undefined);
    if (algorithm === undefined) {
      return refusal(
        `it offers CHAP_A=${quoted(offer)}, but no algorithm as strong as ${this.#terms.minimum}`,
      );
    }
    const { code, bytes: length } = ChapAlgorithms[algorithm];
    const bytes = this.#terms.randomBytes(length);
    const identifier = this.#terms.randomBytes(1)[0]!;
    this.#challenge = { algorithm, identifier, bytes };
    this.#stage = "response";
    const challenge = writeBinaryValue(bytes);
    return { answers: [["CHAP_A", String(code)], ["CHAP_I", String(identifier)], ["CHAP_C", challenge]] };
  }

  #verify(keys: ReadonlyMap<string, string>, challenge: Challenge): ChapReply {
    const name = keys.get("CHAP_N")!;
    const response = readBinaryValue(keys.get("CHAP_R")!, BINARY_BYTES_MAX);
    if (response === undefined) return fault("CHAP_R is not a binary value of 1 to 1024 bytes");
    const theirs = readChallenge(keys);
    if (typeof theirs === "string") return fault(theirs);
    const { accounts } = this.#terms;
    const account = accounts && this.#accountProved(accounts, name, response, challenge);
    if (typeof account === "string") return refusal(account);
    const answers = theirs === undefined ? [] : this.#proveOurselves(theirs, challenge.algorithm);
    if (typeof answers === "string") return refusal(answers);
    this.#proved = account;
    this.#stage = "done";
    return { answers };
  }

  /** Returns the account that the initiator has proved, or the reason why it has proved none. */
  #accountProved(
    accounts: ChapConfig["accounts"],
    name: string,
    response: Uint8Array,
    { algorithm, identifier, bytes }: Challenge,
  ): Credentials | string {
    const account = accounts.get(name);
    const secret = account === undefined ? NO_SECRET : new Uint8Array(account.secret.bytes);
    const expected = chapResponse(algorithm, { identifier, secret, challenge: bytes });
    const isProof = isSameResponse(response, expected);
    if (account === undefined) return `CHAP name ${quoted(name)} is unknown`;
    if (!isProof) return `the secret for CHAP name ${quoted(name)} is wrong`;
    return isAccountOf(account, this.#initiatorName)
      ? account
      : `CHAP name ${quoted(name)} is bound to other initiators, although the secret is right`;
  }

  #proveOurselves(
    { identifier, challenge }: { identifier: number; challenge: Uint8Array },
    algorithm: ChapAlgorithm,
  ): KeyValue[] | string {
    // 9.2.1: an initiator that reflects a challenge would obtain the response that it has to compute.
    if (this.#terms.isOutstanding(challenge)) return "its CHAP_C is a challenge of this target";
    const { mutual } = this.#terms;
    if (mutual === undefined) return "it asks for mutual CHAP, but mutual_user is not set";
    const response = chapResponse(algorithm, {
      identifier,
      secret: new Uint8Array(mutual.secret.bytes),
      challenge,
    });
    return [["CHAP_N", mutual.name], ["CHAP_R", writeBinaryValue(response)]];
  }
}

/** Reads the initiator's challenge; returns undefined if there is none, or a sentence that names the fault. */
function readChallenge(
  keys: ReadonlyMap<string, string>,
): { identifier: number; challenge: Uint8Array } | string | undefined {
  if (!keys.has("CHAP_C")) return undefined;
  const identifier = parseNumber(keys.get("CHAP_I")!);
  if (identifier === undefined || identifier > 255) return "CHAP_I is not a number from 0 to 255";
  const challenge = readBinaryValue(keys.get("CHAP_C")!, BINARY_BYTES_MAX);
  return challenge === undefined
    ? "CHAP_C is not a binary value of 1 to 1024 bytes"
    : { identifier, challenge };
}

/** Returns the failure of an initiator that violates the exchange. */
function fault(reason: string): ChapReply {
  return { failure: LoginStatus.initiatorError, reason };
}

/** Returns the failure of an initiator that follows the exchange but proves nothing. */
function refusal(reason: string): ChapReply {
  return { failure: LoginStatus.authenticationFailure, reason };
}
