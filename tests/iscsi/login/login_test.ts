/** The login phase as a peer sees it (RFC 7143, 6.3 and 11.12 to 11.13), through the whole node. */
import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { INITIATOR_NAME, ISID, Stage } from "../../support/initiator_login.ts";
import { NO_TAG, Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import type { Initiator } from "../../support/initiator.ts";
import { loginRequest, nopOut, type RequestPdu } from "../../support/initiator_request.ts";
import { decodeText, encodeText, type TextPairs } from "../../support/initiator_text.ts";
import {
  type Harness,
  type HarnessOptions,
  nameOf,
  type Served,
  withHarness,
} from "../../support/harness.ts";
import { settle } from "../../support/until.ts";
import { numbered } from "../../support/exchanges.ts";

const INITIATOR: TextPairs = [["InitiatorName", INITIATOR_NAME]];
const NORMAL: TextPairs = [...INITIATOR, ["TargetName", nameOf()]];
const DISCOVERY: TextPairs = [...INITIATOR, ["SessionType", "Discovery"]];
const TAG = 0x77;

/** 200 keys that are not understood, which takes longer to say than the 8192 bytes that one PDU may carry. */
const UNKNOWN: TextPairs = Array.from({ length: 200 }, (_, index) => [`X-${"a".repeat(50)}${index}`, ""]);

const GUARDED = { name: "guarded", chap: { accounts: new Map(), mutual: undefined } };

/** One Login Request; by default from the operational stage to full-feature phase. */
interface Step {
  readonly stage?: number;
  /** Undefined: no transition is asked for. */
  readonly next?: number | undefined;
  readonly pairs?: TextPairs;
  readonly text?: Uint8Array;
  readonly isContinued?: boolean;
  readonly tsih?: number;
  readonly isid?: Uint8Array;
  readonly tag?: number;
  readonly connectionId?: number;
  /** Changes what the builder made. */
  readonly spoil?: (header: Uint8Array) => void;
}

function request(initiator: Initiator, step: Step): RequestPdu {
  const next = "next" in step ? step.next : Stage.fullFeature;
  const pdu = loginRequest({
    isTransit: next !== undefined,
    isContinued: step.isContinued ?? false,
    currentStage: step.stage ?? Stage.operational,
    nextStage: next ?? 0,
    isid: step.isid ?? ISID,
    tsih: step.tsih ?? 0,
    connectionId: step.connectionId ?? 0,
    initiatorTaskTag: step.tag ?? TAG,
    cmdSn: initiator.nextCmdSn,
    expStatSn: initiator.expStatSn,
    text: step.text ?? encodeText(step.pairs ?? []),
  });
  step.spoil?.(pdu.header);
  return pdu;
}

/** Sends a Login Request and waits for what comes back. */
async function answer(initiator: Initiator, step: Step): Promise<Pdu> {
  await initiator.send(request(initiator, step));
  const pdu = await initiator.receive();
  assertEquals([pdu.opcode, pdu.initiatorTaskTag], [Opcode.loginResponse, step.tag ?? TAG]);
  return pdu;
}

function statusOf(pdu: Pdu): string {
  return (pdu.statusClass << 8 | pdu.statusDetail).toString(16).padStart(4, "0");
}

/** Logs in as the steps say: the last is refused with this status, and the connection ends; the others succeed. */
async function assertRefused(harness: Harness, status: string, ...steps: readonly Step[]): Promise<Pdu> {
  const { initiator, served, isClosed } = harness.open();
  for (const step of steps.slice(0, -1)) assertEquals(statusOf(await answer(initiator, step)), "0000");
  const last = answer(initiator, steps.at(-1)!);
  const pdu = await (status === "0201" ? harness.passTimeUntil(last) : last);
  assertEquals([statusOf(pdu), pdu.isTransit, pdu.isContinued, pdu.data.length], [status, false, false, 0]);
  assertEquals(await initiator.receiveEnd(), []);
  await served;
  assert(isClosed(), "the connection is closed");
  return pdu;
}

/** A test of logins that are refused, after which the node takes a good one. */
function testRefusal(
  name: string,
  test: (harness: Harness) => Promise<void>,
  options: HarnessOptions = {},
): void {
  Deno.test(name, () =>
    withHarness(options, async (harness) => {
      await test(harness);
      const initiator = harness.connect();
      assertEquals(statusOf(await answer(initiator, { pairs: NORMAL })), "0000");
    }));
}

Deno.test("a login passes security and operational stage, and each is answered in its own", () =>
  withHarness({ targets: [{ comment: "a friendly name" }] }, async (harness) => {
    const initiator = harness.connect();
    const first = await answer(initiator, {
      stage: Stage.security,
      next: Stage.operational,
      pairs: [...NORMAL, ["AuthMethod", "CHAP,None"]],
    });
    assertEquals([first.flags, first.tsih, first.currentStage], [0x81, 0, Stage.security]);
    assertEquals(decodeText(first.data), [
      ["TargetAlias", "a friendly name"],
      ["TargetPortalGroupTag", "1"],
      ["AuthMethod", "None"],
    ]);
    const last = await answer(initiator, { pairs: [["ErrorRecoveryLevel", "2"], ["X-a", "1"]] });
    assertEquals([last.flags, last.tsih === 0, statusOf(last)], [0x87, false, "0000"]);
    assertEquals(decodeText(last.data), [
      ["MaxRecvDataSegmentLength", "262144"],
      ["ErrorRecoveryLevel", "0"],
      ["X-a", "NotUnderstood"],
    ]);
  }));

Deno.test("a login passes the security stage alone", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    const pdu = await answer(initiator, { stage: Stage.security, pairs: NORMAL });
    assertEquals([pdu.flags, statusOf(pdu)], [0x83, "0000"]);
    assertEquals((await initiator.nop()).opcode, Opcode.nopIn);
  }));

