/**
 * The login phase of one connection (RFC 7143, 6.3 and 11.12 to 11.13): requests in, responses out, no I/O.
 *
 * A login walks through stages: security (0), operational (1), full-feature phase (3). The initiator asks for a
 * transition with T, and the target agrees once it has answered every key and the initiator has proved what it had to.
 */
import type { Credentials } from "../../config/chap.ts";
import { foldIscsiName, iscsiNameProblem } from "../../config/iscsi_name.ts";
import { ChapExchange, type ChapTerms, isChapKey } from "./chap.ts";
import { Limits } from "../limits.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import type { LoginRequest } from "../pdu/initiator_pdus.ts";
import { Negotiation } from "../negotiation/negotiation.ts";
import { loginFailed, loginRefused, type ProtocolError } from "../pdu/protocol_error.ts";
import { quoted } from "../events/quoted.ts";
import { decodeText, encodeText, type KeyValue, TextAssembly, TextPieces } from "../pdu/text.ts";
import type { LoginReply } from "../wire/reply_writer.ts";

const SECURITY_STAGE = 0;
const OPERATIONAL_STAGE = 1;
const FULL_FEATURE_PHASE = 3;

/** The one portal group that a target has. */
export const TARGET_PORTAL_GROUP_TAG = 1;

/** Whose a session is, and with what: names are folded. */
export interface SessionIdentity {
  readonly initiatorName: string;
  /** Undefined in a discovery session. */
  readonly targetName: string | undefined;
  /** The target that a discovery session names (7.4.2.2); most name none. */
  readonly discoveredName: string | undefined;
  readonly isid: number;
  /** What the initiator has proved to be; undefined where nothing had to be proved. */
  readonly proved: Credentials | undefined;
}

/** Who asks to log in, and to what. */
export interface LoginIdentity extends SessionIdentity {
  /** Target session identifying handle of the session to join; 0 for a new one. */
  readonly tsih: number;
  readonly cid: number;
}

/** What becomes of a login, and what the initiator has to prove before it hears so. */
export interface Admission {
  /** Undefined when nothing has to be proved. */
  readonly chap: ChapTerms | undefined;
  /** On what terms an initiator goes through CHAP that insists on it where nothing has to be proved. */
  readonly needlessChap: ChapTerms;
  /** Why the login fails all the same; only who has proved what it had to is told so. */
  readonly refusal: ProtocolError | undefined;
  /** The friendly name of the target, if it has one to declare. */
  readonly alias: string | undefined;
}

/** Who decides: asked when the initiator has said who it is, before anything is negotiated. */
export interface LoginAuthority {
  /** The initiator does something that the RFC does not allow, and that the target overlooks. */
  overlooked(what: string): void;
  authorize(identity: LoginIdentity): Admission;
  /**
   * The initiator has proved what it had to.
   *
   * @throws {ProtocolError} of kind `login` when there is no session for it to join
   */
  admitted(identity: LoginIdentity): void;
  /**
   * Takes the initiator in.
   *
   * @returns the target session identifying handle
   * @throws {ProtocolError} of kind `login` when there is no room
   */
  establish(identity: LoginIdentity): number;
}

/** A connection's login, until `complete`. */
export class Login {
  readonly negotiation = new Negotiation();
  readonly #authority: LoginAuthority;
  readonly #incoming = new TextAssembly(Limits.textBytes);
  #outgoing = new TextPieces(new Uint8Array());
  #first: LoginRequest | undefined;
  #identity: LoginIdentity | undefined;
  #admission: Admission | undefined;
  #chap: ChapExchange | undefined;
  #isAdmitted = false;
  /** The authentication method that the target has proposed, and that the initiator has not taken. */
  #proposal: string | undefined;
  /** It does so in the answer that is under way. */
  #isProposing = false;
  #stage = SECURITY_STAGE;
  #requests = 0;
  #hasDeclared = false;
  #tsih = 0;

