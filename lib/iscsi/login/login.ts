/**
 * The login phase of one connection (RFC 7143, 6.3, 11.12 and 11.13): Login Requests in, Login Responses out, no I/O.
 *
 *     initiator                                target                                     state afterwards
 *
 *     security stage (CSG=0)                                                              unidentified
 *       InitiatorName=... TargetName=...
 *       AuthMethod=CHAP,None             ->    reads the names                            identified
 *                                              LoginAuthority.authorize()                 authenticating
 *                                        <-    TargetPortalGroupTag=1 AuthMethod=CHAP
 *       CHAP_A=7,5                       ->
 *                                        <-    CHAP_A=7 CHAP_I=... CHAP_C=...
 *       CHAP_N=... CHAP_R=... T NSG=1    ->    LoginAuthority.admitted()                  admitted
 *                                        <-    T NSG=1
 *     operational stage (CSG=1)
 *       HeaderDigest=None ... T NSG=3    ->    LoginAuthority.establish()                 complete
 *                                        <-    TargetAlias=... MaxRecvDataSegmentLength=262144
 *                                              HeaderDigest=None ... T NSG=3 TSIH
 *     full-feature phase (3)
 *
 * An initiator may begin in the operational stage, and leave either stage for full-feature phase. A stage takes as many
 * requests as the two sides need, and text that exceeds one PDU continues in the next (C). The target agrees to a
 * transition (T) once its whole answer has been sent and the initiator has proved what it must. `AuthMethodNegotiation`
 * draws the choice of AuthMethod, and `chap.ts` the CHAP exchange.
 */
import { Limits } from "../limits.ts";
import { Negotiation } from "../negotiation/negotiation.ts";
import { type LoginRequest, LoginStage } from "../pdu/initiator_pdus.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import { loginFailed, type ProtocolError } from "../pdu/protocol_error.ts";
import {
  decodeText,
  encodeText,
  findRepeatedKey,
  type KeyValue,
  TextAssembly,
  TextPieces,
} from "../pdu/text.ts";
import { TARGET_PORTAL_GROUP_TAG } from "../target.ts";
import type { LoginReply } from "../wire/reply_writer.ts";
import { AuthMethodNegotiation } from "./auth_method.ts";
import type { Admission, LoginAuthority } from "./authority.ts";
import { isChapKey } from "./chap.ts";
import { findOddities, isDiscovery, type LoginIdentity, readIdentity } from "./identity.ts";
import { findContradiction, findHarmlessChanges, findStageFault } from "./request_rules.ts";

/** States of a login, in the order in which it passes them. */
type LoginState =
  /** The first text is incomplete. */
  | { readonly kind: "unidentified" }
  /** The initiator has declared its identity; the node has not decided. */
  | { readonly kind: "identified"; readonly identity: LoginIdentity }
  /** The initiator has to prove its identity, if the node asks for proof. */
  | Authenticating
  /** The initiator may enter the operational stage and full-feature phase. */
  | {
    readonly kind: "admitted";
    readonly identity: LoginIdentity;
    readonly authentication: AuthMethodNegotiation;
  }
  /** The last response leads to full-feature phase. */
  | { readonly kind: "complete"; readonly identity: LoginIdentity };

interface Authenticating {
  readonly kind: "authenticating";
  readonly identity: LoginIdentity;
  readonly admission: Admission;
  readonly authentication: AuthMethodNegotiation;
}

/** A connection's login, until `complete`. */
export class Login {
  readonly negotiation: Negotiation;
  readonly #authority: LoginAuthority;
  readonly #incoming = new TextAssembly(Limits.textBytes);
  #outgoing = new TextPieces(new Uint8Array());
  #state: LoginState = { kind: "unidentified" };
  /** CSG of the next request. */
  #stage: number = LoginStage.security;
  #first: LoginRequest | undefined;
  #requests = 0;
  #tsih = 0;
  /** The alias of the target, from the admission until it is declared. */
  #alias: KeyValue[] = [];
  /** Declarations due with the first answer of the operational stage. */
  #operationalDeclarations: KeyValue[] = [["MaxRecvDataSegmentLength", String(Limits.dataSegmentBytes)]];

  constructor(authority: LoginAuthority) {
    this.#authority = authority;
    this.negotiation = new Negotiation((what) => authority.overlooked(what));
  }

