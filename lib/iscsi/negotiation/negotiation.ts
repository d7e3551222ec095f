/**
 * Negotiation of operational parameters (RFC 7143, 6.2 and 6.3), all of it driven by the table of keys.
 */
import { type KeyRule, type LoginKey, loginKey, LoginKeys } from "./login_keys.ts";
import type { KeyValue } from "../pdu/text.ts";

/** Where a pair was received. `full` is full-feature phase. */
export type NegotiationStage = "security" | "operational" | "full";

/** What holds for a whole session: the login of its leading connection settles it. */
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

/** What holds for one connection. */
export interface ConnectionParameters {
  /** The longest data segment that the initiator takes. */
  readonly initiatorMaxRecvDataSegmentLength: number;
  /** A CRC32C follows the headers of all PDUs, or their data segments. */
  readonly headerDigest: boolean;
  readonly dataDigest: boolean;
}

/** Everything that holds for a connection. */
export type NegotiatedParameters = SessionParameters & ConnectionParameters;

/** What one offer comes to. */
interface Resolution {
  /** What to send back; undefined for a declaration, which wants no answer. */
  readonly answer: string | undefined;
  /** What holds from now on; undefined when the offer changes nothing. */
  readonly value?: string | number | boolean;
}

const REJECT: Resolution = { answer: "Reject" };

/** Values that end an exchange about a key that the target itself sent (RFC 7143, 6.2). */
const CLOSING_ANSWERS: readonly string[] = ["NotUnderstood", "Irrelevant", "Reject"];

/** Most bytes of a value, unless its key says otherwise (RFC 7143, 6.1). */
const VALUE_BYTES_MAX = 255;

/**
 * The value of a numerical key, decimal or hexadecimal, of up to 64 bits (RFC 7143, 6.1); undefined when it is neither.
 * Beyond 53 bits it is rounded, which is far outside of every key's range.
 */
export function parseNumber(text: string): number | undefined {
  return /^(0[xX][0-9a-fA-F]{1,16}|0|[1-9][0-9]{0,19})$/.test(text) ? Number(text) : undefined;
}

