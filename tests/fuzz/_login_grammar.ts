/**
 * Logins for fuzzing: every path through the stages, every key with good values and bad ones, in any order and split
 * anywhere (RFC 7143, 6 and 13). It does not use the target's own table.
 */
import { INITIATOR_NAME, Stage } from "../support/initiator_login.ts";
import { loginRequest, type RequestPdu } from "../support/initiator_request.ts";
import { encodeText, type TextPairs } from "../support/initiator_text.ts";
import { nameOf } from "../support/harness.ts";
import type { Random } from "../support/seeded_random.ts";

type Values = readonly string[];

const YES_NO: Values = ["Yes", "No", "Yes", "No", "yes", "", "Yes,No"];
const LENGTH: Values = [
  "512",
  "8192",
  "65536",
  "262144",
  "16777215",
  "0x1000",
  "511",
  "16777216",
  "-1",
  "1e5",
];
const SECONDS: Values = ["0", "2", "20", "3600", "3601", "0x10", "two"];
const DIGEST: Values = ["CRC32C,None", "None,CRC32C", "CRC32C", "SHA1", "", "crc32c"];

/** Keys of the operational stage. */
const OPERATIONAL: Readonly<Record<string, Values>> = {
  HeaderDigest: DIGEST,
  DataDigest: DIGEST,
  MaxConnections: ["8", "2", "4", "1", "65535", "0", "65536"],
  InitialR2T: YES_NO,
  ImmediateData: YES_NO,
  MaxRecvDataSegmentLength: LENGTH,
  MaxBurstLength: LENGTH,
  FirstBurstLength: LENGTH,
  DefaultTime2Wait: SECONDS,
  DefaultTime2Retain: SECONDS,
  MaxOutstandingR2T: ["1", "4", "16", "65535", "0", "65536"],
  DataPDUInOrder: YES_NO,
  DataSequenceInOrder: YES_NO,
  ErrorRecoveryLevel: ["0", "1", "2", "3"],
  TaskReporting: ["RFC3720", "FastAbort,RFC3720", "ResponseFence", ""],
  iSCSIProtocolLevel: ["0", "1", "2", "31", "32"],
  IFMarker: YES_NO,
  OFMarkInt: ["2048", "1~65535"],
};

/** Keys that are valid anywhere, or nowhere. */
const STRAY: Readonly<Record<string, Values>> = {
  AuthMethod: ["None", "None,CHAP", "None", "SRP", ""],
  InitiatorAlias: ["a friend", "", "x".repeat(256)],
  TargetAlias: ["x"],
  TargetAddress: ["10.0.0.1:3260,1"],
  TargetPortalGroupTag: ["1"],
  SendTargets: ["All", ""],
  SessionType: ["Normal", "Discovery", "None"],
  CHAP_A: ["5"],
  CHAP_N: ["user"],
  "X-com.example.key": ["1", "x".repeat(1000)],
  "X#private": [""],
  [`K${"e".repeat(62)}`]: ["1"],
  [`K${"e".repeat(63)}`]: ["1"],
  toString: ["1"],
};

/** Returns pairs of the operational stage, with a few foreign keys and, rarely, repeated ones. */
export function operationalPairs(random: Random): [string, string][] {
  const pairs: [string, string][] = [];
  for (const [key, values] of Object.entries(OPERATIONAL)) {
    // Other connections can join only if MaxConnections allows them.
    const isWanted = key === "MaxConnections" ? !random.oneIn(3) : random.oneIn(3);
    if (!isWanted) continue;
    // The first values of each key are good ones.
    pairs.push([key, random.oneIn(8) ? random.pick(values) : random.pick(values.slice(0, 3))]);
  }
  while (random.oneIn(8)) {
    const [key, values] = random.pick(Object.entries(STRAY));
    pairs.push([key, random.pick(values)]);
  }
  if (random.oneIn(20) && pairs.length > 0) pairs.push(random.pick(pairs));
  for (let index = pairs.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [pairs[index], pairs[other]] = [pairs[other]!, pairs[index]!];
  }
  return pairs;
}

/** The initiator that does nothing wrong. */
export const WITNESS_NAME = "iqn.2000-01.a:witness";

/** The target that is elsewhere now. */
export const MOVED = "moved";

/** Returns the names in a login: usually those of an initiator that is allowed. */
function names(random: Random, isDiscovery: boolean): [string, string][] {
  const bad = [
    "",
    "disk",
    `iqn.2000-01.com.${"a".repeat(240)}`,
    "iqn.2000-01.a:\u4e2d",
    "iqn.2000-01.a:Web Server 1",
    "IQN.2000-01.a:web server 1",
    'iqn.2000-01.a:"b", $(c) \\',
    "iqn.2000-01.a:b iqn.2000-01.c:d",
    "iqn.2000-01.a:b,i,0x000000000001",
    "iqn.2000-01.a:b\n",
    "eui.02004567A425678D",
    WITNESS_NAME,
  ];
  const initiatorName = random.oneIn(30) ? random.pick(bad) : INITIATOR_NAME;
  const targetName = random.oneIn(30) ? random.pick([...bad, nameOf("other"), nameOf(MOVED)]) : nameOf();
  const pairs: [string, string][] = [["InitiatorName", initiatorName]];
  if (isDiscovery) pairs.push(["SessionType", "Discovery"]);
  else pairs.push(["TargetName", targetName]);
  if (random.oneIn(40)) pairs.splice(random.below(pairs.length), 1);
  return pairs;
}

