/**
 * The target's side of CHAP on one connection (RFC 7143, 12.1.3 and 9.2.1): values in, values out.
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

/** Longest challenge or response (12.1.3). */
const BINARY_BYTES_MAX = 1024;

/** What stands in for the secret of a name that there is not, so that it takes as long to be refused. */
const NO_SECRET = new Uint8Array(16);

/** What has to be proved, and by what means. */
export interface ChapTerms extends Pick<ChapConfig, "mutual"> {
  /** Whose proofs are good; undefined where nothing has to be proved, and an initiator insists on CHAP all the same. */
  readonly accounts: ChapConfig["accounts"] | undefined;
  /** The weakest algorithm that is good enough. */
  readonly minimum: ChapAlgorithm;
  /** Bytes that nobody can guess. */
  readonly randomBytes: (length: number) => Uint8Array;
  /** Whether the target has sent this challenge to anybody who is still to answer it. */
  readonly isOutstanding: (challenge: Uint8Array) => boolean;
}

/** What becomes of an initiator's keys: they are answered, or the login fails. */
export type ChapReply =
  | { readonly answers: readonly KeyValue[] }
  | { readonly failure: LoginStatus; readonly reason: string };

/** Whether a key is one of CHAP's. */
export function isChapKey(key: string): boolean {
  return Object.hasOwn(KEYS, key);
}

const KEYS = { CHAP_A: true, CHAP_I: true, CHAP_C: true, CHAP_N: true, CHAP_R: true } as const;

type ChapKey = keyof typeof KEYS;

/** The keys that a stage wants, and those that it may have besides, all or none of them. */
const STAGE_KEYS = {
  method: { wanted: [], possible: [] },
  algorithm: { wanted: ["CHAP_A"], possible: [] },
  response: { wanted: ["CHAP_N", "CHAP_R"], possible: ["CHAP_I", "CHAP_C"] },
  done: { wanted: [], possible: [] },
} as const satisfies Record<string, { wanted: readonly ChapKey[]; possible: readonly ChapKey[] }>;

interface Challenge {
  readonly algorithm: ChapAlgorithm;
  readonly identifier: number;
  readonly bytes: Uint8Array;
}

/** An initiator proving who it is. */
export class ChapExchange {
  readonly #terms: ChapTerms;
  readonly #initiatorName: string;
  #stage: keyof typeof STAGE_KEYS = "method";
  #challenge: Challenge | undefined;
  #proved: Credentials | undefined;

  /** @param initiatorName folded iSCSI name that the initiator claims to have */
  constructor(terms: ChapTerms, initiatorName: string) {
    this.#terms = terms;
    this.#initiatorName = initiatorName;
  }

  /** AuthMethod=CHAP has been settled. */
  get hasBegun(): boolean {
    return this.#stage !== "method";
  }

  /** The exchange is over, and the initiator has proved what it had to. */
  get isDone(): boolean {
    return this.#stage === "done";
  }

  /** The name that the initiator has proved to be its own, and by which secret; undefined before. */
  get proved(): Credentials | undefined {
    return this.#proved;
  }

  /** Whether this is the challenge that the initiator is still to answer. */
  isOutstanding(challenge: Uint8Array): boolean {
    return this.#stage === "response" && isSameResponse(challenge, this.#challenge!.bytes);
  }

  /** AuthMethod=CHAP is settled. */
  begin(): void {
    this.#stage = "algorithm";
  }

  /** Takes the keys of CHAP of one text. */
  receive(pairs: readonly KeyValue[]): ChapReply {
    const keys = new Map(pairs);
    if (keys.size < pairs.length) return fault("A CHAP key is sent twice");
    const problem = this.#orderProblem(keys);
    if (problem !== undefined) return problem;
    return this.#stage === "algorithm"
      ? this.#chooseAlgorithm(keys.get("CHAP_A")!)
      : this.#verify(keys, this.#challenge!);
  }

  #orderProblem(keys: ReadonlyMap<string, string>): ChapReply | undefined {
    const { wanted, possible } = STAGE_KEYS[this.#stage];
    const allowed: readonly string[] = [...wanted, ...possible];
    const stray = keys.keys().find((key) => !allowed.includes(key));
    if (stray !== undefined) return fault(`${stray} is sent out of turn`);
    const isMutual = possible.some((key) => keys.has(key));
    const missing = [...wanted, ...(isMutual ? possible : [])].find((key) => !keys.has(key));
    return missing &&
      { failure: LoginStatus.missingParameter, reason: `${missing} is missing` };
  }

  #chooseAlgorithm(offer: string): ChapReply {
    // 6.2.1: the first that will do, as the list is in the order of the initiator's preference.
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
    return {
      answers: [["CHAP_A", String(code)], ["CHAP_I", String(identifier)], [
        "CHAP_C",
        writeBinaryValue(bytes),
      ]],
    };
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

  /** The account that an initiator has proved to have, or why it has not. */
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
    // 9.2.1: who sends our own challenge back wants us to compute the response that it owes.
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

/** What the initiator challenges us with: undefined for nothing, or a sentence that says what is wrong with it. */
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

/** The initiator breaks the rules of the exchange. */
function fault(reason: string): ChapReply {
  return { failure: LoginStatus.initiatorError, reason };
}

/** The initiator keeps to the rules, but does not prove who it is. */
function refusal(reason: string): ChapReply {
  return { failure: LoginStatus.authenticationFailure, reason };
}
