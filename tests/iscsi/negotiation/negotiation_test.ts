/** The keys of RFC 7143, 13, as the RFC says of each what is answered where. */
import { assert, assertEquals } from "@std/assert";
import { LoginKeys } from "../../../lib/iscsi/negotiation/login_keys.ts";
import {
  Negotiation,
  type NegotiationStage,
  parseNumber,
} from "../../../lib/iscsi/negotiation/negotiation.ts";

/** In which stages a key may be used. */
type Use = "security" | "operational" | "any" | "operational and full" | "full" | "always";

/** The answer to each value; `none` for a declaration. */
type Row = readonly [use: Use, values: Readonly<Record<string, string>>];

const YES_OR_NO_GARBAGE = { yes: "Reject", "": "Reject", "1": "Reject", "Yes,No": "Reject", "No ": "Reject" };
const DIGEST = {
  None: "None",
  CRC32C: "CRC32C",
  "CRC32C,None": "CRC32C",
  "None,CRC32C": "None",
  "X-com.example.sum,CRC32C,None": "CRC32C",
  none: "Reject",
  "": "Reject",
};
const IN_ORDER = { Yes: "Yes", No: "Yes", ...YES_OR_NO_GARBAGE };

const KEYS: Readonly<Record<string, Row>> = {
  AuthMethod: ["security", {
    None: "None",
    "CHAP,None": "None",
    "CHAP,KRB5,None": "None",
    CHAP: "CHAP",
    "KRB5,SRP,CHAP": "CHAP",
    "KRB5,SRP": "Reject",
    "": "Reject",
  }],
  // 12.1.3: the exchange has a place for them; they are never negotiated.
  CHAP_A: ["security", { "5": "Reject" }],
  CHAP_I: ["security", { "1": "Reject" }],
  CHAP_C: ["security", { "0x00": "Reject" }],
  CHAP_N: ["security", { bob: "Reject" }],
  CHAP_R: ["security", { "0x00": "Reject" }],
  HeaderDigest: ["operational", DIGEST],
  DataDigest: ["operational", DIGEST],
  MaxConnections: ["operational", {
    "1": "1",
    "8": "8",
    "65535": "8",
    "0": "Reject",
    "65536": "8",
    "4294967296": "8",
  }],
  SendTargets: ["full", {}],
  TargetName: ["any", { "iqn.2000-01.a:b": "none" }],
  InitiatorName: ["any", { "iqn.2000-01.a:b": "none" }],
  TargetAlias: ["always", { x: "Reject" }],
  InitiatorAlias: ["always", {
    x: "none",
    "": "none",
    ["a".repeat(255)]: "none",
    ["a".repeat(256)]: "Reject",
    ["\u4e2d".repeat(86)]: "Reject",
  }],
  TargetAddress: ["any", { "10.0.0.1:3260,1": "Reject" }],
  TargetPortalGroupTag: ["any", { "1": "Reject" }],
  InitialR2T: ["operational", { Yes: "Yes", No: "No", ...YES_OR_NO_GARBAGE }],
  ImmediateData: ["operational", { Yes: "Yes", No: "No", ...YES_OR_NO_GARBAGE }],
  MaxRecvDataSegmentLength: ["operational and full", {
    "512": "none",
    "16777215": "none",
    "0x200": "none",
    "511": "Reject",
    "16777216": "none",
    "0xffffffff": "none",
    "0": "Reject",
    "512~1024": "Reject",
  }],
  MaxBurstLength: ["operational", {
    "512": "512",
    "16776192": "1048576",
    "0x1000": "4096",
    "16777215": "1048576",
    "511": "Reject",
    "16777216": "1048576",
  }],
  FirstBurstLength: ["operational", {
    "512": "512",
    "65536": "65536",
    "16777215": "262144",
    "511": "Reject",
    "0": "Reject",
    "16777216": "262144",
  }],
  DefaultTime2Wait: ["operational", {
    "0": "0",
    "2": "2",
    "3600": "3600",
    "3601": "Reject",
    "-1": "Reject",
  }],
  DefaultTime2Retain: ["operational", { "0": "0", "20": "0", "3600": "0", "3601": "0", "-1": "Reject" }],
  MaxOutstandingR2T: ["operational", {
    "1": "1",
    "8": "8",
    "65535": "8",
    "0": "Reject",
    "65536": "8",
  }],
  DataPDUInOrder: ["operational", IN_ORDER],
  DataSequenceInOrder: ["operational", IN_ORDER],
  ErrorRecoveryLevel: ["operational", { "0": "0", "1": "0", "2": "0", "3": "0", "-1": "Reject" }],
  "X#NodeArchitecture": ["any", {
    "ExampleOS/v1234,ExampleInc_SW_Initiator/1.05a": "none",
    ["x".repeat(255)]: "none",
    ["x".repeat(256)]: "Reject",
  }],
  SessionType: ["any", { Normal: "none" }],
  TaskReporting: ["operational", {
    RFC3720: "RFC3720",
    "FastAbort,ResponseFence,RFC3720": "RFC3720",
    FastAbort: "Reject",
  }],
  iSCSIProtocolLevel: ["operational", {
    "0": "0",
    "1": "1",
    "2": "2",
    "31": "2",
    "32": "2",
    "1.5": "Reject",
  }],
  // 13.25: never NotUnderstood.
  IFMarker: ["operational", { Yes: "No", No: "No" }],
  OFMarker: ["operational", { Yes: "No", No: "No" }],
  IFMarkInt: ["operational", { "2048": "Reject", "1~65535": "Reject" }],
  OFMarkInt: ["operational", { "2048": "Reject" }],
};