Deno.test("a login passes the operational stage alone, in several rounds", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    const first = await answer(initiator, { next: undefined, pairs: NORMAL });
    assertEquals([first.flags, first.tsih], [0x04, 0]);
    const second = await answer(initiator, { next: undefined, pairs: [["InitialR2T", "No"]] });
    assertEquals(decodeText(second.data), [["InitialR2T", "No"]]);
    const third = await answer(initiator, { next: undefined });
    assertEquals([third.flags, third.data.length], [0x04, 0]);
    assertEquals((await answer(initiator, {})).flags, 0x87);
  }));

Deno.test("the numbers of login responses follow those of the initiator from the first on (11.13.4)", () =>
  withHarness({}, async (harness) => {
    // The initiator itself notices numbers that go backwards; this one begins where they wrap.
    const initiator = harness.connect({ firstCmdSn: 0xfffffffe });
    const first = await answer(initiator, { next: undefined, pairs: NORMAL });
    assertEquals(first.expCmdSn, 0xfffffffe);
    const last = await answer(initiator, {});
    assertEquals([last.expCmdSn, last.maxCmdSn], [0xfffffffe, 0x7d]);
    assertEquals(last.statSn, first.statSn + 1);
  }));

Deno.test("a login takes text in pieces, empty ones included, and answers when it is complete", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    const text = encodeText([...NORMAL, ["InitialR2T", "No"]]);
    for (const piece of [text.subarray(0, 5), text.subarray(5, 5), text.subarray(5, 40)]) {
      const pdu = await answer(initiator, { next: undefined, text: piece, isContinued: true });
      assertEquals([pdu.flags, pdu.data.length], [0x04, 0]);
    }
    const pdu = await answer(initiator, { text: text.subarray(40) });
    assertEquals(pdu.flags, 0x87);
    assert(decodeText(pdu.data).some(([key]) => key === "InitialR2T"));
  }));

