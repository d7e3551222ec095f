/** Negotiation of keys (RFC 7143, 6.2 and 6.3), driven by the table in `login_keys.ts`. */
import { type KeyRule, type LoginKey, loginKey, LoginKeys } from "./login_keys.ts";
import { Limits } from "../limits.ts";
import type { KeyValue } from "../pdu/text.ts";

/** The stage in which a pair is received; `full` is full-feature phase. */
export type NegotiationStage = "security" | "operational" | "full";

/** The parameters of a session, negotiated in the login of its leading connection. */
export interface SessionParameters {
  readonly maxConnections: number;
  readonly initialR2T: boolean;
  readonly immediateData: boolean;
  readonly maxBurstLength: number;
  readonly firstBurstLength: number;
  readonly maxOutstandingR2T: number;
  readonly defaultTime2Wait: number;
  readonly defaultTime2Retain: number;
  /** iSCSIProtocolLevel: 2 with RFC 7144. */
  readonly protocolLevel: number;
}

/** The parameters of one connection. */
export interface ConnectionParameters {
  /** The longest data segment that the initiator accepts. */
  readonly initiatorMaxRecvDataSegmentLength: number;
  /** A CRC32C follows the header segments of every PDU. */
  readonly headerDigest: boolean;
  /** A CRC32C follows the data segment of every PDU. */
  readonly dataDigest: boolean;
}

/** The parameters of a connection and of its session. */
export type NegotiatedParameters = SessionParameters & ConnectionParameters;

/** The result of one offer. */
interface Resolution {
  /** The value to send; undefined for a declaration, which gets no answer. */
  readonly answer: string | undefined;
  /** The negotiated value; undefined when the offer changes nothing. */
  readonly value?: string | number | boolean;
  /** The offer exceeds the range of its key, which makes no difference to the result. */
  readonly isExcessive?: boolean;
}

const REJECT: Resolution = { answer: "Reject" };

/** Answers to a key that the target has sent; they are not offers (RFC 7143, 6.2). */
const CLOSING_ANSWERS: readonly string[] = ["NotUnderstood", "Irrelevant", "Reject"];

/** Longest value, unless the key defines another limit (RFC 7143, 6.1). */
const VALUE_BYTES_MAX = 255;

/**
 * Parses a decimal or hexadecimal number of up to 64 bits (RFC 7143, 6.1); returns undefined for any other text.
 * Numbers beyond 53 bits are rounded; the range of every key is far below.
 */
export function parseNumber(text: string): number | undefined {
  return /^(0[xX][0-9a-fA-F]{1,16}|0|[1-9][0-9]{0,19})$/.test(text) ? Number(text) : undefined;
}

/** Resolves an offer by the rule of its key. */
export function resolve(rule: KeyRule, offer: string): Resolution {
  switch (rule.kind) {
    case "list": {
      const chosen = offer.split(",").find((item) => rule.supported.includes(item));
      return chosen === undefined ? REJECT : { answer: chosen, value: chosen };
    }
    case "smaller": {
      // 6.2.2: an offer that is not admissible may get an admissible answer.
      const number = numberFrom(rule, offer);
      if (number === undefined) return REJECT;
      const value = Math.min(number, rule.own);
      return { answer: String(value), value, isExcessive: number > rule.max };
    }
    case "greater": {
      const number = numberFrom(rule, offer);
      if (number === undefined || number > rule.max) return REJECT;
      const value = Math.max(number, rule.own);
      return { answer: String(value), value };
    }
    case "declaredNumber": {
      const number = numberFrom(rule, offer);
      if (number === undefined) return REJECT;
      return { answer: undefined, value: Math.min(number, rule.max), isExcessive: number > rule.max };
    }
    case "and":
    case "or": {
      if (offer !== "Yes" && offer !== "No") return REJECT;
      const offered = offer === "Yes";
      const value = rule.kind === "and" ? offered && rule.own : offered || rule.own;
      return { answer: value ? "Yes" : "No", value };
    }
    case "declaredText":
      return fitsOneValue(offer) ? { answer: undefined, value: offer } : REJECT;
    case "obsolete":
      return { answer: rule.answer };
    case "authentication":
    case "targetOnly":
    case "request":
      return REJECT;
    default:
      return rule satisfies never;
  }
}

function fitsOneValue(text: string): boolean {
  return new TextEncoder().encode(text).length <= VALUE_BYTES_MAX;
}