  constructor(authority: LoginAuthority) {
    this.#authority = authority;
  }

  /** Full-feature phase has been reached: the last reply said so. */
  get complete(): boolean {
    return this.#stage === FULL_FEATURE_PHASE;
  }

  /** Who asks to log in, authorized or not; undefined before it has said so. */
  get claim(): LoginIdentity | undefined {
    return this.#identity;
  }

  /** Who has been authorized; undefined before. */
  get identity(): LoginIdentity | undefined {
    return this.#isAdmitted ? this.#identity : undefined;
  }

  /** Whether this is the challenge that the initiator is still to answer. */
  isOutstanding(challenge: Uint8Array): boolean {
    return this.#chap?.isOutstanding(challenge) ?? false;
  }

  /**
   * Answers a request.
   *
   * @throws {ProtocolError} of kind `login`: the login has failed
   */
  receive(request: LoginRequest): LoginReply {
    this.#check(request);
    if (!this.#outgoing.done) return this.reply(request);
    if (!this.#incoming.add(request.data)) {
      throw loginFailed(LoginStatus.initiatorError, `Login text is longer than ${Limits.textBytes} bytes`);
    }
    if (!request.continued) {
      const answers = this.#answer(this.#incoming.take());
      this.#outgoing = new TextPieces(encodeText([...answers, ...this.#propose(request)]));
    }
    return this.reply(request);
  }

  #check(request: LoginRequest): void {
    this.#requests++;
    if (this.#outgoing.done) this.#isProposing = false;
    if (this.#requests > Limits.loginRequests) {
      throw loginFailed(LoginStatus.initiatorError, `Login takes more than ${Limits.loginRequests} requests`);
    }
    if (this.#first === undefined) {
      this.#first = request;
      this.#stage = request.currentStage;
      this.#tsih = request.tsih;
    }
    const problem = this.#contradiction(this.#first, request) ?? this.#stageProblem(request);
    if (problem !== undefined) throw problem;
  }

  #contradiction(first: LoginRequest, request: LoginRequest): ProtocolError | undefined {
    // 11.12.4: the first request says which versions the initiator can speak.
    if (first.versionMin > 0) {
      return loginFailed(LoginStatus.unsupportedVersion, `Version ${first.versionMin} is not supported`);
    }
    // 11.12: these stay the same throughout a login. So does the task tag, but nothing depends on it.
    if (request.initiatorTaskTag !== first.initiatorTaskTag) {
      this.#authority.overlooked("a Login Request has another initiator task tag than the first");
    }
    for (const field of ["isid", "tsih", "cid"] as const) {
      if (request[field] !== first[field]) {
        return loginFailed(LoginStatus.initiatorError, `Login request changes its ${field}`);
      }
    }
    if (!this.#outgoing.done && request.data.length > 0) {
      return loginFailed(LoginStatus.initiatorError, "Login request has text before the answer is complete");
    }
    return undefined;
  }