Deno.test("a login answers in pieces, and goes on to the next stage with the last", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    const text = encodeText([...NORMAL, ...UNKNOWN]);
    await answer(initiator, { next: undefined, text: text.subarray(0, 8000), isContinued: true });
    const first = await answer(initiator, { text: text.subarray(8000) });
    assertEquals([first.flags, first.data.length, first.tsih], [0x44, 8192, 0]);
    const last = await answer(initiator, {});
    assertEquals([last.flags, last.tsih === 0], [0x87, false]);
    const pairs = decodeText(new Uint8Array([...first.data, ...last.data]));
    assertEquals(
      pairs.filter(([, value]) => value === "NotUnderstood").map(([key]) => key),
      UNKNOWN.map(([k]) => k),
    );
  }));

Deno.test("who repeats in the operational stage who it is may do so", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    await answer(initiator, { stage: Stage.security, next: Stage.operational, pairs: NORMAL });
    assertEquals(statusOf(await answer(initiator, { pairs: NORMAL })), "0000");
  }));

Deno.test("names are folded before they are compared (4.2.7.1)", () =>
  withHarness({ targets: [{ initiators: ["iqn.2011-07.com.example:a"] }] }, async (harness) => {
    const pairs: TextPairs = [["InitiatorName", "IQN.2011-07.com.EXAMPLE:A"], [
      "TargetName",
      nameOf("DISK").toUpperCase(),
    ]];
    assertEquals(statusOf(await answer(harness.connect(), { pairs })), "0000");
  }));

Deno.test("a discovery session needs no target and has its own parameters", () =>
  withHarness({}, async (harness) => {
    const offers: TextPairs = [["ImmediateData", "Yes"], ["MaxConnections", "8"], [
      "FirstBurstLength",
      "65536",
    ]];
    const pairs: TextPairs = [
      ...offers,
      ["MaxBurstLength", "512"],
      ["ErrorRecoveryLevel", "0"],
      ...DISCOVERY,
    ];
    const pdu = await answer(harness.connect(), { pairs });
    assertEquals(statusOf(pdu), "0000");
    assertEquals(decodeText(pdu.data), [
      ["TargetPortalGroupTag", "1"],
      ["MaxRecvDataSegmentLength", "262144"],
      ["ImmediateData", "Yes"],
      ["MaxConnections", "1"],
      ["FirstBurstLength", "512"],
      ["MaxBurstLength", "512"],
      ["ErrorRecoveryLevel", "0"],
    ]);
  }));

testRefusal("0200: the text is none", async (harness) => {
  for (const text of ["InitiatorName", "=x\0", "A B=1\0"]) {
    await assertRefused(harness, "0200", { text: new TextEncoder().encode(text) });
  }
  await assertRefused(harness, "0200", { text: Uint8Array.of(0x41, 0x3d, 0xff, 0) });
});

testRefusal("0200: the text has 10,000 keys, or more than 65536 bytes over its pieces", async (harness) => {
  const pairs = Array.from({ length: 1000 }, (_, index) => [`K${index}`, ""] as const);
  await assertRefused(harness, "0200", { pairs });
  const piece: Step = { next: undefined, text: new Uint8Array(8192).fill(0x41), isContinued: true };
  await assertRefused(harness, "0200", ...Array<Step>(9).fill(piece));
});