/** What becomes of an offer, by the rule of its key. */
export function resolve(rule: KeyRule, offer: string): Resolution {
  switch (rule.kind) {
    case "list": {
      const chosen = offer.split(",").find((item) => rule.supported.includes(item));
      return chosen === undefined ? REJECT : { answer: chosen, value: chosen };
    }
    case "smaller":
    case "greater": {
      const number = numberWithin(rule, offer);
      if (number === undefined) return REJECT;
      const value = rule.kind === "smaller" ? Math.min(number, rule.ours) : Math.max(number, rule.ours);
      return { answer: String(value), value };
    }
    case "declaredNumber": {
      const value = numberWithin(rule, offer);
      return value === undefined ? REJECT : { answer: undefined, value };
    }
    case "and":
    case "or": {
      if (offer !== "Yes" && offer !== "No") return REJECT;
      const theirs = offer === "Yes";
      const value = rule.kind === "and" ? theirs && rule.ours : theirs || rule.ours;
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

function numberWithin(range: { min: number; max: number }, text: string): number | undefined {
  const number = parseNumber(text);
  return number === undefined || number < range.min || number > range.max ? undefined : number;
}

/** The keys of one connection, from its first login request to its end. */
export class Negotiation {
  readonly #values = new Map<string, string | number | boolean>();
  /** Values of a text negotiation that has not ended: they hold when it does (6.4). */
  readonly #proposed = new Map<string, string | number | boolean>();
  /** Keys that have been received: in which stage, and the values of those that may be repeated. */
  readonly #received = new Map<
    string,
    { readonly value: string; readonly stage: NegotiationStage | "any" }
  >();
  #isDiscovery = false;
  #isLeading = true;
  #authMethod: "CHAP" | "None" = "None";

  /**
   * From now on there is one connection, and in full-feature phase no key is negotiated. Keys that mean nothing in a
   * discovery session are answered like others: the RFC allows Irrelevant (6.2), which some initiators cannot read.
   */
  enterDiscovery(): void {
    this.#isDiscovery = true;
  }

  /** From now on CHAP is the one authentication method; before, None is as good, and better. */
  requireChap(): void {
    this.#authMethod = "CHAP";
  }

  /** From now on, keys that the leading connection has settled for the session are answered Irrelevant. */
  joinSession(): void {
    this.#isLeading = false;
  }

  /** Takes note of what a key is by default, when the initiator has not said so: it cannot say otherwise later. */
  assume(name: LoginKey, value: string): void {
    this.#received.set(name, { value, stage: "any" });
  }

  /** A text negotiation in full-feature phase has come to its end: what it settled holds from now on. */
  conclude(): void {
    for (const [name, value] of this.#proposed) this.#values.set(name, value);
    this.#proposed.clear();
  }

  /** A text negotiation was abandoned: everything is as it was before (6.4). */
  abandon(): void {
    this.#proposed.clear();
  }

  /**
   * Answers pairs in their order.
   *
   * @returns the answers, or a sentence that says how the initiator broke the rules of negotiation
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
    if (key === undefined) return "NotUnderstood";
    if (CLOSING_ANSWERS.includes(offer)) return undefined;
    if (!this.#isLeading && key.leadingOnly) return "Irrelevant";
    // 6.3: in full-feature phase only what may change there is negotiated.
    if (stage === "full" && key.when !== "operationalOrFull" && key.when !== "always") return "Reject";
    const rule = this.#ruleOf(name, offer) ?? key.rule;
    const { answer, value } = resolve(rule, offer);
    // A value that is compared again has 255 bytes at most; of every other one only the key matters.
    const kept = rule.kind === "declaredText" && answer === undefined ? offer : "";
    this.#received.set(name, { value: kept, stage });
    if (value !== undefined) (stage === "full" ? this.#proposed : this.#values).set(name, value);
    return answer;
  }

  /** The rule of a key that depends on the login; undefined for that of the table. */
  #ruleOf(name: string, offer: string): KeyRule | undefined {
    if (name === "AuthMethod") {
      // Where nothing is asked for, None is taken, and CHAP from an initiator that does not offer None.
      const isNone = this.#authMethod === "None" && offer.split(",").includes("None");
      return { ...LoginKeys.AuthMethod.rule, supported: [isNone ? "None" : "CHAP"] };
    }
    const isSingle = name === "MaxConnections" && this.#isDiscovery;
    return isSingle ? { ...LoginKeys.MaxConnections.rule, ours: 1 } : undefined;
  }

  /** 13.14: FirstBurstLength never exceeds MaxBurstLength, whatever was offered and in whatever order. */
  #withinBurst(pair: KeyValue): KeyValue {
    if (pair[0] !== "FirstBurstLength" || parseNumber(pair[1]) === undefined) return pair;
    return ["FirstBurstLength", String(this.sessionParameters().firstBurstLength)];
  }

  #problem(name: string, offer: string, stage: NegotiationStage): string | undefined {
    // 4.3: a discovery session takes no text but that which asks for targets.
    if (stage === "full" && this.#isDiscovery) return `${name} is not allowed in a discovery session`;
    const key = loginKey(name);
    if (key === undefined || stage === "full") return undefined;
    if (key.when === "security" && stage !== "security" && !this.#isNeedless(name, offer)) {
      return `${name} is not allowed after the security stage`;
    }
    if (key.when.startsWith("operational") && stage === "security") {
      return `${name} is not allowed in the security stage`;
    }
    if (key.when === "full") return `${name} is not allowed during login`;
    // 6.2: a key is negotiated once. What declares something may be declared once more as it was: who the initiator is
    // at any time, and the rest in another stage, which is another negotiation.
    const before = this.#received.get(name);
    if (before === undefined) return undefined;
    const isRepetition = key.rule.kind === "declaredText" && before.value === offer &&
      (key.isIdentity === true || before.stage !== stage);
    return isRepetition ? undefined : `${name} is sent twice`;
  }

  /** An offer of no authentication, where none is asked for, does no harm in any stage. */
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

  /** What would hold for the session if the login ended now. */
  sessionParameters(): SessionParameters {
    return {
      maxConnections: this.#number("MaxConnections"),
      initialR2T: this.#flag("InitialR2T"),
      immediateData: this.#flag("ImmediateData"),
      maxBurstLength: this.#number("MaxBurstLength"),
      // The defaults, too, may contradict each other, when only a small MaxBurstLength was negotiated.
      firstBurstLength: Math.min(this.#number("FirstBurstLength"), this.#number("MaxBurstLength")),
      maxOutstandingR2T: this.#number("MaxOutstandingR2T"),
      defaultTime2Wait: this.#number("DefaultTime2Wait"),
      defaultTime2Retain: this.#number("DefaultTime2Retain"),
      protocolLevel: this.#number("iSCSIProtocolLevel"),
    };
  }

  /** What holds for the connection now. */
  connectionParameters(): ConnectionParameters {
    return {
      initiatorMaxRecvDataSegmentLength: this.#number("MaxRecvDataSegmentLength"),
      headerDigest: this.#inForce("HeaderDigest") === "CRC32C",
      dataDigest: this.#inForce("DataDigest") === "CRC32C",
    };
  }
}