  #stageProblem(request: LoginRequest): ProtocolError | undefined {
    const { currentStage, nextStage, transit, continued } = request;
    const isStage = currentStage === SECURITY_STAGE || currentStage === OPERATIONAL_STAGE;
    if (!isStage || currentStage !== this.#stage) {
      return loginFailed(
        LoginStatus.initiatorError,
        `Login request is in stage ${currentStage}, not ${this.#stage}`,
      );
    }
    if (transit && continued) {
      return loginFailed(LoginStatus.initiatorError, "Login request asks for transition with text to come");
    }
    const isNext = nextStage === OPERATIONAL_STAGE || nextStage === FULL_FEATURE_PHASE;
    if (transit && (!isNext || nextStage <= currentStage)) {
      return loginFailed(
        LoginStatus.initiatorError,
        `Login request asks for stage ${nextStage} from ${currentStage}`,
      );
    }
    return undefined;
  }

  #answer(text: Uint8Array): KeyValue[] {
    const pairs = decodeText(text, Limits);
    if (typeof pairs === "string") throw loginFailed(LoginStatus.initiatorError, pairs);
    const declarations = this.#identity === undefined ? this.#identify(pairs) : [];
    const stage = this.#stage === SECURITY_STAGE ? "security" : "operational";
    const isProof = ([key]: KeyValue): boolean => stage === "security" && isChapKey(key);
    const selection = pairs.find(([key, value]) => key === "AuthMethod" && value === this.#proposal);
    if (selection !== undefined) this.#take(selection[1]);
    const offers = pairs.filter((pair) => pair !== selection && !isProof(pair));
    const answers = this.negotiation.answer(offers, stage);
    if (typeof answers === "string") throw loginFailed(LoginStatus.initiatorError, answers);
    const method = answers.find(([key]) => key === "AuthMethod")?.[1];
    if (method !== undefined && stage === "operational") {
      this.#authority.overlooked("AuthMethod=None comes after the security stage");
    }
    if (method === "Reject") {
      const offer = pairs.find(([key]) => key === "AuthMethod")![1];
      const wanted = this.#chap === undefined ? "the target takes only CHAP and None" : "CHAP is required";
      throw this.#authenticationFailed(`it offers AuthMethod=${quoted(offer)}, and ${wanted}`);
    }
    const admitted = this.#admit(pairs.filter(isProof), method);
    if (stage === "operational" && !this.#isAdmitted) {
      throw this.#authenticationFailed("it leaves out the security stage, where CHAP is required");
    }
    if (stage === "operational" && !this.#hasDeclared) {
      this.#hasDeclared = true;
      declarations.push(["MaxRecvDataSegmentLength", String(Limits.dataSegmentBytes)]);
    }
    return [...admitted, ...declarations, ...answers];
  }

  /** 12.1: the target may propose a method, where an initiator waits for that. It does so once. */
  #propose({ transit }: LoginRequest): KeyValue[] {
    const isSettled = this.#proposal !== undefined || this.negotiation.hasReceived("AuthMethod");
    const isWaitedFor = !transit || this.#chap !== undefined;
    if (this.#stage !== SECURITY_STAGE || isSettled || !isWaitedFor) return [];
    this.#proposal = this.#chap === undefined ? "None" : "CHAP";
    this.#isProposing = true;
    return [["AuthMethod", this.#proposal]];
  }

  /** The initiator takes the proposal: that is no offer, and is not answered. */
  #take(method: string): void {
    this.negotiation.assume("AuthMethod", method);
    this.#proposal = undefined;
    if (method === "CHAP") this.#beginChap();
  }

  /** 6.3: the first request says who logs in, and what for. */
  #identify(pairs: readonly KeyValue[]): KeyValue[] {
    const first = this.#first!;
    const keys = new Map(pairs);
    const initiatorName = requiredName(keys, "InitiatorName");
    const sessionType = keys.get("SessionType") ?? "Normal";
    if (sessionType !== "Normal" && sessionType !== "Discovery") {
      throw loginFailed(LoginStatus.sessionTypeNotSupported, `SessionType ${quoted(sessionType)}`);
    }
    this.negotiation.assume("SessionType", sessionType);
    const isDiscovery = sessionType === "Discovery";
    if (isDiscovery) this.negotiation.enterDiscovery();
    const name = isDiscovery && !keys.has("TargetName") ? undefined : requiredName(keys, "TargetName");
    const { isid, tsih, cid } = first;
    const [targetName, discoveredName] = isDiscovery ? [undefined, name] : [name, undefined];
    this.#identity = { initiatorName, targetName, discoveredName, isid, tsih, cid, proved: undefined };
    this.#admission = this.#authority.authorize(this.#identity);
    if (this.#admission.chap !== undefined) {
      this.#chap = new ChapExchange(this.#admission.chap, initiatorName);
      this.negotiation.requireChap();
    }
    if (tsih !== 0) this.negotiation.joinSession();
    // 6.3.1: the tag is in the first response of every session, even to who names a target that is not there.
    return [["TargetPortalGroupTag", String(TARGET_PORTAL_GROUP_TAG)]];
  }

  /** Lets the initiator in when it has proved what it had to, and answers its proofs. */
  #admit(proofs: readonly KeyValue[], method: string | undefined): KeyValue[] {
    const answers = proofs.length === 0 ? [] : this.#prove(proofs);
    if (method === "CHAP") this.#beginChap();
    if (this.#isAdmitted || this.#chap?.isDone === false) return [...answers];
    const { refusal, alias } = this.#admission!;
    this.#identity = { ...this.#identity!, proved: this.#chap?.proved };
    if (refusal !== undefined) throw refusal;
    this.#authority.admitted(this.#identity);
    this.#isAdmitted = true;
    return alias === undefined ? [...answers] : [["TargetAlias", alias], ...answers];
  }

  #beginChap(): void {
    if (this.#chap === undefined) {
      this.#authority.overlooked(
        "it offers nothing but CHAP, which is not asked for: its response is not checked",
      );
    }
    this.#chap ??= new ChapExchange(this.#admission!.needlessChap, this.#identity!.initiatorName);
    this.#chap.begin();
  }

  #prove(proofs: readonly KeyValue[]): readonly KeyValue[] {
    if (this.#chap === undefined) {
      throw loginFailed(LoginStatus.initiatorError, `${proofs[0]![0]} without AuthMethod=CHAP`);
    }
    const reply = this.#chap.receive(proofs);
    if ("answers" in reply) return reply.answers;
    if (reply.failure === LoginStatus.authenticationFailure) throw this.#authenticationFailed(reply.reason);
    throw loginFailed(reply.failure, reply.reason);
  }

  /** Our log says besides what else would have refused. */
  #authenticationFailed(reason: string): ProtocolError {
    const refusal = this.#admission!.refusal?.response;
    const rule = refusal?.kind === "login" ? `${reason}; besides, ${refusal.rule}` : reason;
    const { initiatorName } = this.#identity!;
    return loginRefused(LoginStatus.authenticationFailure, initiatorName, { reason: "authentication", rule });
  }

  /**
   * Answers a request that has been received. When that fails for want of room, nothing has changed, and it can be done
   * again.
   *
   * @throws {ProtocolError} of kind `login`: the login has failed
   */
  reply(request: LoginRequest): LoginReply {
    const continued = !this.#outgoing.fits(Limits.loginDataSegmentBytes);
    const transit = request.transit && !continued && this.#mayTransit();
    const currentStage = this.#stage;
    if (transit) this.#enter(request.nextStage);
    const data = this.#outgoing.take(Limits.loginDataSegmentBytes);
    return { transit, continued, currentStage, nextStage: request.nextStage, tsih: this.#tsih, data };
  }

  /** Nobody leaves the security stage who still has to prove who it is. */
  #mayTransit(): boolean {
    if (this.#chap === undefined || this.#chap.isDone) return true;
    if (this.#chap.hasBegun || this.#isProposing) return false;
    throw this.#authenticationFailed("it goes on without AuthMethod, where CHAP is required");
  }

  #enter(stage: number): void {
    // A request that may transit has had its text answered, and the first text answered identifies the initiator.
    if (stage === FULL_FEATURE_PHASE) this.#tsih = this.#authority.establish(this.#identity!);
    this.#stage = stage;
  }
}

function requiredName(keys: ReadonlyMap<string, string>, key: string): string {
  const value = keys.get(key);
  if (value === undefined) throw loginFailed(LoginStatus.missingParameter, `Login request has no ${key}`);
  const name = foldIscsiName(value);
  const problem = iscsiNameProblem(name);
  if (problem !== undefined) {
    throw loginFailed(
      LoginStatus.initiatorError,
      `${key} ${quoted(value)} is no iSCSI name: ${problem}`,
    );
  }
  return name;
}