testRefusal("0200: a key comes twice, or where it has no place", async (harness) => {
  // In one text, whatever the key and its values.
  const once: TextPairs = [
    ...NORMAL,
    ["SessionType", "Normal"],
    ["InitiatorAlias", "a"],
    ["X-a", "1"],
    [
      "HeaderDigest",
      "None",
    ],
    ["MaxRecvDataSegmentLength", "8192"],
    ["AuthMethod", "None"],
    ["TaskReporting", "Reject"],
  ];
  for (const [key, value] of once) {
    await assertRefused(harness, "0200", { pairs: [...once, [key, value]] });
    // The two are in different PDUs of a text that is continued (C).
    const text = encodeText([...once, [key, value]]);
    const piece: Step = { next: undefined, text: text.subarray(0, 250), isContinued: true };
    await assertRefused(harness, "0200", piece, { text: text.subarray(250) });
    assertEquals(harness.node.snapshot().refusals.recent[0]!.rule, `${key} is sent twice`);
  }
  // In two texts of one stage: except names and the session type, as they were.
  for (const [key, value] of once.slice(3, -1)) {
    await assertRefused(harness, "0200", { next: undefined, pairs: once }, { pairs: [[key, value]] });
  }
  for (const [key, value] of once.slice(0, 3)) {
    await assertRefused(harness, "0200", { next: undefined, pairs: once }, { pairs: [[key, `${value}x`]] });
  }
  const challenged: TextPairs = [...INITIATOR, ["TargetName", nameOf("guarded")], ["AuthMethod", "CHAP"]];
  const security: Step = { stage: Stage.security, next: undefined };
  await assertRefused(harness, "0200", { ...security, pairs: challenged }, {
    ...security,
    pairs: [["CHAP_A", "5"], ["CHAP_A", "5"]],
  });
  await assertRefused(harness, "0200", { pairs: [...NORMAL, ["SendTargets", "All"]] });
  await assertRefused(harness, "0200", { pairs: [...NORMAL, ["AuthMethod", "CHAP"]] });
  await assertRefused(harness, "0200", {
    stage: Stage.security,
    pairs: [...NORMAL, ["HeaderDigest", "None"]],
  });
  await assertRefused(
    harness,
    "0200",
    { next: undefined, pairs: NORMAL },
    { pairs: [["InitiatorName", `${INITIATOR_NAME}x`]] },
  );
});

testRefusal("0200: the type of the session changes after the first request (13.21)", async (harness) => {
  const normal: Step = { next: undefined, pairs: NORMAL };
  await assertRefused(harness, "0200", normal, { pairs: [["SessionType", "Discovery"]] });
  const discovery: Step = { next: undefined, pairs: DISCOVERY };
  await assertRefused(harness, "0200", discovery, { pairs: [["SessionType", "Normal"]] });
});

testRefusal("0200: a name is no iSCSI name (4.2.7)", async (harness) => {
  for (
    const name of [
      "",
      "disk",
      "iqn.2011-7.com.example",
      "iqn.2011-07.com.example:a\n",
      "iqn.2011-07.com.example:a\x1b[31m",
      "iqn.2011-07.com.example:a ",
      `iqn.2011-07.com.${"a".repeat(220)}`,
    ]
  ) {
    await assertRefused(harness, "0200", { pairs: [["InitiatorName", name], ["TargetName", nameOf()]] });
    await assertRefused(harness, "0200", { pairs: [...INITIATOR, ["TargetName", name]] });
  }
});

/** The requests that a text takes which is too long for one. */
function inPieces(pairs: TextPairs): Step[] {
  const text = encodeText(pairs);
  const starts = Array.from({ length: Math.ceil(text.length / 8192) }, (_, index) => index * 8192);
  const pieces = starts.map((start): Step => ({ text: text.subarray(start, start + 8192) }));
  return [
    ...pieces.slice(0, -1).map((step) => ({ ...step, isContinued: true, next: undefined })),
    pieces.at(-1)!,
  ];
}

