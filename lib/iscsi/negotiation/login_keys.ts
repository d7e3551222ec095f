/**
 * The keys of RFC 7143, section 13, as one table: the kind of value, the target's own value, and the default.
 * `negotiation.ts` negotiates by this table alone.
 */
import { Limits } from "../limits.ts";

/**
 * The kind of a key's value, and the rule that combines the values of both sides (RFC 7143, 6.2): `own` is the target's
 * value, `default` the result without negotiation.
 */
export type KeyRule =
  /** The target chooses the first supported value of the initiator's list. */
  | { readonly kind: "list"; readonly supported: readonly string[]; readonly default: string }
  /** The smaller or greater number is the result; a number outside `min` to `max` is rejected. */
  | {
    readonly kind: "smaller" | "greater";
    readonly min: number;
    readonly max: number;
    readonly own: number;
    readonly default: number;
  }
  /** The result is Yes if both sides say Yes (`and`), or at least one does (`or`). */
  | { readonly kind: "and" | "or"; readonly own: boolean; readonly default: boolean }
  /** Each side declares a number of its own. */
  | {
    readonly kind: "declaredNumber";
    readonly min: number;
    readonly max: number;
    readonly own: number;
    readonly default: number;
  }
  /** The initiator declares a text of at most 255 bytes (6.1), which gets no answer. */
  | { readonly kind: "declaredText" }
  /** The key belongs to an authentication method and is not negotiated. */
  | { readonly kind: "authentication" }
  /** Only a target may send the key. */
  | { readonly kind: "targetOnly" }
  /** The key requests a list of targets, in full-feature phase only. */
  | { readonly kind: "request" }
  /** RFC 7143 removed the key and prescribes the answer, never NotUnderstood (13.25). */
  | { readonly kind: "obsolete"; readonly answer: string };

interface Key {
  readonly rule: KeyRule;
  /**
   * The stages in which the key may be negotiated: one stage of the login, any stage of the login (`any`), full-feature
   * phase only (`full`), the operational stage and full-feature phase, or all (`always`).
   */
  readonly when: "security" | "operational" | "any" | "full" | "operationalOrFull" | "always";
  /** LO in section 13: the login of the leading connection negotiates the key for the whole session. */
  readonly leadingOnly?: true;
  /** The key declares the identity of the login; an initiator may repeat it unchanged in any request. */
  readonly isIdentity?: true;
}

const LENGTH_MAX = 0xffffff;

/** The keys, in the order of RFC 7143 (AuthMethod and CHAP: 12, the others: 13.1 to 13.26). */
export const LoginKeys = {
  // The choice depends on the target: see Negotiation.requireChap().
  AuthMethod: { rule: { kind: "list", supported: ["CHAP", "None"], default: "None" }, when: "security" },
  CHAP_A: { rule: { kind: "authentication" }, when: "security" },
  CHAP_I: { rule: { kind: "authentication" }, when: "security" },
  CHAP_C: { rule: { kind: "authentication" }, when: "security" },
  CHAP_N: { rule: { kind: "authentication" }, when: "security" },
  CHAP_R: { rule: { kind: "authentication" }, when: "security" },
  HeaderDigest: {
    rule: { kind: "list", supported: ["CRC32C", "None"], default: "None" },
    when: "operational",
  },
  DataDigest: { rule: { kind: "list", supported: ["CRC32C", "None"], default: "None" }, when: "operational" },
  MaxConnections: {
    rule: { kind: "smaller", min: 1, max: 65_535, own: Limits.connectionsPerSession, default: 1 },
    when: "operational",
    leadingOnly: true,
  },
  SendTargets: { rule: { kind: "request" }, when: "full" },
  TargetName: { rule: { kind: "declaredText" }, when: "any", isIdentity: true },
  InitiatorName: { rule: { kind: "declaredText" }, when: "any", isIdentity: true },
  TargetAlias: { rule: { kind: "targetOnly" }, when: "always" },
  InitiatorAlias: { rule: { kind: "declaredText" }, when: "always" },
  TargetAddress: { rule: { kind: "targetOnly" }, when: "any" },
  TargetPortalGroupTag: { rule: { kind: "targetOnly" }, when: "any" },
  InitialR2T: {
    rule: { kind: "or", own: false, default: true },
    when: "operational",
    leadingOnly: true,
  },
  ImmediateData: {
    rule: { kind: "and", own: true, default: true },
    when: "operational",
    leadingOnly: true,
  },
  MaxRecvDataSegmentLength: {
    rule: {
      kind: "declaredNumber",
      min: 512,
      max: LENGTH_MAX,
      own: Limits.dataSegmentBytes,
      default: 8_192,
    },
    when: "operationalOrFull",
  },
  MaxBurstLength: {
    rule: { kind: "smaller", min: 512, max: LENGTH_MAX, own: Limits.burstBytes, default: 262_144 },
    when: "operational",
    leadingOnly: true,
  },
  FirstBurstLength: {
    rule: { kind: "smaller", min: 512, max: LENGTH_MAX, own: Limits.firstBurstBytes, default: 65_536 },
    when: "operational",
    leadingOnly: true,
  },
  DefaultTime2Wait: {
    rule: { kind: "greater", min: 0, max: 3_600, own: 0, default: 2 },
    when: "operational",
    leadingOnly: true,
  },
  // At error recovery level 0 a task ends with its connection, so nothing is retained.
  DefaultTime2Retain: {
    rule: { kind: "smaller", min: 0, max: 3_600, own: 0, default: 20 },
    when: "operational",
    leadingOnly: true,
  },
  MaxOutstandingR2T: {
    rule: { kind: "smaller", min: 1, max: 65_535, own: Limits.outstandingR2Ts, default: 1 },
    when: "operational",
    leadingOnly: true,
  },
  DataPDUInOrder: {
    rule: { kind: "or", own: true, default: true },
    when: "operational",
    leadingOnly: true,
  },
  DataSequenceInOrder: {
    rule: { kind: "or", own: true, default: true },
    when: "operational",
    leadingOnly: true,
  },
  ErrorRecoveryLevel: {
    rule: { kind: "smaller", min: 0, max: 2, own: 0, default: 0 },
    when: "operational",
    leadingOnly: true,
  },
  SessionType: { rule: { kind: "declaredText" }, when: "any", isIdentity: true },
  TaskReporting: {
    rule: { kind: "list", supported: ["RFC3720"], default: "RFC3720" },
    when: "operational",
    leadingOnly: true,
  },
  // RFC 7144, 7.1.1: level 1 is RFC 7143, level 2 adds the task management functions of RFC 7144.
  iSCSIProtocolLevel: {
    rule: { kind: "smaller", min: 0, max: 31, own: 2, default: 1 },
    when: "operational",
    leadingOnly: true,
  },
  // 13.26: informative only.
  "X#NodeArchitecture": { rule: { kind: "declaredText" }, when: "any" },
  IFMarker: { rule: { kind: "obsolete", answer: "No" }, when: "operational" },
  OFMarker: { rule: { kind: "obsolete", answer: "No" }, when: "operational" },
  IFMarkInt: { rule: { kind: "obsolete", answer: "Reject" }, when: "operational" },
  OFMarkInt: { rule: { kind: "obsolete", answer: "Reject" }, when: "operational" },
} as const satisfies Record<string, Key>;

export type LoginKey = keyof typeof LoginKeys;

/** Returns a key by its name; undefined for an unknown one. */
export function loginKey(name: string): Key | undefined {
  return Object.hasOwn(LoginKeys, name) ? LoginKeys[name as LoginKey] : undefined;
}
