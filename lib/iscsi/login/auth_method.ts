/**
 * The negotiation of AuthMethod (RFC 7143, 12.1), and the CHAP exchange that follows it if CHAP is chosen.
 *
 *     initiator                         target                 state afterwards
 *
 *     The initiator makes an offer:
 *       AuthMethod=CHAP,None      ->
 *                                 <-    AuthMethod=CHAP        settled
 *     The initiator waits for a proposal:
 *       InitiatorName=... only    ->
 *                                 <-    AuthMethod=CHAP        proposing, then proposed
 *       AuthMethod=CHAP CHAP_A=5  ->                           settled
 */
import { quoted } from "../events/peer_text.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import { loginFailed, loginRefused, type ProtocolError } from "../pdu/protocol_error.ts";
import type { KeyValue } from "../pdu/text.ts";
import type { Credentials } from "../../config/chap.ts";
import type { Admission } from "./authority.ts";
import { ChapExchange } from "./chap.ts";

type AuthMethod = "CHAP" | "None";

/** States of the negotiation. */
type AuthMethodState =
  /** Neither side has named a method. */
  | { readonly kind: "open" }
  /** The answer that is being sent proposes a method. */
  | { readonly kind: "proposing"; readonly method: AuthMethod }
  /** The proposal has been sent; the initiator may take it or make an offer. */
  | { readonly kind: "proposed"; readonly method: AuthMethod }
  /** A method has been chosen. */
  | { readonly kind: "settled" };

/** The authentication of one login. */
export class AuthMethodNegotiation {
  readonly #admission: Admission;
  readonly #initiatorName: string;
  readonly #overlooked: (what: string) => void;
  #state: AuthMethodState = { kind: "open" };
  /** Undefined while nothing has to be proved and the initiator does not insist on CHAP. */
  #chap: ChapExchange | undefined;

  /**
   * @param initiatorName the folded iSCSI name that the initiator claims
   * @param overlooked logs a violation of the RFC that is tolerated
   */
  constructor(admission: Admission, initiatorName: string, overlooked: (what: string) => void) {
    this.#admission = admission;
    this.#initiatorName = initiatorName;
    this.#overlooked = overlooked;
    if (admission.chap !== undefined) this.#chap = new ChapExchange(admission.chap, initiatorName);
  }

  /** Nothing has to be proved, or it has been. */
  get isProved(): boolean {
    return this.#chap === undefined || this.#chap.isDone;
  }

  /** The account that the initiator has proved. */
  get proved(): Credentials | undefined {
    return this.#chap?.proved;
  }

  /** Returns whether the initiator has yet to answer this challenge. */
  isOutstanding(challenge: Uint8Array): boolean {
    return this.#chap?.isOutstanding(challenge) ?? false;
  }

  /** Returns whether a pair takes the proposed method: it is not an offer, and gets no answer. */
  isSelection([key, value]: KeyValue): boolean {
    return key === "AuthMethod" && "method" in this.#state && value === this.#state.method;
  }

  /** Takes note that the answer with a proposal has been sent. */
  answerSent(): void {
    if (this.#state.kind === "proposing") this.#state = { kind: "proposed", method: this.#state.method };
  }

  /** Returns the pair that proposes a method, once, to an initiator that waits for one. */
  propose(wantsTransit: boolean): KeyValue[] {
    const isAwaited = !wantsTransit || this.#chap !== undefined;
    if (this.#state.kind !== "open" || !isAwaited) return [];
    const method = this.#chap === undefined ? "None" : "CHAP";
    this.#state = { kind: "proposing", method };
    return [["AuthMethod", method]];
  }

  /** Settles the method; CHAP begins. */
  settle(method: string): void {
    this.#state = { kind: "settled" };
    if (method !== "CHAP") return;
    if (this.#chap === undefined) {
      this.#overlooked("it offers only CHAP, which is not required; its response is not checked");
      this.#chap = new ChapExchange(this.#admission.needlessChap, this.#initiatorName);
    }
    this.#chap.begin();
  }

  /**
   * Answers the CHAP keys of one text.
   *
   * @throws {ProtocolError} of kind `login`: the exchange has failed
   */
  prove(proofs: readonly KeyValue[]): readonly KeyValue[] {
    if (this.#chap === undefined) {
      throw loginFailed(LoginStatus.initiatorError, `${proofs[0]![0]} is sent without AuthMethod=CHAP`);
    }
    const reply = this.#chap.receive(proofs);
    if ("answers" in reply) return reply.answers;
    if (reply.failure === LoginStatus.authenticationFailure) throw this.refused(reply.reason);
    throw loginFailed(reply.failure, reply.reason);
  }

  /**
   * Returns whether the initiator may leave the security stage; it stays while CHAP is under way or being proposed.
   *
   * @throws {ProtocolError} of kind `login` when it leaves without the required authentication
   */
  mayLeave(): boolean {
    if (this.isProved) return true;
    if (this.#chap!.hasBegun || this.#state.kind === "proposing") return false;
    throw this.refused("it leaves the security stage without AuthMethod, but CHAP is required");
  }

  /** Returns the refusal of an offer without any method that the target accepts. */
  offerRefused(offer: string): ProtocolError {
    const required = this.#chap === undefined ? "the target supports only CHAP and None" : "CHAP is required";
    return this.refused(`it offers AuthMethod=${quoted(offer)}, but ${required}`);
  }

  /** Returns an authentication failure; its rule, for the log, includes any other reason to refuse. */
  refused(reason: string): ProtocolError {
    const refusal = this.#admission.refusal?.response;
    const rule = refusal?.kind === "login" ? `${reason}; also, ${refusal.rule}` : reason;
    return loginRefused(LoginStatus.authenticationFailure, this.#initiatorName, {
      reason: "authentication",
      rule,
    });
  }
}