Deno.test("a name or session type that fills a login's text is not folded, and the log and the status stay short", () =>
  withHarness({}, async (harness) => {
    const marks = `IQN.${"\u0300\u0316".repeat(16_000)}`;
    await assertRefused(harness, "0200", ...inPieces([["InitiatorName", marks], ["TargetName", nameOf()]]));
    await assertRefused(harness, "0200", ...inPieces([...INITIATOR, ["TargetName", marks]]));
    await assertRefused(harness, "0209", ...inPieces([...NORMAL, ["SessionType", marks]]));
    const rules = harness.node.snapshot().refusals.recent.map(({ rule }) => rule);
    assertEquals(rules.length, 3);
    for (const told of [...rules, ...harness.log]) assertLess(told.length, 512);
    assertMatch(rules[2]!, /^InitiatorName "IQN\..* is not an iSCSI name: name is longer than 223 bytes$/);
  }));

testRefusal("0200: the stage is none, or not the one that was reached", async (harness) => {
  for (const stage of [2, 3]) await assertRefused(harness, "0200", { stage, pairs: NORMAL });
  await assertRefused(harness, "0200", { next: Stage.operational, pairs: NORMAL });
  await assertRefused(harness, "0200", { next: Stage.security, pairs: NORMAL });
  await assertRefused(harness, "0200", { next: 2, pairs: NORMAL });
  await assertRefused(harness, "0200", { stage: Stage.security, next: 2, pairs: NORMAL });
  await assertRefused(harness, "0200", { stage: Stage.security, next: Stage.security, pairs: NORMAL });
  const security: Step = { stage: Stage.security, next: Stage.operational, pairs: NORMAL };
  await assertRefused(harness, "0200", security, { stage: Stage.security });
  await assertRefused(harness, "0200", { ...security, next: undefined }, {});
});

testRefusal("0200: transition and continuation are asked for at once (11.12.2)", async (harness) => {
  await assertRefused(harness, "0200", { pairs: NORMAL, isContinued: true });
});

testRefusal("0200: the ISID changes within a login (11.12)", async (harness) => {
  const first: Step = { next: undefined, pairs: NORMAL };
  await assertRefused(harness, "0200", first, { isid: Uint8Array.of(0x80, 0, 0, 0, 0, 9) });
});

Deno.test("a login whose requests have different TSIHs and CIDs gets those of the first (11.12.6, 11.12.7)", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    await answer(initiator, { next: undefined, pairs: NORMAL, connectionId: 7 });
    await answer(initiator, { next: undefined, tsih: 99, connectionId: 8 });
    assertEquals(statusOf(await answer(initiator, { connectionId: 9 })), "0000");
    const [session] = harness.node.snapshot().sessions;
    assertEquals(session!.connections.map(({ cid }) => cid), [7]);
    const overlooked = harness.events.filter(({ message }) => message.includes("overlooked"));
    assertEquals(overlooked.map(({ level, message }) => [level, message.split(": ").at(-1)]), [
      ["debug", "a Login Request changes its TSIH"],
      ["debug", "a Login Request changes its CID"],
    ]);
  }));

Deno.test("a login whose requests have different task tags succeeds, and each is answered with its own", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    await answer(initiator, { stage: Stage.security, next: Stage.operational, pairs: NORMAL });
    const last = await answer(initiator, { tag: TAG + 1 });
    assertEquals([statusOf(last), last.isTransit], ["0000", true]);
    const overlooked = harness.events.filter(({ message }) => message.includes("overlooked"));
    assertEquals(overlooked.map(({ level, message }) => [level, message]), [[
      "debug",
      `10.0.0.2 (${INITIATOR_NAME}): overlooked: a Login Request changes its initiator task tag`,
    ]]);
  }));

Deno.test("a Login Request is immediate, whether or not its I bit is set (11.12)", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    const spoil = (header: Uint8Array): void => void (header[0]! &= 0xbf);
    for (const step of [{ next: undefined, pairs: NORMAL }, {}]) {
      assertEquals(statusOf(await answer(initiator, { ...step, spoil })), "0000");
    }
    // It has used up no CmdSN.
    await initiator.nop();
  }));

Deno.test("AuthMethod=None in the operational stage is answered where nothing is asked for, and only there", () =>
  withHarness({ targets: [{}, GUARDED] }, async (harness) => {
    const pdu = await answer(harness.connect(), { pairs: [...NORMAL, ["AuthMethod", "None"]] });
    assertEquals(statusOf(pdu), "0000");
    assertEquals(decodeText(pdu.data).filter(([key]) => key === "AuthMethod"), [["AuthMethod", "None"]]);
    const guarded: TextPairs = [...INITIATOR, ["TargetName", nameOf("guarded")], ["AuthMethod", "None"]];
    await assertRefused(harness, "0200", { pairs: guarded });
  }));