  /** The last response led to full-feature phase. */
  get complete(): boolean {
    return this.#state.kind === "complete";
  }

  /** The identity that the initiator claims, admitted or not; undefined before it has declared one. */
  get claim(): LoginIdentity | undefined {
    return this.#state.kind === "unidentified" ? undefined : this.#state.identity;
  }

  /** The identity that has been admitted. */
  get identity(): LoginIdentity | undefined {
    const state = this.#state;
    return state.kind === "admitted" || state.kind === "complete" ? state.identity : undefined;
  }

  /** Returns whether the initiator has yet to answer this challenge. */
  isOutstanding(challenge: Uint8Array): boolean {
    return this.#authentication?.isOutstanding(challenge) ?? false;
  }

  get #authentication(): AuthMethodNegotiation | undefined {
    return "authentication" in this.#state ? this.#state.authentication : undefined;
  }

  /**
   * Answers a request.
   *
   * @throws {ProtocolError} of kind `login`: the login has failed
   */
  receive(request: LoginRequest): LoginReply {
    this.#check(request);
    if (!this.#outgoing.done) return this.reply(request);
    this.#authentication?.answerSent();
    if (!this.#incoming.add(request.data)) throw fault(`Login text is longer than ${Limits.textBytes} bytes`);
    if (!request.continued) {
      this.#outgoing = new TextPieces(encodeText(this.#answer(this.#incoming.take(), request)));
    }
    return this.reply(request);
  }

  /**
   * Replies to a request whose text has been answered. It changes nothing when it fails because there is no room, and
   * can then be called again.
   *
   * @throws {ProtocolError} of kind `login`: the login has failed
   */
  reply(request: LoginRequest): LoginReply {
    const continued = !this.#outgoing.fits(Limits.loginDataSegmentBytes);
    const transit = request.transit && !continued && this.#authentication!.mayLeave();
    const currentStage = this.#stage;
    if (transit) this.#enter(request.nextStage);
    const data = this.#outgoing.take(Limits.loginDataSegmentBytes);
    return { transit, continued, currentStage, nextStage: request.nextStage, tsih: this.#tsih, data };
  }

  #check(request: LoginRequest): void {
    this.#requests++;
    if (this.#requests > Limits.loginRequests) {
      throw fault(`Login takes more than ${Limits.loginRequests} requests`);
    }
    const first = this.#first ?? this.#begin(request);
    for (const change of findHarmlessChanges(first, request)) this.#authority.overlooked(change);
    const problem = findContradiction(first, request) ?? this.#findEarlyText(request) ??
      findStageFault(request, this.#stage);
    if (problem !== undefined) throw problem;
  }

  #begin(first: LoginRequest): LoginRequest {
    this.#first = first;
    this.#stage = first.currentStage;
    this.#tsih = first.tsih;
    return first;
  }

  #findEarlyText({ data }: LoginRequest): ProtocolError | undefined {
    if (this.#outgoing.done || data.length === 0) return undefined;
    return fault("Login Request has text while an answer is incomplete");
  }

  #answer(text: Uint8Array, request: LoginRequest): KeyValue[] {
    const pairs = decodeText(text, Limits);
    if (typeof pairs === "string") throw fault(pairs);
    const repeated = findRepeatedKey(pairs);
    if (repeated !== undefined) throw fault(`${repeated} is sent twice`);
    const declarations = this.#state.kind === "unidentified" ? this.#identify(pairs) : [];
    const authentication = this.#authentication!;
    const selection = pairs.find((pair) => authentication.isSelection(pair));
    if (selection !== undefined) {
      this.negotiation.assume("AuthMethod", selection[1], this.#isSecurity ? "security" : "operational");
      authentication.settle(selection[1]);
    }
    const offers = pairs.filter((pair) => pair !== selection);
    return this.#isSecurity
      ? this.#answerSecurity(offers, authentication, declarations, request)
      : this.#answerOperational(offers, authentication, declarations);
  }

  get #isSecurity(): boolean {
    return this.#stage === LoginStage.security;
  }

  /** Reads the initiator's identity, and has the node decide about it (6.3.1). */
  #identify(pairs: readonly KeyValue[]): KeyValue[] {
    const keys = new Map(pairs);
    const identity = readIdentity(keys, this.#first!);
    for (const oddity of findOddities(keys, identity)) this.#authority.overlooked(oddity);
    this.#state = { kind: "identified", identity };
    this.negotiation.assume("SessionType", isDiscovery(identity) ? "Discovery" : "Normal");
    if (isDiscovery(identity)) this.negotiation.enterDiscovery();
    const admission = this.#authority.authorize(identity);
    if (admission.chap !== undefined) this.negotiation.requireChap();
    if (identity.tsih !== 0) this.negotiation.joinSession();
    const authentication = new AuthMethodNegotiation(
      admission,
      identity.initiatorName,
      (what) => this.#authority.overlooked(what),
    );
    this.#state = { kind: "authenticating", identity, admission, authentication };
    // 6.3.1: the first response of every session has the tag, even if the named target does not exist.
    return [["TargetPortalGroupTag", String(TARGET_PORTAL_GROUP_TAG)]];
  }

  #answerSecurity(
    pairs: readonly KeyValue[],
    authentication: AuthMethodNegotiation,
    declarations: readonly KeyValue[],
    { transit, nextStage }: LoginRequest,
  ): KeyValue[] {
    const answers = this.#negotiate(pairs.filter(([key]) => !isChapKey(key)), "security");
    const method = valueOf(answers, "AuthMethod");
    if (method === "Reject") throw authentication.offerRefused(valueOf(pairs, "AuthMethod")!);
    // 12.1: the first step of the exchange follows the choice of CHAP, but may come with an offer of it.
    if (method !== undefined) authentication.settle(method);
    const proofs = pairs.filter(([key]) => isChapKey(key));
    const proofAnswers = proofs.length === 0 ? [] : authentication.prove(proofs);
    if (method !== undefined && proofs.length > 0) {
      this.#authority.overlooked("CHAP begins together with the offer of AuthMethod");
    }
    this.#admit();
    // An initiator may take any key beside those of CHAP for a part of the exchange, so the alias waits for the
    // operational stage, if the initiator enters it.
    const isAliasDue = proofs.length === 0 || transit && nextStage === LoginStage.fullFeature;
    const alias = isAliasDue ? this.#alias.splice(0) : [];
    return [...alias, ...declarations, ...answers, ...proofAnswers, ...authentication.propose(transit)];
  }

  #answerOperational(
    pairs: readonly KeyValue[],
    authentication: AuthMethodNegotiation,
    declarations: readonly KeyValue[],
  ): KeyValue[] {
    const answers = this.#negotiate(pairs, "operational");
    if (valueOf(answers, "AuthMethod") !== undefined) {
      this.#authority.overlooked("AuthMethod=None is sent after the security stage");
    }
    this.#admit();
    if (this.#state.kind !== "admitted") {
      throw authentication.refused("it skips the security stage, but CHAP is required");
    }
    return [
      ...this.#alias.splice(0),
      ...declarations,
      ...this.#operationalDeclarations.splice(0),
      ...answers,
    ];
  }

  #negotiate(pairs: readonly KeyValue[], stage: "security" | "operational"): KeyValue[] {
    const answers = this.negotiation.answer(pairs, stage);
    if (typeof answers === "string") throw fault(answers);
    return answers;
  }

  /** Admits the initiator once it has proved what it must. */
  #admit(): void {
    const state = this.#state;
    if (state.kind !== "authenticating" || !state.authentication.isProved) return;
    const { admission: { refusal, alias }, authentication } = state;
    if (refusal !== undefined) throw refusal;
    const identity = { ...state.identity, proved: authentication.proved };
    this.#authority.admitted(identity);
    this.#state = { kind: "admitted", identity, authentication };
    if (alias !== undefined) this.#alias = [["TargetAlias", alias]];
  }

  #enter(stage: number): void {
    if (stage === LoginStage.fullFeature) {
      const identity = this.identity!;
      this.#tsih = this.#authority.establish(identity);
      this.#state = { kind: "complete", identity };
    }
    this.#stage = stage;
  }
}

function valueOf(pairs: readonly KeyValue[], key: string): string | undefined {
  return pairs.find(([name]) => name === key)?.[1];
}

function fault(message: string): ProtocolError {
  return loginFailed(LoginStatus.initiatorError, message);
}
