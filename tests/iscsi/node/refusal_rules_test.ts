/**
 * Every rule by which a login is refused, as the log says it: the first test brings each of them about, and the second
 * looks whether the sources have others.
 */
import { assert, assertEquals } from "@std/assert";
import type { ChapConfig } from "../../../lib/config/chap.ts";
import { Secret } from "../../../lib/config/secret.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import type { ChapOptions } from "../../support/initiator_chap.ts";
import { INITIATOR_NAME, ISID, type LoginOptions } from "../../support/initiator_login.ts";
import {
  type ConnectOptions,
  type Harness,
  type HarnessOptions,
  nameOf,
  withHarness,
} from "../../support/harness.ts";
import { loginRequest, nopOut } from "../../support/initiator_request.ts";
import { encodeText, type TextPairs } from "../../support/initiator_text.ts";
import { MemoryStore } from "../../support/memory_store.ts";
import { SlowStore } from "../../support/slow_store.ts";
import { synchronizeCache10 } from "../../support/initiator_cdb.ts";
import { settle } from "../../support/until.ts";
import { numbered } from "../../support/exchanges.ts";

function chapOf(names: readonly string[], initiators: readonly string[] = []): ChapConfig {
  const secret = new Secret(new TextEncoder().encode("secretsecret1"));
  return { accounts: new Map(names.map((name) => [name, { name, secret, initiators }])), mutual: undefined };
}

const BOB: ChapOptions = { name: "bob", secret: "secretsecret1" };

const OPTIONS: HarnessOptions = {
  targets: [
    {},
    { name: "guarded", chap: chapOf(["bob"]) },
    { name: "bound", chap: chapOf(["bob"], ["iqn.2000-01.a:bob"]) },
    { name: "listed", initiators: ["iqn.2000-01.a:b"] },
    { name: "near", networks: ["192.168.0.0/16"] },
    { name: "guarded-listed", chap: chapOf(["bob"]), initiators: ["iqn.2000-01.a:b"] },
  ],
  sessions: 3,
  connections: 3,
};

/** One Login Request: by default, in the operational stage and on to full-feature phase. */
interface Step {
  readonly stage?: number;
  /** Undefined: no transition is asked for. */
  readonly next?: number | undefined;
  readonly text?: Uint8Array;
  readonly pairs?: TextPairs;
  readonly isContinued?: boolean;
  readonly spoil?: (header: Uint8Array) => void;
}

const WHO: TextPairs = [["InitiatorName", INITIATOR_NAME]];
const NORMAL: TextPairs = [...WHO, ["TargetName", nameOf()]];
const CHAP_METHOD: TextPairs = [...WHO, ["TargetName", nameOf("guarded")], ["AuthMethod", "CHAP"]];
const STAY = { next: undefined };

/** In the security stage, without asking for another. */
function security(pairs: TextPairs, next?: number): Step {
  return { stage: 0, next, pairs };
}

/** Sends Login Requests, whatever is answered, and lets all time go by that the target takes for them. */
async function say(harness: Harness, steps: readonly Step[], connect: ConnectOptions = {}): Promise<void> {
  const { initiator } = harness.open(connect);
  for (const step of steps) {
    const next = "next" in step ? step.next : 3;
    const pdu = loginRequest({
      isTransit: next !== undefined,
      isContinued: step.isContinued ?? false,
      currentStage: step.stage ?? 1,
      nextStage: next ?? 0,
      isid: ISID,
      initiatorTaskTag: 1,
      cmdSn: 1,
      expStatSn: 0,
      text: step.text ?? encodeText(step.pairs ?? []),
    });
    step.spoil?.(pdu.header);
    await initiator.send(pdu).catch(() => {});
    await harness.passTimeUntil(initiator.receive()).catch(() => {});
  }
}

/** Logs in as an initiator does, to fail or not. */
async function logIn(harness: Harness, options: LoginOptions): Promise<void> {
  await harness.passTimeUntil(harness.connect().login(options)).catch(() => {});
}