/** A stage of login in which a key may be used, if there is one. */
const LOGIN_STAGE: Readonly<Record<Use, NegotiationStage>> = {
  security: "security",
  operational: "operational",
  any: "security",
  "operational and full": "operational",
  full: "operational",
  always: "security",
};

const STAGES: readonly NegotiationStage[] = ["security", "operational", "full"];

function isUsable(use: Use, stage: NegotiationStage): boolean {
  if (use === "always") return true;
  if (use === "any") return stage !== "full";
  return use === "operational and full" ? stage !== "security" : use === stage;
}

function answerTo(key: string, value: string, stage: NegotiationStage, isDiscovery = false): string {
  const negotiation = new Negotiation();
  if (isDiscovery) negotiation.enterDiscovery();
  const answers = negotiation.answer([[key, value]], stage);
  if (typeof answers === "string") return "fault";
  assert(answers.length <= 1 && answers.every(([name]) => name === key), "only what was asked is answered");
  return answers[0]?.[1] ?? "none";
}

Deno.test("answer() to AuthMethod is CHAP and nothing else where CHAP is required", () => {
  for (
    const [offer, answer] of [["CHAP,None", "CHAP"], ["None,CHAP", "CHAP"], ["None", "Reject"], [
      "",
      "Reject",
    ]]
  ) {
    const negotiation = new Negotiation();
    negotiation.requireChap();
    assertEquals(negotiation.answer([["AuthMethod", offer!]], "security"), [["AuthMethod", answer!]]);
  }
});

Deno.test("answer() to AuthMethod=None after the security stage is None, once, where nothing is asked for", () => {
  for (const [offer, answer] of [["None", "None"], ["CHAP,None", "None"], ["CHAP", "fault"], ["", "fault"]]) {
    const negotiation = new Negotiation();
    const answers = negotiation.answer([["AuthMethod", offer!]], "operational");
    assertEquals(typeof answers === "string" ? "fault" : answers[0]![1], answer, offer);
    assertEquals(
      typeof negotiation.answer([["AuthMethod", "None"]], "operational") === "string",
      answer === "None",
    );
  }
  const negotiation = new Negotiation();
  negotiation.requireChap();
  assertEquals(
    negotiation.answer([["AuthMethod", "CHAP,None"]], "operational"),
    "AuthMethod is not allowed after the security stage",
  );
});