/** The target that requires CHAP, and the secrets for it. */
export const GUARDED = "guarded";
export const CREDENTIALS = { name: "user", secret: "secret of user" } as const;

/** A request of a login, without its numbers. */
export interface LoginStep {
  readonly currentStage: number;
  readonly nextStage: number;
  readonly isTransit: boolean;
  readonly isContinued: boolean;
  readonly text: Uint8Array;
}

/** Text in one piece or in several, empty ones among them, all but the last of which are continued. */
function inPieces(
  random: Random,
  text: Uint8Array,
  last: Omit<LoginStep, "isContinued" | "text">,
): LoginStep[] {
  const steps: LoginStep[] = [];
  let rest = text;
  while (steps.length < 6 && random.oneIn(steps.length === 0 ? 4 : 2)) {
    const length = random.oneIn(4) ? 0 : random.below(rest.length + 1);
    steps.push({
      ...last,
      nextStage: 0,
      isTransit: false,
      isContinued: true,
      text: rest.subarray(0, length),
    });
    rest = rest.subarray(length);
  }
  return [...steps, { ...last, isContinued: false, text: rest }];
}

const PATHS = [
  [Stage.security, Stage.operational, Stage.fullFeature],
  [Stage.operational, Stage.fullFeature],
  [Stage.security, Stage.fullFeature],
] as const;

/** Returns the requests of a login to the guarded target up to the challenge; a key may be missing or wrong. */
function guardedSteps(random: Random): LoginStep[] {
  const stay = { currentStage: Stage.security, nextStage: 0, isTransit: false };
  const greeting: [string, string][] = [
    ["InitiatorName", INITIATOR_NAME],
    ["TargetName", nameOf(GUARDED)],
    ["AuthMethod", random.pick(["CHAP", "CHAP,None", "CHAP", "None", "SRP"])],
  ];
  const algorithms: [string, string][] = [["CHAP_A", random.pick(["5", "8,7,6,5", "5,7", "7", "4", ""])]];
  if (random.oneIn(8)) {
    algorithms.push(random.pick([["CHAP_N", "user"], ["CHAP_I", "1"], ["CHAP_C", "0x00"]]));
  }
  const next = { ...stay, nextStage: Stage.operational, isTransit: random.oneIn(2) };
  return [...inPieces(random, encodeText(greeting), next), ...inPieces(random, encodeText(algorithms), stay)];
}

/** Returns the faults to put into an answer to a challenge: usually none. */
export function spoiledAnswer(random: Random, right: TextPairs): [string, string][] {
  const pairs = right.map(([key, value]): [string, string] => [key, value]);
  while (random.oneIn(3)) {
    const index = random.below(pairs.length);
    const value = random.pick(["", "0x", "0x00", "0b" + "AA==", "somebody", "x".repeat(3000)]);
    if (random.oneIn(3)) pairs.splice(index, pairs.length > 1 ? 1 : 0);
    else if (random.oneIn(2)) pairs.push(pairs[index]!);
    else pairs[index] = [pairs[index]![0], value];
  }
  return pairs;
}

/** Returns the requests of a login, in order; the target's challenge arrives between them. */
export function loginSteps(random: Random): LoginStep[] {
  if (random.oneIn(8)) {
    const last = { currentStage: Stage.operational, nextStage: Stage.fullFeature, isTransit: true };
    return [...guardedSteps(random), ...inPieces(random, encodeText(operationalPairs(random)), last)];
  }
  const isDiscovery = random.oneIn(8);
  const path: readonly number[] = random.pick(PATHS);
  const steps: LoginStep[] = [];
  for (let index = 0; index < path.length - 1; index++) {
    const currentStage = path[index]!;
    const pairs: [string, string][] = index === 0 ? names(random, isDiscovery) : [];
    if (currentStage === Stage.security && random.oneIn(2)) pairs.push(["AuthMethod", "None"]);
    if (currentStage === Stage.operational) pairs.push(...operationalPairs(random));
    const stay = { currentStage, nextStage: 0, isTransit: false };
    while (random.oneIn(6)) steps.push(...inPieces(random, encodeText(pairs.splice(0, 3)), stay));
    const nextStage = random.oneIn(60) ? random.below(4) : path[index + 1]!;
    steps.push(...inPieces(random, encodeText(pairs), { currentStage, nextStage, isTransit: true }));
  }
  return steps;
}

/** The fields common to all requests of a login. */
export interface LoginNumbers {
  readonly isid: Uint8Array;
  readonly tsih: number;
  readonly connectionId: number;
  readonly initiatorTaskTag: number;
  readonly cmdSn: number;
  readonly expStatSn: number;
}

/** Makes a request of a step. */
export function loginPdu(step: LoginStep, numbers: LoginNumbers): RequestPdu {
  return loginRequest({ ...numbers, ...step });
}

/** Pairs for a text request in full-feature phase. */
export function textPairs(random: Random): TextPairs {
  switch (random.below(5)) {
    case 0:
      return [["SendTargets", random.pick(["All", "", nameOf(), nameOf("other"), "x".repeat(300)])]];
    case 1:
      return [["MaxRecvDataSegmentLength", random.pick(LENGTH)], ["InitiatorAlias", "again"]];
    case 2:
      return Array.from({ length: random.below(300) }, (_, index): [string, string] => [`X-${index}`, ""]);
    default:
      return operationalPairs(random);
  }
}