const CHAP_TURN = [security(CHAP_METHOD), security([["CHAP_A", "5"]])];
const RESPONSE: TextPairs = [["CHAP_N", "bob"], ["CHAP_R", "0x00"]];
const LONG = "x".repeat(300);
const NO_STAGE = "it skips the security stage, but CHAP is required";

/** Returns keys that no standard has. */
function unknownKeys(first: number, count: number): TextPairs {
  return Array.from({ length: count }, (_, index) => [`X-${first + index}`, ""]);
}

/** Options without CHAP: an initiator that is refused for another reason is refused at once. */
const OPEN: HarnessOptions = {
  targets: [{}, { name: "listed", initiators: ["iqn.2000-01.a:b"] }, {
    name: "near",
    networks: ["192.168.0.0/16"],
  }],
};

/** By the rule that the log is to give, with `OPTIONS`: what brings it about. */
const ROWS: Readonly<Record<string, (harness: Harness) => Promise<void>>> = {
  "Login text is longer than 65536 bytes": (harness) =>
    say(harness, Array(9).fill({ ...STAY, isContinued: true, text: new Uint8Array(8000) })),
  "Login takes more than 64 requests": (harness) =>
    say(harness, [{ ...STAY, pairs: NORMAL }, ...Array(Limits.loginRequests).fill(STAY)]),
  "Version 1 is not supported": (harness) =>
    say(harness, [{ pairs: NORMAL, spoil: (header) => void header.fill(1, 2, 4) }]),
  "Login Request changes its ISID": (harness) =>
    say(harness, [{ ...STAY, pairs: NORMAL }, { spoil: (header) => void header.fill(9, 8, 14) }]),
  "Login Request has text while an answer is incomplete": (harness) => {
    const unknown: TextPairs = Array.from({ length: 200 }, (_, index) => [`X-${"a".repeat(50)}${index}`, ""]);
    const text = encodeText([...NORMAL, ...unknown]);
    return say(harness, [
      { ...STAY, isContinued: true, text: text.subarray(0, 8000) },
      { ...STAY, text: text.subarray(8000) },
      { pairs: [["InitialR2T", "No"]] },
    ]);
  },
  "Login Request is in stage 0, not 1": (harness) =>
    say(harness, [{ ...STAY, pairs: NORMAL }, { stage: 0, next: 1 }]),
  "Login Request sets both T and C": (harness) => say(harness, [{ pairs: NORMAL, isContinued: true }]),
  "Login Request asks for a transition from stage 1 to 1": (harness) =>
    say(harness, [{ pairs: NORMAL, next: 1 }]),
  "Text is not UTF-8": (harness) => say(harness, [{ text: Uint8Array.of(0x41, 0x3d, 0xff) }]),
  'Text "garbage" is not a key=value pair': (harness) =>
    say(harness, [{ text: new TextEncoder().encode("garbage") }]),
  "Text has more than 256 keys": (harness) =>
    say(harness, [{ pairs: Array.from({ length: 257 }, (_, index) => [`X-${index}`, ""]) }]),
  "AuthMethod is not allowed after the security stage": (harness) =>
    say(harness, [{ pairs: [...NORMAL, ["AuthMethod", "CHAP"]] }]),
  "InitialR2T is not allowed in the security stage": (harness) =>
    say(harness, [security([...NORMAL, ["InitialR2T", "No"]])]),
  "SendTargets is not allowed during login": (harness) =>
    say(harness, [{ pairs: [...NORMAL, ["SendTargets", "All"]] }]),
  "InitialR2T is sent twice": (harness) =>
    say(harness, [{ pairs: [...NORMAL, ["InitialR2T", "No"], ["InitialR2T", "No"]] }]),
  'it offers AuthMethod="KRB5", but the target supports only CHAP and None': (harness) =>
    say(harness, [security([...NORMAL, ["AuthMethod", "KRB5"]])]),
  'it offers AuthMethod="None", but CHAP is required': (harness) =>
    say(harness, [security([...CHAP_METHOD.slice(0, 2), ["AuthMethod", "None"]])]),
  [NO_STAGE]: (harness) => say(harness, [{ pairs: CHAP_METHOD.slice(0, 2) }]),
  "it leaves the security stage without AuthMethod, but CHAP is required": (harness) =>
    say(harness, [security(CHAP_METHOD.slice(0, 2), 1), security([], 1)]),
  [`${NO_STAGE}; also, initiators of [guarded-listed] does not list "${INITIATOR_NAME}"`]: (harness) =>
    say(harness, [{ pairs: [...WHO, ["TargetName", nameOf("guarded-listed")]] }]),
  'SessionType "Other" is not supported': (harness) =>
    say(harness, [{ pairs: [...NORMAL, ["SessionType", "Other"]] }]),
  "CHAP_A is sent without AuthMethod=CHAP": (harness) =>
    say(harness, [security([...NORMAL, ["CHAP_A", "5"]])]),
  "Login Request has no InitiatorName": (harness) => say(harness, [{ pairs: NORMAL.slice(1) }]),
  'InitiatorName "iqn.2000-01.a:b " is not an iSCSI name: name ends with a space': (harness) =>
    say(harness, [{ pairs: [["InitiatorName", "iqn.2000-01.a:b "], ...NORMAL.slice(1)] }]),
  'TargetName "iqn.2000-01.a:b c" is not an iSCSI name: name contains " "': (harness) =>
    say(harness, [{ pairs: [...WHO, ["TargetName", "iqn.2000-01.a:b c"]] }]),
  [`TargetName "${LONG.slice(0, 255)}" is not an iSCSI name: name is longer than 223 bytes`]: (harness) =>
    say(harness, [{ pairs: [...WHO, ["TargetName", LONG]] }]),
  "NOP-Out is not allowed during login": async (harness) => {
    const initiator = harness.connect();
    await initiator.send(
      loginRequest({
        isTransit: false,
        currentStage: 1,
        nextStage: 0,
        isid: ISID,
        initiatorTaskTag: 1,
        cmdSn: 1,
        expStatSn: 0,
        text: encodeText(NORMAL),
      }),
      nopOut(numbered(initiator, true)),
    );
    await settle();
  },
  "opcode 0x1c is not allowed during login": async (harness) => {
    const pdu = nopOut({ isImmediate: true, initiatorTaskTag: 1, cmdSn: 1, expStatSn: 0 });
    pdu.header[0] = 0x5c;
    await harness.connect().send(pdu);
    await settle();
  },
  "Login Request has additional header segments": async (harness) => {
    const bytes = new Uint8Array(52);
    bytes.set([0x43, 0x87, 0, 0, 1]);
    await harness.connect().send(bytes);
    await settle();
  },
  "CHAP_A is sent twice": (harness) =>
    say(harness, [security(CHAP_METHOD), security([["CHAP_A", "5"], ["CHAP_A", "5"]])]),
  "Login has more than 256 unknown keys": (harness) =>
    say(harness, [{ ...STAY, pairs: [...NORMAL, ...unknownKeys(0, 200)] }, STAY, {
      pairs: unknownKeys(200, 57),
    }]),
  "CHAP_N is sent out of turn": (harness) =>
    say(harness, [security(CHAP_METHOD), security([["CHAP_N", "bob"]])]),
  "CHAP_R is missing": (harness) => say(harness, [...CHAP_TURN, security([["CHAP_N", "bob"]])]),
  'it offers CHAP_A="9,4", but no algorithm as strong as md5': (harness) =>
    say(harness, [security(CHAP_METHOD), security([["CHAP_A", "9,4"]])]),
  "CHAP_R is not a binary value of 1 to 1024 bytes": (harness) =>
    say(harness, [...CHAP_TURN, security([["CHAP_N", "bob"], ["CHAP_R", "garbage"]])]),
  "CHAP_I is not a number from 0 to 255": (harness) =>
    say(harness, [...CHAP_TURN, security([...RESPONSE, ["CHAP_I", "256"], ["CHAP_C", "0x00"]])]),
  "CHAP_C is not a binary value of 1 to 1024 bytes": (harness) =>
    say(harness, [...CHAP_TURN, security([...RESPONSE, ["CHAP_I", "1"], ["CHAP_C", "garbage"]])]),
  'CHAP name "eve" is unknown': (harness) =>
    logIn(harness, { targetName: nameOf("guarded"), chap: { name: "eve", secret: "secretsecret1" } }),
  'the secret for CHAP name "bob" is wrong': (harness) =>
    logIn(harness, { targetName: nameOf("guarded"), chap: { name: "bob", secret: "othersecret12" } }),
  'CHAP name "bob" is bound to other initiators, although the secret is right': (harness) =>
    logIn(harness, { targetName: nameOf("bound"), chap: BOB }),
  "it asks for mutual CHAP, but mutual_user is not set": (harness) => {
    const mutual = { name: "box", secret: "targetsecret1", challenge: new Uint8Array(20).fill(77) };
    return logIn(harness, { targetName: nameOf("guarded"), chap: { ...BOB, mutual } });
  },
  "its CHAP_C is a challenge of this target": (harness) => {
    // The challenges of a harness are zeros, ones, and so on: this one is that of the login itself.
    const mutual = { name: "box", secret: "targetsecret1", challenge: new Uint8Array(32) };
    return logIn(harness, { targetName: nameOf("guarded"), chap: { ...BOB, algorithms: "8", mutual } });
  },
  [`target "${nameOf("near")}" has been removed`]: async (harness) => {
    harness.serveInstead([{}, { name: "guarded", chap: chapOf(["bob"]) }]);
    await logInFrom(harness, "192.168.0.9", { targetName: nameOf("near"), chap: BOB });
  },
  "there is no session 77 to join": (harness) => logIn(harness, { targetName: nameOf(), tsih: 77 }),
  "session 1 is with another target": async (harness) => {
    await harness.logIn();
    await logIn(harness, { targetName: undefined, tsih: 1 });
  },
  "session 1 has all of its 1 connections": async (harness) => {
    await harness.logIn();
    await logIn(harness, { targetName: nameOf(), tsih: 1, connectionId: 1, keys: noKeys() });
  },
  "its CHAP credentials are no longer valid": async (harness) => {
    const initiator = harness.connect();
    const options = { targetName: nameOf("guarded"), chap: BOB };
    const send = initiator.send.bind(initiator);
    initiator.send = async (...pdus) => {
      // The conf changes between its proof and its last request.
      const [pdu] = pdus;
      if (pdu !== undefined && "header" in pdu && (pdu.header[1]! & 0x0c) === 0x04) {
        harness.serveInstead([{}, { name: "guarded", chap: chapOf(["alice"]) }]);
      }
      await send(...pdus);
    };
    await harness.passTimeUntil(initiator.login(options)).catch(() => {});
  },
  'its session has a CHAP name other than "alice"': async (harness) => {
    harness.serveInstead([{ name: "two", chap: chapOf(["bob", "alice"]) }]);
    await logIn(harness, { targetName: nameOf("two"), chap: BOB });
    await logIn(harness, { targetName: nameOf("two"), chap: { ...BOB, name: "alice" } });
  },
  "its session has a CHAP name, and this login has none": async (harness) => {
    await logIn(harness, { targetName: nameOf("guarded"), chap: BOB });
    const [session] = harness.node.sessions();
    Object.assign(session!.target!.config, { chap: undefined });
    await logIn(harness, { targetName: nameOf("guarded") });
  },
  "the limit of 3 sessions is reached": async (harness) => {
    for (let port = 0; port < 4; port++) {
      await logIn(harness, { targetName: nameOf(), isid: Uint8Array.of(0x80, 0, 0, 0, 9, port) });
    }
  },
  "the limit of 3 connections is reached": async (harness) => {
    await harness.logInSession(3);
    await logIn(harness, { targetName: nameOf(), isid: Uint8Array.of(0x80, 0, 0, 0, 9, 9) });
  },
  "the limit of 16 discovery sessions is reached": async (harness) => {
    for (let port = 0; port < 17; port++) {
      await harness.connect().login({ isid: Uint8Array.of(0x80, 0, 0, 0, 9, port) }).catch(() => {});
    }
  },
  "the limit of 3 ended sessions whose work on a disk is not done is reached": async (
    harness,
  ) => {
    harness.serveInstead([{ stores: [new SlowStore(new MemoryStore({ sizeBytes: 1_048_576 }))] }]);
    for (let count = 0; count < 4; count++) {
      const initiator = harness.connect();
      const isIn = await initiator.login({ targetName: nameOf() }).then(() => true, () => false);
      if (!isIn) return;
      await initiator.command({ cdb: synchronizeCache10() });
      (await initiator.begin({ cdb: synchronizeCache10() })).forget();
      await settle();
      await initiator.close();
      await settle();
    }
  },
  "login not complete within 15 s": async (harness) => {
    harness.connect();
    await settle();
    harness.clock.advance(Limits.loginMs);
  },
  "too many connections are logging in": async (harness) => {
    for (let count = 0; count <= Limits.connectionsInLoginPerAddress; count++) harness.connect();
    await settle();
  },
  "the target has failed: no entropy": (harness) =>
    say(harness, [security(CHAP_METHOD), security([["CHAP_A", "5"]])]),
};