Deno.test("AuthMethod=None in both stages is answered in both where nothing is asked for, proposed or not", () =>
  withHarness({}, async (harness) => {
    const security: Step = { stage: Stage.security, next: Stage.operational };
    for (const isProposed of [false, true]) {
      const initiator = harness.connect();
      const steps = isProposed
        ? [{ ...security, next: undefined, pairs: NORMAL }, { ...security, pairs: [["AuthMethod", "None"]] }]
        : [{ ...security, pairs: [...NORMAL, ["AuthMethod", "None"]] }];
      for (const step of steps) assertEquals(statusOf(await answer(initiator, step as Step)), "0000");
      const last = await answer(initiator, { pairs: [["AuthMethod", "None"]] });
      assertEquals(statusOf(last), "0000");
      assertEquals(decodeText(last.data).at(-1), ["AuthMethod", "None"]);
    }
  }));

Deno.test("a discovery session may name its target by an empty text, which is none", () =>
  withHarness({}, async (harness) => {
    const pdu = await answer(harness.connect(), { pairs: [...DISCOVERY, ["TargetName", ""]] });
    assertEquals(statusOf(pdu), "0000");
    assertEquals(harness.events.at(-2)!.message, "10.0.0.2: overlooked: its TargetName is empty");
    await assertRefused(harness, "0200", { pairs: [...INITIATOR, ["TargetName", ""]] });
  }));

testRefusal("0200: text comes while ours is not complete", async (harness) => {
  const text = encodeText([...NORMAL, ...UNKNOWN]);
  await assertRefused(
    harness,
    "0200",
    { next: undefined, text: text.subarray(0, 8000), isContinued: true },
    { next: undefined, text: text.subarray(8000) },
    { pairs: [["InitialR2T", "No"]] },
  );
});

testRefusal("0200: the login takes more requests than the limit", async (harness) => {
  const steps = [
    { next: undefined, pairs: NORMAL },
    ...Array<Step>(Limits.loginRequests).fill({ next: undefined }),
  ];
  await assertRefused(harness, "0200", ...steps);
});

testRefusal("0201: no AuthMethod that we have is offered", async (harness) => {
  const pairs: TextPairs = [...NORMAL, ["AuthMethod", "KRB5,SRP"]];
  await assertRefused(harness, "0201", { stage: Stage.security, next: Stage.operational, pairs });
});

testRefusal("0203: there is no such target for this initiator", async (harness) => {
  await assertRefused(harness, "0203", { pairs: [...INITIATOR, ["TargetName", nameOf("other")]] });
  await assertRefused(harness, "0203", {
    stage: Stage.security,
    pairs: [["InitiatorName", "iqn.2000-01.a:b"], ["TargetName", nameOf("guarded")]],
  });
}, { targets: [{}, { name: "guarded", initiators: [INITIATOR_NAME] }] });

testRefusal("0205: the initiator cannot speak version 0", async (harness) => {
  const spoil = (header: Uint8Array): void => void header.fill(1, 2, 4);
  await assertRefused(harness, "0205", { pairs: NORMAL, spoil });
});

Deno.test("the versions that hold are those of the first login request (11.12.4)", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    await answer(initiator, { next: undefined, pairs: NORMAL });
    const spoil = (header: Uint8Array): void => void header.fill(1, 2, 4);
    assertEquals(statusOf(await answer(initiator, { spoil })), "0000");
  }));

Deno.test("an initiator that could speak a later version is answered in version 0", () =>
  withHarness({}, async (harness) => {
    const spoil = (header: Uint8Array): void => void header.fill(9, 2, 3);
    const pdu = await answer(harness.connect(), { pairs: NORMAL, spoil });
    assertEquals([pdu.header[2], pdu.header[3], statusOf(pdu)], [0, 0, "0000"]);
  }));