Deno.test("answer() to AuthMethod=None again is None in another stage, unless CHAP was chosen", () => {
  const chosen = new Negotiation();
  assertEquals(chosen.answer([["AuthMethod", "CHAP,None"]], "security"), [["AuthMethod", "None"]]);
  assertEquals(chosen.answer([["AuthMethod", "None"]], "security"), "AuthMethod is sent twice");
  assertEquals(chosen.answer([["AuthMethod", "None"]], "operational"), [["AuthMethod", "None"]]);
  assertEquals(chosen.answer([["AuthMethod", "None"]], "operational"), "AuthMethod is sent twice");
  const selected = new Negotiation();
  selected.assume("AuthMethod", "None", "security");
  assertEquals(selected.answer([["AuthMethod", "None"]], "security"), "AuthMethod is sent twice");
  assertEquals(selected.answer([["AuthMethod", "None"]], "operational"), [["AuthMethod", "None"]]);
  const other = new Negotiation();
  assertEquals(other.answer([["AuthMethod", "CHAP"]], "security"), [["AuthMethod", "CHAP"]]);
  assertEquals(other.answer([["AuthMethod", "None"]], "operational"), "AuthMethod is sent twice");
});

Deno.test("this test knows every key of the table, and no other", () => {
  assertEquals(Object.keys(KEYS).toSorted(), Object.keys(LoginKeys).toSorted());
});

for (const [key, [use, values]] of Object.entries(KEYS)) {
  Deno.test(`answer() to ${key}`, () => {
    for (const stage of STAGES) {
      for (const [value, answer] of Object.entries(values)) {
        // Outside its place a key is a fault of the initiator during login, and not negotiable afterwards.
        const isNeedless = key === "AuthMethod" && answer === "None";
        const misplaced = stage === "full" ? "Reject" : isNeedless ? answer : "fault";
        const what = `${key}=${value} in stage ${stage}`;
        assertEquals(answerTo(key, value, stage), isUsable(use, stage) ? answer : misplaced, what);
        if (stage !== "operational" || use === "security") continue;
        // A discovery session has one connection; whatever else means nothing in it is answered all the same.
        const isSingle = key === "MaxConnections" && answer !== "Reject";
        assertEquals(answerTo(key, value, stage, true), isSingle ? "1" : answer, `${what}, discovery`);
      }
    }
  });

  Deno.test(`answer() takes an ending of an exchange about ${key} as no offer (6.2)`, () => {
    const stage = LOGIN_STAGE[use];
    if (use === "full") return assertEquals(answerTo(key, "Reject", "full"), "none");
    for (const ending of ["NotUnderstood", "Irrelevant", "Reject"]) {
      assertEquals(answerTo(key, ending, stage), "none");
    }
  });

  Deno.test(`answer() to ${key} a second time`, () => {
    const [value] = Object.keys(values);
    const stage = LOGIN_STAGE[use];
    if (value === undefined) return assertEquals(answerTo(key, "All", stage), "fault");
    const negotiation = new Negotiation();
    assert(Array.isArray(negotiation.answer([[key, value]], stage)));
    // Initiators repeat who they are in every stage; everything else comes once (6.2).
    const isName = ["InitiatorName", "TargetName", "SessionType"].includes(key);
    assertEquals(typeof negotiation.answer([[key, value]], stage), isName ? "object" : "string");
    assertEquals(typeof negotiation.answer([[key, `${value}1`]], stage), "string");
  });
}

Deno.test("answer() takes what an initiator says of itself again in another stage only, as it was (6.3)", () => {
  for (const key of ["InitiatorAlias", "X#NodeArchitecture"]) {
    const negotiation = new Negotiation();
    assertEquals(negotiation.answer([[key, "a"]], "security"), []);
    assertEquals(negotiation.answer([[key, "a"]], "security"), `${key} is sent twice`);
    // libiscsi repeats its alias in the operational stage, which is a negotiation of its own.
    assertEquals(negotiation.answer([[key, "a"]], "operational"), []);
    assertEquals(negotiation.answer([[key, "a"]], "operational"), `${key} is sent twice`);
    assertEquals(new Negotiation().answer([[key, "a"], [key, "a"]], "operational"), `${key} is sent twice`);
    const other = new Negotiation();
    other.answer([[key, "a"]], "security");
    assertEquals(other.answer([[key, "b"]], "operational"), `${key} is sent twice`);
  }
});