/** The same, with `OPEN`. */
const OPEN_ROWS: typeof ROWS = {
  [`there is no target "${nameOf("nowhere")}"`]: (harness) =>
    logIn(harness, { targetName: nameOf("nowhere") }),
  [`initiators of [listed] does not list "${INITIATOR_NAME}"`]: (harness) =>
    logIn(harness, { targetName: nameOf("listed") }),
  "networks of [near] (192.168.0.0/16) do not contain local address 10.0.0.1": (harness) =>
    logIn(harness, { targetName: nameOf("near") }),
  "the server is stopping": async (harness) => {
    // One that has logged in is still being sent its last answers.
    const { initiator: leaving } = harness.open({ capacityBytes: 4096 });
    await leaving.login({ targetName: nameOf() });
    const ping = nopOut({ ...numbered(leaving, true), data: new Uint8Array(60_000) });
    await leaving.send(ping, ping);
    await settle();
    const late = harness.connect();
    const stopped = harness.node.stop();
    await late.login({ targetName: nameOf() }).catch(() => {});
    await leaving.close();
    await stopped;
  },
};

function noKeys(): Record<string, undefined> {
  const names = [
    "InitialR2T",
    "ImmediateData",
    "FirstBurstLength",
    "MaxBurstLength",
    "MaxOutstandingR2T",
    "MaxConnections",
    "DataPDUInOrder",
    "DataSequenceInOrder",
    "DefaultTime2Wait",
    "DefaultTime2Retain",
    "ErrorRecoveryLevel",
  ];
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

/** Logs in over a connection whose ends lie elsewhere. */
async function logInFrom(harness: Harness, peerAddress: string, options: LoginOptions): Promise<void> {
  const initiator = harness.connect({ ends: { peerAddress, localAddress: "192.168.0.1" } });
  await harness.passTimeUntil(initiator.login(options)).catch(() => {});
}

/** Returns the rule of the latest refusal. */
function lastRule({ node }: Harness): string | undefined {
  return node.snapshot().refusals.recent[0]?.rule;
}

const FAILING: Partial<HarnessOptions> = {
  randomBytes: () => {
    throw new Error("no entropy");
  },
};

const ALL_ROWS = { ...ROWS, ...OPEN_ROWS };

for (const [rule, bringAbout] of Object.entries(ALL_ROWS)) {
  Deno.test(`refused: ${rule.slice(0, 70)}`, async () => {
    const common = rule in OPEN_ROWS ? OPEN : OPTIONS;
    const options = rule.startsWith("the target has failed") ? { ...common, ...FAILING } : common;
    await withHarness(options, async (harness) => {
      await bringAbout(harness);
      await settle();
      assertEquals(lastRule(harness), rule);
    });
  });
}

/** Words that no sentence ends with. */
const DANGLING =
  /\b(?:a|an|and|any|as|at|by|for|from|has|is|it|may|must|no|not|of|on|or|than|that|the|to|with)$/;

Deno.test("every rule is a whole sentence, with nothing in it that is not known", () => {
  for (const rule of Object.keys(ALL_ROWS)) {
    assert(!DANGLING.test(rule), rule);
    assert(!/undefined|null|NaN|\[object/.test(rule), rule);
  }
});

/** The sources that word refusals of logins. */
const SOURCES = [
  "login/login",
  "login/identity",
  "login/request_rules",
  "login/auth_method",
  "login/chap",
  "negotiation/negotiation",
  "pdu/text",
  "node/session_register",
  "node/admission",
  "node/sessions",
  "node/target_node",
  "pdu/initiator_pdus",
  "connection/connection",
  "connection/liveness",
  "connection/login_phase",
  "connection/logout",
  "connection/peer_log",
];

/** Beginnings of sentences there that are no rules: log messages on sessions, and on connections in them. */
const NO_RULES = [
  "it offers only CHAP, which is not required",
  "\0: closed, ",
  "\0: overlooked",
  "\0: connection ",
  "\0: session ",
  "\0; closing the connection",
  "; further warnings from",
  ", CHAP name ",
  "\0 is not allowed in a discovery session",
  "\0 has a data segment",
  "\0 has additional header segments",
  "\0 has no initiator task tag",
  "\0 at \0",
  "\0 in a discovery session",
  "\0 with a data segment",
  "\0 with additional header",
  "\0 without initiator task tag",
  "Additional header segment",
  "AuthMethod=None is sent after",
  "a Login Request changes its",
  "initiator task tag",
  "its \0 is greater than the standard permits",
  "its TargetName is empty",
  "its name has a form that",
  "CHAP begins together with",
  "DataACK ",
  "Login Request is not allowed in full-feature phase",
  "Login request in full-feature phase",
  "Logout with unknown reason",
  "NOP-Out without",
  "SCSI Command ",
  "SNACK ",
  "Text Request ",
  "Text request ",
  "is reinstated from",
  "joins from",
  "login of ",
  "too many replies that the peer",
  "no answer to a ping",
  "no logout within",
  "session begins",
  "fewer than ",
  "the peer reads ",
];

/** The texts of a file that are sentences, with a dot for whatever is put into them. */
function sentencesOf(path: string): string[] {
  const text = Deno.readTextFileSync(new URL(`../../../lib/iscsi/${path}.ts`, import.meta.url));
  const sentences: string[] = [];
  const note = (sentence: string): void => {
    if (sentence.split(" ").length > 2) sentences.push(sentence);
  };
  const create = (): Deno.lint.LintVisitor => ({
    Literal: (node) => void (typeof node.value === "string" && note(node.value)),
    TemplateLiteral: (node) => note(node.quasis.map(({ cooked }) => cooked).join("\0")),
  });
  Deno.lint.runPlugin({ name: "texts", rules: { texts: { create } } }, `${path}.ts`, text);
  return sentences;
}

/** Returns true if a text is part of a rule. */
function isPartOf(sentence: string, rule: string): boolean {
  const parts = sentence.split("\0").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(parts.join(".*"), "s").test(rule);
}

Deno.test("no rule in the sources is missing here", () => {
  const rules = Object.keys(ALL_ROWS);
  const missing = SOURCES.flatMap((path) =>
    sentencesOf(path)
      .filter((sentence) =>
        !NO_RULES.some((start) => sentence.startsWith(start)) &&
        !rules.some((rule) => isPartOf(sentence, rule))
      )
      .map((sentence) => `${path}: ${sentence.replaceAll("\0", "...")}`)
  );
  assertEquals(missing, []);
});