Deno.test("0206: a session has its one connection; it is not disturbed", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    const { tsih } = await answer(initiator, { pairs: NORMAL });
    await assertRefused(harness, "0206", { pairs: NORMAL, tsih, connectionId: 1 });
    await initiator.nop();
    const discovery = harness.connect();
    const { tsih: other } = await answer(discovery, { pairs: DISCOVERY });
    await assertRefused(harness, "0206", { pairs: DISCOVERY, tsih: other, connectionId: 1 });
  }));

Deno.test("0206: a session takes as many connections as it has settled, and at most 8", () =>
  withHarness({}, async (harness) => {
    for (const [isid, offer, settled] of [[1, "2", 2], [2, "8", 8], [3, "65535", 8]] as const) {
      const step = { pairs: NORMAL, isid: Uint8Array.of(0x80, 0, 0, 0, 0, isid) };
      const leading = await answer(harness.connect(), {
        ...step,
        pairs: [...NORMAL, ["MaxConnections", offer]],
      });
      assertEquals(decodeText(leading.data).find(([key]) => key === "MaxConnections")?.[1], `${settled}`);
      for (let connectionId = 1; connectionId < settled; connectionId++) {
        const pdu = await answer(harness.connect(), { ...step, tsih: leading.tsih, connectionId });
        assertEquals([statusOf(pdu), pdu.tsih], ["0000", leading.tsih]);
      }
      await assertRefused(harness, "0206", { ...step, tsih: leading.tsih, connectionId: settled });
    }
  }));

testRefusal("0207: a name is missing", async (harness) => {
  await assertRefused(harness, "0207", { pairs: [["TargetName", nameOf()]] });
  await assertRefused(harness, "0207", { pairs: INITIATOR });
  await assertRefused(harness, "0207", { pairs: [["SessionType", "Discovery"]] });
  await assertRefused(harness, "0207", {});
});

Deno.test("0208: the session is with another target, or of another type", () =>
  withHarness({ targets: [{}, { name: "other" }] }, async (harness) => {
    const initiator = harness.connect();
    const { tsih } = await answer(initiator, { pairs: [...NORMAL, ["MaxConnections", "8"]] });
    const other: TextPairs = [...INITIATOR, ["TargetName", nameOf("other")]];
    await assertRefused(harness, "0208", { pairs: other, tsih, connectionId: 1 });
    await assertRefused(harness, "0208", { pairs: DISCOVERY, tsih, connectionId: 1 });
    await initiator.nop();
  }));

testRefusal("0209: the session is of a type that is none", async (harness) => {
  for (const type of ["discovery", "", "Discovery,Normal"]) {
    await assertRefused(harness, "0209", { pairs: [...NORMAL, ["SessionType", type]] });
  }
});

Deno.test("020a: there is no session that the initiator could join", () =>
  withHarness({}, async (harness) => {
    await assertRefused(harness, "020a", { pairs: NORMAL, tsih: 1 });
    const initiator = harness.connect();
    const { tsih } = await answer(initiator, { pairs: NORMAL });
    await assertRefused(harness, "020a", { pairs: NORMAL, tsih: tsih + 1 });
    await assertRefused(harness, "020a", { pairs: NORMAL, tsih, isid: Uint8Array.of(0x80, 0, 0, 0, 0, 9) });
    const stranger: TextPairs = [["InitiatorName", "iqn.2000-01.a:b"], ["TargetName", nameOf()]];
    await assertRefused(harness, "020a", { pairs: stranger, tsih });
    await initiator.nop();
  }));

Deno.test("020b: another PDU comes during the login", () =>
  withHarness({}, async (harness) => {
    const { initiator, served } = harness.open();
    await answer(initiator, { next: undefined, pairs: NORMAL });
    await initiator.send(nopOut(numbered(initiator, true)));
    const pdu = await initiator.receive();
    assertEquals([pdu.opcode, pdu.initiatorTaskTag, statusOf(pdu)], [Opcode.loginResponse, TAG, "020b"]);
    assertEquals(await initiator.receiveEnd(), []);
    await served;
  }));