Deno.test("keys that the leading connection settles are irrelevant to those that join it (13: LO)", () => {
  const negotiation = new Negotiation();
  negotiation.joinSession();
  const irrelevant: string[] = [];
  for (const [key, [use, values]] of Object.entries(KEYS)) {
    if (use === "full" || use === "security") continue;
    const answers = negotiation.answer([[key, Object.keys(values)[0]!]], "operational");
    if (answers[0]?.[1] === "Irrelevant") irrelevant.push(key);
  }
  assertEquals(irrelevant.toSorted(), [
    "DataPDUInOrder",
    "DataSequenceInOrder",
    "DefaultTime2Retain",
    "DefaultTime2Wait",
    "ErrorRecoveryLevel",
    "FirstBurstLength",
    "ImmediateData",
    "InitialR2T",
    "MaxBurstLength",
    "MaxConnections",
    "MaxOutstandingR2T",
    "TaskReporting",
    "iSCSIProtocolLevel",
  ]);
  assertEquals(negotiation.sessionParameters(), new Negotiation().sessionParameters());
  for (const key of irrelevant) {
    assertEquals(negotiation.answer([[key, "1"]], "operational"), `${key} is sent twice`);
  }
});

Deno.test("answer() does not understand other keys, once in each stage, and goes on", () => {
  const pairs = [
    "X-com.example.key",
    "toString",
    "__proto__",
    "constructor",
    "SessionTyp",
    "initiatorname",
    "X#a",
  ];
  const offers = pairs.map((key) => [key, "1"] as const);
  const negotiation = new Negotiation();
  for (const stage of STAGES) {
    assertEquals(negotiation.answer(offers, stage), offers.map(([key]) => [key, "NotUnderstood"]));
    // Full-feature phase: see TextNegotiation.
    if (stage === "full") continue;
    for (const offer of offers) assertEquals(negotiation.answer([offer], stage), `${offer[0]} is sent twice`);
  }
});

Deno.test("answer() remembers 256 unknown keys of a login, and refuses one more", () => {
  const negotiation = new Negotiation();
  const offers = Array.from({ length: 256 }, (_, index) => [`X-${index}`, ""] as const);
  assert(Array.isArray(negotiation.answer(offers, "security")));
  assert(Array.isArray(negotiation.answer(offers, "operational")));
  assertEquals(negotiation.answer([["X-a", ""]], "operational"), "Login has more than 256 unknown keys");
});

Deno.test("Negotiation reports offers above the range of their key, and keeps to the range", () => {
  const overlooked: string[] = [];
  const negotiation = new Negotiation((what) => overlooked.push(what));
  negotiation.answer(
    [["MaxRecvDataSegmentLength", "16777216"], ["MaxBurstLength", "16777216"]],
    "operational",
  );
  assertEquals(overlooked, [
    "its MaxRecvDataSegmentLength is greater than the standard permits",
    "its MaxBurstLength is greater than the standard permits",
  ]);
  assertEquals(negotiation.connectionParameters().initiatorMaxRecvDataSegmentLength, 16_777_215);
  assertEquals(negotiation.sessionParameters().maxBurstLength, 1_048_576);
});

Deno.test("answer() answers in the order of the offers and keeps what it settled", () => {
  const negotiation = new Negotiation();
  const offers = [["MaxBurstLength", "8192"], ["InitialR2T", "No"], ["MaxRecvDataSegmentLength", "1024"], [
    "HeaderDigest",
    "None",
  ]] as const;
  assertEquals(negotiation.answer(offers, "operational"), [
    ["MaxBurstLength", "8192"],
    ["InitialR2T", "No"],
    ["HeaderDigest", "None"],
  ]);
  const { initialR2T, maxBurstLength, firstBurstLength } = negotiation.sessionParameters();
  assertEquals([initialR2T, maxBurstLength, firstBurstLength], [false, 8192, 8192]);
  assertEquals(negotiation.connectionParameters().initiatorMaxRecvDataSegmentLength, 1024);
});

Deno.test("parameters are the RFC's defaults when nothing was negotiated (13)", () => {
  assertEquals(new Negotiation().sessionParameters(), {
    maxConnections: 1,
    initialR2T: true,
    immediateData: true,
    maxBurstLength: 262_144,
    firstBurstLength: 65_536,
    maxOutstandingR2T: 1,
    defaultTime2Wait: 2,
    defaultTime2Retain: 20,
    protocolLevel: 1,
  });
  assertEquals(new Negotiation().connectionParameters(), {
    initiatorMaxRecvDataSegmentLength: 8192,
    headerDigest: false,
    dataDigest: false,
  });
});