function numberFrom({ min }: { min: number }, text: string): number | undefined {
  const number = parseNumber(text);
  return number === undefined || number < min ? undefined : number;
}

/** The keys of one connection, from its first Login Request to its end. */
export class Negotiation {
  readonly #values = new Map<string, string | number | boolean>();
  /** Values of an incomplete text negotiation; they take effect when it is complete (6.4). */
  readonly #proposed = new Map<string, string | number | boolean>();
  /** The received keys, each with its stage, and with its value if the key may be repeated. */
  readonly #received = new Map<
    string,
    { readonly value: string; readonly stage: NegotiationStage | "any" }
  >();
  /** Received keys that are not in the table. */
  #unknownCount = 0;
  readonly #overlooked: (what: string) => void;
  #isDiscovery = false;
  #isLeading = true;
  #authMethod: "CHAP" | "None" = "None";

  /** @param overlooked logs a violation of the RFC that is tolerated */
  constructor(overlooked: (what: string) => void = () => {}) {
    this.#overlooked = overlooked;
  }

  /**
   * Applies the rules of a discovery session: it has one connection, and negotiates nothing in full-feature phase. Keys
   * without a meaning in it are negotiated all the same, because some initiators do not understand Irrelevant (6.2).
   */
  enterDiscovery(): void {
    this.#isDiscovery = true;
  }

  /** Makes CHAP the only authentication method; otherwise None is preferred. */
  requireChap(): void {
    this.#authMethod = "CHAP";
  }

  /** Applies the rules of a connection that joins a session: keys of the leading connection are Irrelevant. */
  joinSession(): void {
    this.#isLeading = false;
  }

  /** Records a value that holds without an offer; a later, different one is then refused as a repetition. */
  assume(name: LoginKey, value: string, stage: NegotiationStage | "any" = "any"): void {
    this.#received.set(name, { value, stage });
  }

  /** Completes a text negotiation: its values take effect. */
  conclude(): void {
    for (const [name, value] of this.#proposed) this.#values.set(name, value);
    this.#proposed.clear();
  }

  /** Abandons a text negotiation: its values are dropped (6.4). */
  abandon(): void {
    this.#proposed.clear();
  }

  /**
   * Answers pairs in their order.
   *
   * @returns the answers, or a sentence that names the violation of a rule
   */
  answer(pairs: readonly KeyValue[], stage: NegotiationStage): KeyValue[] | string {
    const answers: KeyValue[] = [];
    for (const [name, offer] of pairs) {
      const problem = this.#problem(name, offer, stage);
      if (problem !== undefined) return problem;
      const answer = this.#answerOne(name, offer, stage);
      if (answer !== undefined) answers.push([name, answer]);
    }
    return answers.map((pair) => this.#withinBurst(pair));
  }

  #answerOne(name: string, offer: string, stage: NegotiationStage): string | undefined {
    const key = loginKey(name);
    if (key === undefined) {
      if (stage !== "full") this.#receiveUnknown(name, stage);
      return "NotUnderstood";
    }
    if (CLOSING_ANSWERS.includes(offer)) return undefined;
    if (!this.#isLeading && key.leadingOnly) {
      this.#received.set(name, { value: "", stage });
      return "Irrelevant";
    }
    // 6.3: few keys may be negotiated in full-feature phase.
    if (stage === "full" && key.when !== "operationalOrFull" && key.when !== "always") return "Reject";
    const rule = this.#ruleOf(name, offer) ?? key.rule;
    const { answer, value, isExcessive } = resolve(rule, offer);
    if (isExcessive) this.#overlooked(`its ${name} is greater than the standard permits`);
    // A repetition is compared with a declared text, of at most 255 bytes, or with the method that was chosen.
    const kept = rule.kind === "declaredText" && answer === undefined
      ? offer
      : name === "AuthMethod"
      ? answer!
      : "";
    this.#received.set(name, { value: kept, stage });
    if (value !== undefined) (stage === "full" ? this.#proposed : this.#values).set(name, value);
    return answer;
  }

  #receiveUnknown(name: string, stage: NegotiationStage): void {
    if (!this.#received.has(name)) this.#unknownCount++;
    this.#received.set(name, { value: "", stage });
  }

  /** Returns the rule of a key that depends on the login; undefined for the rule of the table. */
  #ruleOf(name: string, offer: string): KeyRule | undefined {
    if (name === "AuthMethod") {
      // Without required authentication the target chooses None, or CHAP if None is not offered.
      const isNone = this.#authMethod === "None" && offer.split(",").includes("None");
      return { ...LoginKeys.AuthMethod.rule, supported: [isNone ? "None" : "CHAP"] };
    }
    const isSingle = name === "MaxConnections" && this.#isDiscovery;
    return isSingle ? { ...LoginKeys.MaxConnections.rule, own: 1 } : undefined;
  }

  /** Limits FirstBurstLength to MaxBurstLength (13.14), whatever the order of the offers. */
  #withinBurst(pair: KeyValue): KeyValue {
    if (pair[0] !== "FirstBurstLength" || parseNumber(pair[1]) === undefined) return pair;
    return ["FirstBurstLength", String(this.sessionParameters().firstBurstLength)];
  }