Deno.test("a first PDU that is no login ends the connection without a word (4.2.4)", () =>
  withHarness({}, async (harness) => {
    const { initiator, served, traffic } = harness.open();
    await initiator.send(nopOut(numbered(initiator, true)));
    assertEquals(await initiator.receiveEnd(), []);
    await served;
    assertEquals(traffic.given, 0);
  }));

testRefusal("0302: the server has no room for another session", async (harness) => {
  const full = await fill(harness, 2);
  await assertRefused(harness, "0302", { pairs: NORMAL, isid: isidOf(99) });
  await full[0]!.initiator.nop();
  await full[1]!.initiator.logout();
}, { sessions: 2 });

testRefusal("0302: the server has no room for another connection", async (harness) => {
  const full = await fill(harness, 3);
  await assertRefused(harness, "0302", { pairs: NORMAL, isid: isidOf(99) });
  await full[2]!.initiator.close();
  await full[2]!.served;
}, { connections: 3 });

Deno.test("0302: a full server takes discovery sessions, up to their own limit", () =>
  withHarness({ sessions: 1 }, async (harness) => {
    await fill(harness, 1);
    for (let index = 0; index < Limits.discoverySessions; index++) {
      const pdu = await answer(harness.connect(), { pairs: DISCOVERY, isid: isidOf(index) });
      assertEquals(statusOf(pdu), "0000");
    }
    await assertRefused(harness, "0302", { pairs: DISCOVERY, isid: isidOf(99) });
  }));

Deno.test("a discovery session that has had its time gives way, of those who have most from one address", () =>
  withHarness({}, async (harness) => {
    const open = async (index: number, peerAddress: string): Promise<Served> => {
      const served = harness.open({ ends: { peerAddress } });
      const pdu = await answer(served.initiator, { pairs: DISCOVERY, isid: isidOf(index) });
      assertEquals(statusOf(pdu), "0000");
      return served;
    };
    const honest = await open(0, "10.0.0.9");
    const crowd: Served[] = [];
    while (crowd.length < Limits.discoverySessions - 1) crowd.push(await open(1 + crowd.length, "10.0.0.66"));
    harness.clock.advance(Limits.discoveryMs - 1);
    // All of them are still there, and say so.
    for (const { initiator } of [honest, ...crowd]) {
      await initiator.send(nopOut({ ...numbered(initiator, true), initiatorTaskTag: NO_TAG }));
    }
    await settle();
    await assertRefused(harness, "0302", { pairs: DISCOVERY, isid: isidOf(98) });
    harness.clock.advance(1);
    const newcomer = await open(99, "10.0.0.10");
    await crowd[0]!.served;
    assertEquals([honest, newcomer, ...crowd].filter(({ isClosed }) => isClosed()), [crowd[0]]);
    assertEquals(
      harness.log.at(-1),
      `info: 10.0.0.66 (${INITIATOR_NAME}) at discovery: session ended after 10 s to make room for another`,
    );
    // The newcomer has not had its time yet; the crowd has.
    await open(100, "10.0.0.11");
    assertEquals([honest, newcomer, crowd[1]!].map(({ isClosed }) => isClosed()), [false, false, true]);
  }));

Deno.test("discovery sessions do not count as sessions", () =>
  withHarness({ sessions: 1, connections: 1 }, async (harness) => {
    await answer(harness.connect(), { pairs: DISCOVERY, isid: isidOf(7) });
    assertEquals(statusOf(await answer(harness.connect(), { pairs: NORMAL })), "0000");
  }));

function isidOf(index: number): Uint8Array {
  return Uint8Array.of(0x80, 0, 0, 0, 1, index);
}

/** Opens sessions of one initiator, each with an ISID of its own. */
async function fill(harness: Harness, count: number): Promise<Served[]> {
  const sessions: Served[] = [];
  for (let index = 0; index < count; index++) {
    const connection = harness.open();
    assertEquals(
      statusOf(await answer(connection.initiator, { pairs: NORMAL, isid: isidOf(index) })),
      "0000",
    );
    sessions.push(connection);
  }
  return sessions;
}