/** Everything that holds for a connection. */
function parametersOf(negotiation: Negotiation): unknown {
  return { ...negotiation.sessionParameters(), ...negotiation.connectionParameters() };
}

Deno.test("parameters are not changed by an offer that was rejected", () => {
  const negotiation = new Negotiation();
  const before = parametersOf(negotiation);
  const offers = Object.entries(KEYS).flatMap(([key, [use, values]]) =>
    use.startsWith("operational")
      ? Object.keys(values).filter((value) => values[value] === "Reject").slice(0, 1).map((value) =>
        [key, value] as const
      )
      : []
  );
  const answers = negotiation.answer(offers, "operational");
  assertEquals(answers, offers.map(([key]) => [key, "Reject"]));
  assertEquals(parametersOf(negotiation), before);
});

const LENGTHS = [512, 513, 4096, 65_536, 262_144, 262_145, 1_048_576, 1_048_577, 0xffffff];

Deno.test("FirstBurstLength never exceeds MaxBurstLength, in whatever order they come (13.14)", () => {
  for (const first of LENGTHS) {
    for (const max of LENGTHS) {
      const pairs = [["FirstBurstLength", `${first}`], ["MaxBurstLength", `${max}`]] as const;
      for (const offers of [pairs, pairs.toReversed()]) {
        const negotiation = new Negotiation();
        const answers = new Map(negotiation.answer(offers, "operational") as [string, string][]);
        const { firstBurstLength, maxBurstLength } = negotiation.sessionParameters();
        assertEquals(Number(answers.get("FirstBurstLength")), firstBurstLength);
        assertEquals(Number(answers.get("MaxBurstLength")), maxBurstLength);
        assertEquals(maxBurstLength, Math.min(max, 1_048_576));
        assertEquals(firstBurstLength, Math.min(first, 262_144, maxBurstLength));
      }
    }
  }
});

Deno.test("parseNumber() reads decimal and hexadecimal numbers (6.1) and nothing else", () => {
  const numbers = {
    "0": 0,
    "7": 7,
    "512": 512,
    "4294967295": 0xffffffff,
    "18446744073709551615": 2 ** 64,
    "0x0": 0,
    "0xFf": 255,
    "0X10": 16,
    "0x0000000000000200": 512,
    "0xffffffffffffffff": 2 ** 64,
  };
  for (const [text, value] of Object.entries(numbers)) assertEquals(parseNumber(text), value);
  const garbage = [
    "",
    " 1",
    "1 ",
    "+1",
    "-1",
    "1.0",
    "1e3",
    "0x",
    "0xg",
    "x10",
    "0b1",
    "0b" + "AA==",
    "1,2",
    "1~2",
  ];
  garbage.push("\u0661", "123456789012345678901", "0x12345678901234567", "Infinity", "NaN", "1_000", "0o7");
  garbage.push("00", "0512");
  for (const text of garbage) assertEquals(parseNumber(text), undefined, text);
});

Deno.test("MaxRecvDataSegmentLength changes in full-feature phase, again and again", () => {
  const negotiation = new Negotiation();
  for (const value of [1024, 65_536, 512, 512]) {
    const before = negotiation.connectionParameters().initiatorMaxRecvDataSegmentLength;
    assertEquals(negotiation.answer([["MaxRecvDataSegmentLength", `${value}`]], "full"), []);
    assertEquals(negotiation.connectionParameters().initiatorMaxRecvDataSegmentLength, before);
    negotiation.conclude();
    assertEquals(negotiation.connectionParameters().initiatorMaxRecvDataSegmentLength, value);
  }
});

Deno.test("what a text negotiation settles is forgotten when it is abandoned (6.4)", () => {
  const negotiation = new Negotiation();
  negotiation.answer([["MaxRecvDataSegmentLength", "1024"]], "operational");
  negotiation.answer([["MaxRecvDataSegmentLength", "512"]], "full");
  negotiation.abandon();
  negotiation.conclude();
  assertEquals(negotiation.connectionParameters().initiatorMaxRecvDataSegmentLength, 1024);
});