  #problem(name: string, offer: string, stage: NegotiationStage): string | undefined {
    // 4.3: the only text of a discovery session is SendTargets.
    if (stage === "full" && this.#isDiscovery) return `${name} is not allowed in a discovery session`;
    if (stage === "full") return undefined;
    const before = this.#received.get(name);
    const key = loginKey(name);
    if (key === undefined) return this.#unknownProblem(name, before?.stage === stage, before === undefined);
    if (key.when === "security" && stage !== "security" && !this.#isNeedless(name, offer)) {
      return `${name} is not allowed after the security stage`;
    }
    if (key.when.startsWith("operational") && stage === "security") {
      return `${name} is not allowed in the security stage`;
    }
    if (key.when === "full") return `${name} is not allowed during login`;
    // 6.3: a key is negotiated once. A declaration may be repeated unchanged: the identity of the login at any time,
    // any other in another stage, which is a negotiation of its own. So may AuthMethod, if None was and is chosen.
    if (before === undefined) return undefined;
    const isUnchanged = key.rule.kind === "declaredText"
      ? before.value === offer
      : before.value === "None" && this.#isNeedless(name, offer);
    const isRepetition = isUnchanged && (key.isIdentity === true || before.stage !== stage);
    return isRepetition ? undefined : `${name} is sent twice`;
  }

  #unknownProblem(name: string, isRepetition: boolean, isNew: boolean): string | undefined {
    if (isRepetition) return `${name} is sent twice`;
    const isExcess = isNew && this.#unknownCount === Limits.textKeys;
    return isExcess ? `Login has more than ${Limits.textKeys} unknown keys` : undefined;
  }

  /** Returns whether an offer includes None where no authentication is required; it is harmless in any stage. */
  #isNeedless(name: string, offer: string): boolean {
    return name === "AuthMethod" && this.#authMethod === "None" && offer.split(",").includes("None");
  }

  #number(name: LoginKey): number {
    return Number(this.#inForce(name));
  }

  #flag(name: LoginKey): boolean {
    return Boolean(this.#inForce(name));
  }

  #inForce(name: LoginKey): string | number | boolean | undefined {
    const rule: KeyRule = LoginKeys[name].rule;
    return this.#values.get(name) ?? ("default" in rule ? rule.default : undefined);
  }

  /** Returns the parameters of the session as negotiated so far. */
  sessionParameters(): SessionParameters {
    return {
      maxConnections: this.#number("MaxConnections"),
      initialR2T: this.#flag("InitialR2T"),
      immediateData: this.#flag("ImmediateData"),
      maxBurstLength: this.#number("MaxBurstLength"),
      // The default of FirstBurstLength may exceed a small negotiated MaxBurstLength.
      firstBurstLength: Math.min(this.#number("FirstBurstLength"), this.#number("MaxBurstLength")),
      maxOutstandingR2T: this.#number("MaxOutstandingR2T"),
      defaultTime2Wait: this.#number("DefaultTime2Wait"),
      defaultTime2Retain: this.#number("DefaultTime2Retain"),
      protocolLevel: this.#number("iSCSIProtocolLevel"),
    };
  }

  /** Returns the parameters of the connection as negotiated so far. */
  connectionParameters(): ConnectionParameters {
    return {
      initiatorMaxRecvDataSegmentLength: this.#number("MaxRecvDataSegmentLength"),
      headerDigest: this.#inForce("HeaderDigest") === "CRC32C",
      dataDigest: this.#inForce("DataDigest") === "CRC32C",
    };
  }
}
