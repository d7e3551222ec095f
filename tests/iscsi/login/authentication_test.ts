/** CHAP and redirection as a peer sees them, through the whole node (RFC 7143, 12.1.3, 9.2.1 and 11.13.5). */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { ChapConfig } from "../../../lib/config/chap.ts";
import { Secret } from "../../../lib/config/secret.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { answerChallenge, chapHash, type ChapOptions, fromHexValue } from "../../support/initiator_chap.ts";
import { INITIATOR_NAME, ISID, LoginRefused, Stage } from "../../support/initiator_login.ts";
import type { Pdu } from "../../support/initiator_pdu.ts";
import type { Initiator } from "../../support/initiator.ts";
import { loginRequest } from "../../support/initiator_request.ts";
import { decodeText, encodeText, type TextPairs } from "../../support/initiator_text.ts";
import {
  type ConnectOptions,
  type Harness,
  nameOf,
  type Served,
  withHarness,
} from "../../support/harness.ts";
import { settle } from "../../support/until.ts";

const BOB = { name: "bob", secret: "bobsecret123" };
const ALICE = { name: "alice", secret: "alicesecret12" };
const BOX = { name: "box", secret: "targetsecret1" };
const CHALLENGE = Uint8Array.from({ length: 20 }, (_, index) => 200 - index);

interface User {
  readonly name: string;
  readonly secret: string;
  /** The initiators that the account is bound to; empty by default. */
  readonly initiators?: readonly string[];
}

function chapOf(users: readonly User[], mutual?: typeof BOX): ChapConfig {
  const secretOf = (text: string): Secret => new Secret(new TextEncoder().encode(text));
  return {
    accounts: new Map(users.map(({ name, secret, initiators = [] }) => {
      return [name, { name, secret: secretOf(secret), initiators }];
    })),
    mutual: mutual && { name: mutual.name, secret: secretOf(mutual.secret) },
  };
}

const GUARDED = { name: "disk", chap: chapOf([BOB, ALICE], BOX) };

/** The pairs with which an initiator says who it is and that it may prove it. */
function greeting(targetName: string | undefined, method = "CHAP,None"): TextPairs {
  const session: TextPairs = targetName === undefined
    ? [["SessionType", "Discovery"]]
    : [["TargetName", targetName]];
  return [["InitiatorName", INITIATOR_NAME], ...session, ["AuthMethod", method]];
}

/** One Login Request of the security stage, and its answer. */
async function say(
  initiator: Initiator,
  pairs: TextPairs,
  next: number = Stage.security,
  tsih = 0,
): Promise<Pdu> {
  await initiator.send(loginRequest({
    isTransit: next !== Stage.security,
    isContinued: false,
    currentStage: Stage.security,
    nextStage: next,
    isid: ISID,
    tsih,
    connectionId: 0,
    initiatorTaskTag: 1,
    cmdSn: initiator.nextCmdSn,
    expStatSn: initiator.expStatSn,
    text: encodeText(pairs),
  }));
  return await initiator.receive(20_000);
}

function statusOf(pdu: Pdu): string {
  return (pdu.statusClass << 8 | pdu.statusDetail).toString(16).padStart(4, "0");
}

/** All that a peer sees of a login that does not succeed: flags, status and text of each answer. */
async function transcript(
  harness: Harness,
  steps: readonly TextPairs[],
  options: ConnectOptions = {},
): Promise<string[]> {
  const initiator = harness.connect(options);
  const seen: string[] = [];
  for (const pairs of steps) {
    const pdu = await harness.passTimeUntil(say(initiator, pairs, Stage.operational));
    const text = decodeText(pdu.data).map((pair) => pair.join("="));
    seen.push(`${pdu.flags.toString(16)} ${statusOf(pdu)} ${text.join(" ")}`);
    if (statusOf(pdu) !== "0000") break;
  }
  return seen;
}

/** Logs in, or says with which status that was refused. */
async function attempt(
  harness: Harness,
  targetName: string | undefined,
  chap?: ChapOptions,
  options: { isid?: Uint8Array; initiatorName?: string } = {},
): Promise<string> {
  const initiator = harness.connect();
  try {
    await harness.passTimeUntil(initiator.login({ targetName, chap, ...options }));
    return "0000";
  } catch (error) {
    if (!(error instanceof LoginRefused)) throw error;
    return error.status.toString(16).padStart(4, "0");
  }
}

for (const algorithms of ["5", "6", "7", "8", "5,6", "8,7,6,5"]) {
  Deno.test(`an initiator that offers CHAP_A=${algorithms} logs in, one-way and mutually`, () =>
    withHarness({ targets: [GUARDED] }, async (harness) => {
      assertEquals(await attempt(harness, nameOf(), { ...BOB, algorithms }), "0000");
      const mutual = { ...BOX, challenge: CHALLENGE };
      assertEquals(await attempt(harness, nameOf(), { ...BOB, algorithms, mutual }), "0000");
      assert(
        harness.log.some((line) => line.includes('session begins, CHAP name "bob"')),
        harness.log.join("\n"),
      );
    }));
}

Deno.test("a whole login with CHAP, as pairs", () =>
  withHarness({ targets: [{ ...GUARDED, comment: "a friendly name" }] }, async (harness) => {
    const initiator = harness.connect();
    // The transition that it asks for has to wait until it has proved who it is.
    const first = await say(initiator, greeting(nameOf()), Stage.operational);
    assertEquals([first.flags, statusOf(first)], [0, "0000"]);
    assertEquals(decodeText(first.data), [["TargetPortalGroupTag", "1"], ["AuthMethod", "CHAP"]]);
    const second = await say(initiator, [["CHAP_A", "7,5"]], Stage.operational);
    assertEquals([second.flags, statusOf(second)], [0, "0000"]);
    const challenge = `0x${"00".repeat(32)}`;
    assertEquals(decodeText(second.data), [["CHAP_A", "7"], ["CHAP_I", "1"], ["CHAP_C", challenge]]);
    const response = chapHash("7", 1, BOB.secret, fromHexValue(challenge));
    const third = await say(
      initiator,
      [["CHAP_N", "bob"], ["CHAP_R", `0b${response.toBase64()}`], ["CHAP_I", "0x20"], ["CHAP_C", "0bAAEC"]],
      Stage.operational,
    );
    assertEquals([third.flags, statusOf(third)], [0x81, "0000"]);
    const proof = chapHash("7", 32, BOX.secret, Uint8Array.of(0, 1, 2));
    assertEquals(decodeText(third.data), [["CHAP_N", "box"], ["CHAP_R", `0x${proof.toHex()}`]]);
  }));

Deno.test("the alias of a target that asks for CHAP comes after the keys of CHAP, in the operational stage", () =>
  withHarness({ targets: [{ ...GUARDED, comment: "a friendly name" }] }, async (harness) => {
    for (const nextStage of [Stage.operational, Stage.fullFeature]) {
      const initiator = harness.connect();
      await say(initiator, greeting(nameOf()), nextStage);
      const challenge = decodeText((await say(initiator, [["CHAP_A", "5"]], nextStage)).data);
      const proved = await say(initiator, answerChallenge(challenge, BOB), nextStage);
      assertEquals(statusOf(proved), "0000");
      // Nothing follows the security stage where the initiator leaves out the other one.
      const alias: TextPairs = [["TargetAlias", "a friendly name"]];
      assertEquals(decodeText(proved.data), nextStage === Stage.fullFeature ? alias : []);
      if (nextStage === Stage.fullFeature) continue;
      await initiator.send(loginRequest({
        ...{ isTransit: true, currentStage: Stage.operational, nextStage: Stage.fullFeature, isid: ISID },
        ...{
          initiatorTaskTag: proved.initiatorTaskTag,
          cmdSn: initiator.nextCmdSn,
          expStatSn: initiator.expStatSn,
        },
        text: encodeText([]),
      }));
      const last = await initiator.receive();
      assertEquals(decodeText(last.data), [...alias, ["MaxRecvDataSegmentLength", "262144"]]);
    }
  }));

Deno.test("0201: wrong secret, wrong name, no name, and a target that cannot prove itself", () =>
  withHarness({ targets: [GUARDED, { name: "oneway", chap: chapOf([BOB]) }] }, async (harness) => {
    assertEquals(await attempt(harness, nameOf(), { ...BOB, secret: ALICE.secret }), "0201");
    assertEquals(await attempt(harness, nameOf(), { ...BOB, name: "nobody" }), "0201");
    assertEquals(await attempt(harness, nameOf()), "0201");
    const mutual = { ...BOX, challenge: CHALLENGE };
    assertEquals(await attempt(harness, nameOf("oneway"), { ...BOB, mutual }), "0201");
    const log = harness.log.join("\n");
    assertMatch(
      log,
      /warning: 10\.0\.0\.2: login of "iqn[^"]*" refused: the secret for CHAP name "bob" is wrong/,
    );
    assertMatch(log, /CHAP name "nobody" is unknown/);
    for (const { secret } of [BOB, ALICE, BOX]) assertEquals(log.includes(secret), false);
  }));

Deno.test("0201: a CHAP name that is bound to another initiator looks like one with a wrong secret", () => {
  const friend = { initiatorName: "iqn.2000-01.a:friend" };
  const users = [{ ...BOB, initiators: [friend.initiatorName] }, ALICE];
  return withHarness({ targets: [{ name: "disk", chap: chapOf(users, BOX) }] }, async (harness) => {
    assertEquals(await attempt(harness, nameOf(), BOB, friend), "0000");
    assertEquals(await attempt(harness, nameOf(), BOB, { initiatorName: "IQN.2000-01.A:Friend" }), "0000");
    assertEquals(await attempt(harness, nameOf(), ALICE), "0000");
    const logins: string[] = [];
    for (const [host, secret] of [BOB.secret, ALICE.secret].entries()) {
      const initiator = harness.connect({ ends: { peerAddress: `10.0.1.${host}` } });
      await say(initiator, greeting(nameOf()));
      const { data } = await say(initiator, [["CHAP_A", "5"]]);
      const challenge = new Map(decodeText(data));
      const response = chapHash(
        "5",
        Number(challenge.get("CHAP_I")),
        secret,
        fromHexValue(challenge.get("CHAP_C")),
      );
      const proof: TextPairs = [
        ["CHAP_N", "bob"],
        ["CHAP_R", `0x${response.toHex()}`],
        ["CHAP_I", "1"],
        ["CHAP_C", `0x${CHALLENGE.toHex()}`],
      ];
      logins.push((await say(initiator, proof, Stage.operational)).header.toHex());
    }
    assertEquals(logins[0], logins[1]);
    const log = harness.log.join("\n");
    assertMatch(
      log,
      /login of "iqn[^"]*" refused: CHAP name "bob" is bound to other initiators, although the secret is right/,
    );
    assertEquals(log.includes(BOB.secret), false);
  });
});

Deno.test("a session whose CHAP name is bound to another initiator is one that may not stay", () =>
  withHarness({ targets: [{ name: "disk", chap: chapOf([BOB]) }] }, async (harness) => {
    await harness.connect().login({ targetName: nameOf(), chap: BOB });
    const [session] = [...harness.node.sessions()];
    const { config } = session!.target!;
    for (
      const [initiators, refused] of [[[INITIATOR_NAME], []], [["iqn.2000-01.a:friend"], [session]]] as const
    ) {
      const chap = chapOf([{ ...BOB, initiators }]);
      assertEquals(harness.node.refusedBy([{ ...config, chap }], []), [...refused]);
    }
  }));

Deno.test("0201: no algorithm that is offered is strong enough", () =>
  withHarness({ targets: [GUARDED], chap: { chapMinimum: "sha256" } }, async (harness) => {
    assertEquals(await attempt(harness, nameOf(), { ...BOB, algorithms: "5,6" }), "0201");
    assertEquals(await attempt(harness, nameOf(), { ...BOB, algorithms: "5,6,7" }), "0000");
    assertMatch(harness.log.join("\n"), /it offers CHAP_A="5,6", but no algorithm as strong as sha256/);
  }));

Deno.test("0201: who leaves CHAP out does not get past the security stage", () =>
  withHarness({ targets: [GUARDED] }, async (harness) => {
    const none = [["InitiatorName", INITIATOR_NAME], ["TargetName", nameOf()]] as const;
    const proposal = "0 0000 TargetPortalGroupTag=1 AuthMethod=CHAP";
    assertEquals(await transcript(harness, [none, []]), [proposal, "0 0201 "]);
    await assertRejects(
      () => harness.passTimeUntil(harness.connect().login({ targetName: nameOf(), hasSecurityStage: false })),
      LoginRefused,
      "0201h",
    );
    // Time and again the transition is denied, up to the limit of requests.
    const initiator = harness.connect({ ends: { peerAddress: "10.0.0.9" } });
    await say(initiator, greeting(nameOf()));
    for (let request = 1; request < Limits.loginRequests; request++) {
      const pdu = await say(initiator, [], Stage.fullFeature);
      assertEquals([pdu.flags, statusOf(pdu)], [0, "0000"]);
    }
    assertEquals(statusOf(await say(initiator, [], Stage.fullFeature)), "0200");
  }));

Deno.test("a target proposes AuthMethod to an initiator that waits for it, once (12.1)", () =>
  withHarness({ targets: [GUARDED, { name: "open" }] }, async (harness) => {
    const names = (name?: string): TextPairs => greeting(nameOf(name)).slice(0, 2);
    // With its choice the initiator sends the first keys of the exchange; only these are answered.
    const guarded = harness.connect();
    const first = await say(guarded, names());
    assertEquals(decodeText(first.data), [["TargetPortalGroupTag", "1"], ["AuthMethod", "CHAP"]]);
    const second = await say(guarded, [["AuthMethod", "CHAP"], ["CHAP_A", "5"]]);
    const [algorithm, identifier, challenge] = decodeText(second.data).map(([, value]) => value);
    assertEquals([algorithm, decodeText(second.data).length], ["5", 3]);
    const response = chapHash("5", Number(identifier), BOB.secret, fromHexValue(challenge!)).toHex();
    const last = await say(guarded, [["CHAP_N", "bob"], ["CHAP_R", `0x${response}`]], Stage.fullFeature);
    assertEquals([last.flags, statusOf(last)], [0x83, "0000"]);
    // Where nothing is asked for, that is said.
    const open = harness.connect();
    assertEquals(decodeText((await say(open, names("open"))).data).at(-1), ["AuthMethod", "None"]);
    const choice = await say(open, [["AuthMethod", "None"]], Stage.fullFeature);
    assertEquals([choice.flags, statusOf(choice), choice.data.length], [0x83, "0000", 0]);
    // An initiator that does not take it up may say nothing at all, or make an offer of its own.
    const silent = harness.connect();
    await say(silent, names("open"));
    assertEquals((await say(silent, [])).data.length, 0);
    assertEquals((await say(silent, [], Stage.fullFeature)).flags, 0x83);
    const other = harness.connect();
    await say(other, names("open"));
    const answer = await say(other, [["AuthMethod", "CHAP,None"]], Stage.fullFeature);
    assertEquals([answer.flags, decodeText(answer.data)], [0x83, [["AuthMethod", "None"]]]);
    // After an offer of the initiator's own, the proposal is void.
    const fickle = harness.connect();
    await say(fickle, names());
    await say(fickle, [["AuthMethod", "CHAP,None"]]);
    assertEquals(statusOf(await say(fickle, [["AuthMethod", "CHAP"]])), "0200");
    // What was taken is settled.
    const again = harness.connect();
    await say(again, names());
    await say(again, [["AuthMethod", "CHAP"], ["CHAP_A", "5"]]);
    assertEquals(statusOf(await say(again, [["AuthMethod", "CHAP"]])), "0200");
  }));

Deno.test("an initiator may send CHAP_A together with its offer of CHAP", () =>
  withHarness({ targets: [GUARDED, { name: "open" }] }, async (harness) => {
    for (const [name, method] of [["disk", "CHAP,None"], ["disk", "CHAP"], ["open", "CHAP"]] as const) {
      const initiator = harness.connect();
      const first = await say(initiator, [...greeting(nameOf(name), method), ["CHAP_A", "7,5"]]);
      const answers = decodeText(first.data);
      assertEquals(answers.map(([key]) => key), [
        "TargetPortalGroupTag",
        "AuthMethod",
        "CHAP_A",
        "CHAP_I",
        "CHAP_C",
      ]);
      const [, , algorithm, identifier, challenge] = answers.map(([, value]) => value);
      assertEquals(algorithm, "7");
      const response = chapHash("7", Number(identifier), BOB.secret, fromHexValue(challenge!)).toHex();
      const last = await say(initiator, [["CHAP_N", "bob"], ["CHAP_R", `0x${response}`]], Stage.fullFeature);
      assertEquals([last.flags, statusOf(last)], [0x83, "0000"]);
    }
    const wrong = harness.connect();
    await say(wrong, [...greeting(nameOf()), ["CHAP_A", "5"]]);
    assertEquals(statusOf(await say(wrong, [["CHAP_N", "bob"], ["CHAP_R", "0x00"]])), "0201");
  }));

Deno.test("0200 and 0207: keys of CHAP where they have no place", () =>
  withHarness({ targets: [GUARDED, { name: "open" }] }, async (harness) => {
    const [hello, open] = [greeting(nameOf()), greeting(nameOf("open"))];
    const challenge: TextPairs = [["CHAP_A", "5"]];
    const rows: readonly [string, readonly TextPairs[]][] = [
      // None is chosen.
      ["0200", [[...open, ...challenge]]],
      ["0200", [[...hello, ["CHAP_N", "bob"], ["CHAP_R", "0x00"]]]],
      ["0200", [open.slice(0, 2), challenge]],
      ["0200", [hello, [["CHAP_N", "bob"], ["CHAP_R", "0x00"]]]],
      ["0200", [hello, challenge, challenge]],
      ["0200", [hello, challenge, [["AuthMethod", "CHAP"]]]],
      ["0200", [hello, [...challenge, ["CHAP_A", "5"]]]],
      ["0207", [hello, challenge, [["CHAP_N", "bob"]]]],
      ["0200", [hello, challenge, [["CHAP_N", "bob"], ["CHAP_R", "garbage"]]]],
    ];
    for (const [status, steps] of rows) {
      const initiator = harness.connect();
      for (const pairs of steps.slice(0, -1)) assertEquals(statusOf(await say(initiator, pairs)), "0000");
      assertEquals(statusOf(await say(initiator, steps.at(-1)!)), status, JSON.stringify(steps));
    }
  }));

Deno.test("a target without CHAP takes None, beside one that wants CHAP", () =>
  withHarness({ targets: [GUARDED, { name: "open" }] }, async (harness) => {
    assertEquals(await attempt(harness, nameOf("open")), "0000");
    assertEquals(await attempt(harness, nameOf("open"), BOB), "0000");
    assertEquals(await attempt(harness, undefined), "0000");
  }));

for (const targetName of [nameOf("open"), undefined]) {
  const where = targetName === undefined ? "a discovery session" : "a target";
  Deno.test(`an initiator that offers nothing but CHAP is let in to ${where} that asks for nothing`, () =>
    withHarness({ targets: [GUARDED, { name: "open" }] }, async (harness) => {
      const initiator = harness.connect();
      const first = await say(initiator, greeting(targetName, "CHAP"), Stage.operational);
      assertEquals([first.flags, statusOf(first)], [0, "0000"], "the exchange is to follow");
      assertEquals(decodeText(first.data).at(-1), ["AuthMethod", "CHAP"]);
      const second = await say(initiator, [["CHAP_A", "5"]]);
      assertEquals(decodeText(second.data).map(([key]) => key), ["CHAP_A", "CHAP_I", "CHAP_C"]);
      const last = await say(initiator, [["CHAP_N", "anybody"], ["CHAP_R", "0x00"]], Stage.fullFeature);
      assertEquals([last.flags, statusOf(last)], [0x83, "0000"]);
      await initiator.nop().catch(() => {});
      const [session] = harness.node.sessions();
      assertEquals(session!.identity.proved, undefined, "nothing is proved by that");
      const debug = harness.events.filter(({ message }) => message.includes("overlooked"));
      assertEquals(debug.map(({ level }) => level), ["debug"]);
    }));
}

Deno.test("an initiator that offers nothing but CHAP in its second request goes through it before it goes on", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    await say(initiator, greeting(nameOf()).slice(0, 2));
    const second = await say(initiator, [["AuthMethod", "CHAP"]], Stage.operational);
    assertEquals([second.flags, statusOf(second)], [0, "0000"]);
    await say(initiator, [["CHAP_A", "5"]]);
    const last = await say(initiator, [["CHAP_N", "anybody"], ["CHAP_R", "0x00"]], Stage.operational);
    assertEquals([last.flags, statusOf(last)], [0x81, "0000"]);
  }));

Deno.test("an initiator that wants a proof of a target that has none is refused", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    await say(initiator, greeting(nameOf(), "CHAP"));
    await say(initiator, [["CHAP_A", "5"]]);
    const proof: TextPairs = [["CHAP_N", "anybody"], ["CHAP_R", "0x00"], ["CHAP_I", "1"], ["CHAP_C", "0x55"]];
    assertEquals(statusOf(await say(initiator, proof)), "0201");
  }));

Deno.test("discovery asks for the global secret, and lists the targets that have others", () =>
  withHarness({ targets: [GUARDED, { name: "open" }], chap: { chap: chapOf([ALICE]) } }, async (harness) => {
    assertEquals(await attempt(harness, undefined), "0201");
    assertEquals(await attempt(harness, undefined, BOB), "0201");
    const initiator = harness.connect();
    await harness.passTimeUntil(initiator.login({ chap: ALICE }));
    const targets = await initiator.sendTargets();
    assertEquals(targets.map(({ name }) => name), [nameOf(), nameOf("open")]);
  }));

Deno.test("without a secret, a target that is not there looks like one that wants CHAP", () =>
  withHarness(
    { targets: [GUARDED, { ...GUARDED, name: "others", initiators: ["iqn.2000-01.a:b"] }] },
    async (harness) => {
      const wrong: TextPairs = [["CHAP_N", "bob"], ["CHAP_R", `0x${"00".repeat(16)}`]];
      const dialogues = (name: string): TextPairs[][] => [
        [greeting(name, "None")],
        [greeting(name).slice(0, 2), []],
        [greeting(name), [["CHAP_A", "4"]]],
        [greeting(name), [["CHAP_A", "5,8"]], wrong],
        [greeting(name), [["CHAP_A", "5"]], [...wrong, ["CHAP_I", "1"], ["CHAP_C", "0x55"]]],
      ];
      const seen: string[][] = [];
      // Each from an address of its own, so that none has to wait longer than another.
      for (const [host, name] of ["disk", "others", "nowhere"].entries()) {
        const answers: string[] = [];
        for (const steps of dialogues(nameOf(name))) {
          const options = { ends: { peerAddress: `10.0.1.${host}` } };
          answers.push(...await transcript(harness, steps, options));
        }
        seen.push(answers.map((line) => line.replace(/CHAP_I=.*/, "CHAP_I=...")));
      }
      assertEquals(seen[0]!.filter((line) => line.includes("0201")).length, 5, seen[0]!.join("\n"));
      assertEquals(seen[1], seen[0]);
      assertEquals(seen[2], seen[0]);
      assertMatch(harness.log.join("\n"), /is unknown; also, there is no target "iqn/);
      assertMatch(harness.log.join("\n"), /is unknown; also, initiators of \[others\]/);
    },
  ));

Deno.test("0203: who has the global secret is told that a target is not there", () =>
  withHarness({ targets: [GUARDED], chap: { chap: chapOf([ALICE]) } }, async (harness) => {
    assertEquals(await attempt(harness, nameOf("nowhere"), ALICE), "0203");
    assertEquals(await attempt(harness, nameOf("nowhere"), BOB), "0201");
    assertEquals(await attempt(harness, nameOf("nowhere")), "0201");
  }));

Deno.test("0201: the challenge of another connection comes back", () =>
  withHarness({ targets: [GUARDED] }, async (harness) => {
    const victim = harness.connect();
    await say(victim, greeting(nameOf()));
    const { data } = await say(victim, [["CHAP_A", "5"]]);
    const challenge = fromHexValue(new Map(decodeText(data)).get("CHAP_C"));
    const mutual = { ...BOX, challenge };
    assertEquals(await attempt(harness, nameOf(), { ...BOB, mutual }), "0201");
    assertMatch(harness.log.join("\n"), /its CHAP_C is a challenge of this target/);
    await victim.close();
    await settle();
    assertEquals(await attempt(harness, nameOf(), { ...BOB, mutual }), "0000");
  }));

/** Begins a login in the security stage, without waiting for the answer. */
async function begin(served: Served, method?: string): Promise<void> {
  await served.initiator.send(loginRequest({
    isTransit: false,
    currentStage: Stage.security,
    nextStage: 0,
    isid: ISID,
    initiatorTaskTag: 1,
    cmdSn: 1,
    expStatSn: 0,
    text: encodeText(greeting(nameOf(), method)),
  }));
}

Deno.test("who has failed waits before the next login, longer each time, by address, and holds up nobody else", () =>
  withHarness({ targets: [GUARDED, { name: "open" }] }, async (harness) => {
    const fail = async (peerAddress: string): Promise<number> => {
      const served = harness.open({ ends: { peerAddress } });
      await begin(served, "None");
      const passedMs = await harness.timeUntilAnswered(served);
      assertEquals(statusOf(await served.initiator.receive()), "0201");
      return passedMs;
    };
    const first = Limits.failedLoginFirstMs;
    const times = [];
    for (let tries = 0; tries < 8; tries++) times.push(await fail("10.0.0.7"));
    assertEquals(times, [0, first, 2 * first, 4 * first, 8 * first, 4_000, 4_000, 4_000]);
    // An ESXi host that has the wrong secret for one target waits 5 s for its login to another.
    assert(Math.max(...times) < 5_000);
    assertEquals([await fail("10.0.0.8"), await fail("10.0.0.9")], [0, 0]);
    const held = harness.open({ ends: { peerAddress: "10.0.0.7" } });
    await begin(held);
    await settle();
    assertEquals(held.traffic.given, 0);
    // Neither another address has to wait nor who has nothing to prove.
    const here = harness.connect();
    await here.login({ targetName: nameOf(), chap: BOB });
    await harness.connect({ ends: { peerAddress: "10.0.0.7" } }).login({ targetName: nameOf("open") });
    assertEquals(held.traffic.given, 0);
    // Who stops the node does not wait for it either.
    await harness.node.stop();
    assert(held.isClosed());
  }));

Deno.test("many logins at once wait as long as one, and the right secret among them as long as the wrong ones", () =>
  withHarness({ targets: [GUARDED] }, async (harness) => {
    for (let tries = 0; tries < 6; tries++) assertEquals(await attempt(harness, nameOf()), "0201");
    const { connectionsInLoginPerAddress: count } = Limits;
    const crowd = Array.from({ length: count }, () => harness.open());
    for (const served of crowd) await begin(served);
    harness.clock.advance(Limits.failedLoginMaxMs - 1);
    await settle();
    assertEquals(crowd.map(({ traffic }) => traffic.given), new Array(count).fill(0));
    // One more takes the place of another, which has learned nothing, and has all of the time before it.
    const late = harness.open();
    await begin(late);
    await settle();
    assert(crowd[0]!.isClosed());
    assertEquals(await harness.timeUntilAnswered(late), Limits.failedLoginMaxMs);
    assertEquals(crowd.filter(({ traffic }) => traffic.given > 0).length, count - 1);
  }));

Deno.test("a session is not taken away by who has another secret", () =>
  withHarness({ targets: [GUARDED] }, async (harness) => {
    const initiator = harness.connect();
    const { tsih } = await initiator.login({ targetName: nameOf(), chap: BOB });
    assertEquals(await attempt(harness, nameOf(), ALICE), "0202");
    await assertRejects(
      () => harness.connect().login({ targetName: nameOf(), chap: ALICE, tsih, connectionId: 1 }),
      LoginRefused,
      "020ah",
    );
    await initiator.nop();
    assertEquals(await attempt(harness, nameOf(), BOB), "0000");
    assertEquals((await initiator.receiveEnd()).length, 0);
  }));

Deno.test("each connection of a session proves who it is, and learns nothing of the session before", () =>
  withHarness({ targets: [GUARDED] }, async (harness) => {
    const { tsih, initiators } = await harness.logInSession(3, { chap: BOB });
    for (const initiator of initiators) await initiator.nop();
    const seen: unknown[] = [];
    for (const claimed of [tsih, tsih + 1]) {
      const initiator = harness.connect();
      for (const pairs of [greeting(nameOf()), [["CHAP_A", "5"]] as const]) {
        const pdu = await say(initiator, pairs, Stage.security, claimed);
        const text = decodeText(pdu.data).filter(([key]) => key !== "CHAP_C" && key !== "CHAP_I");
        seen.push([pdu.flags, statusOf(pdu), pdu.expCmdSn, pdu.maxCmdSn, text]);
      }
    }
    assertEquals(seen.slice(2), seen.slice(0, 2));
    for (const initiator of initiators) await initiator.nop();
  }));

Deno.test("0204: who might use a target that was removed is told so, and nobody else", () =>
  withHarness({ targets: [{ name: "old", alias: "older" }, { name: "stays" }] }, async (harness) => {
    const friend = { initiatorName: "iqn.2000-01.a:friend" };
    const hidden = { name: "hidden", initiators: [friend.initiatorName] };
    const near = { name: "near", networks: ["192.168.0.0/16"] };
    const moved = { name: "moved", redirect: { targetAddress: "192.0.2.1:3260", isPermanent: true } };
    harness.serveInstead([{ name: "stays", alias: "old" }, hidden, near, moved]);
    assertEquals(await attempt(harness, nameOf("older")), "0204");
    assertEquals(await attempt(harness, nameOf("old")), "0000");
    harness.serveInstead([]);
    const ask = (name: string): Promise<string[]> => transcript(harness, [greeting(nameOf(name), "None")]);
    assertEquals(await ask("old"), ["0 0204 "]);
    assertEquals(await ask("moved"), ["0 0204 "]);
    const never = await ask("nowhere");
    assertEquals(never, ["0 0203 "]);
    assertEquals([await ask("hidden"), await ask("near")], [never, never]);
    assertEquals(
      await attempt(harness, nameOf("hidden"), undefined, friend),
      "0204",
    );
    assertMatch(harness.log.join("\n"), /refused: target "iqn[^"]*:old" has been removed/);
    assertEquals(harness.node.snapshot().refusals.totals.target, 7);
    // A name that comes back is what it was, and is removed again with its new rules.
    harness.serveInstead([{ name: "old" }, { ...hidden, initiators: ["iqn.2000-01.a:other"] }]);
    assertEquals(await attempt(harness, nameOf("old")), "0000");
    harness.serveInstead([]);
    assertEquals(
      await attempt(harness, nameOf("hidden"), undefined, friend),
      "0203",
    );
  }));

Deno.test("0204: without a secret, a target that was removed looks like one that never was", () =>
  withHarness({ targets: [{ name: "stays" }, GUARDED, { name: "open" }] }, async (harness) => {
    harness.serveInstead([{ name: "stays" }, { name: "open" }]);
    const wrong: TextPairs = [["CHAP_N", "bob"], ["CHAP_R", `0x${"00".repeat(16)}`]];
    const seen: string[][] = [];
    for (const [host, name] of ["disk", "nowhere"].entries()) {
      const options = { ends: { peerAddress: `10.0.1.${host}` } };
      const answers = [
        ...await transcript(harness, [greeting(nameOf(name), "None")], options),
        ...await transcript(harness, [greeting(nameOf(name)), [["CHAP_A", "5"]], wrong], options),
      ];
      seen.push(answers.map((line) => line.replace(/CHAP_I=.*/, "CHAP_I=...")));
    }
    assertEquals(seen[0]!.filter((line) => line.includes("0201")).length, 2, seen[0]!.join("\n"));
    assertEquals(seen[1], seen[0]);
    assertEquals(await attempt(harness, nameOf(), BOB), "0204");
    assertEquals(await attempt(harness, nameOf("nowhere"), BOB), "0201");
    assertEquals(await attempt(harness, nameOf("open")), "0000");
  }));

Deno.test("0204: a target is removed while an initiator proves who it is", () =>
  withHarness({ targets: [GUARDED] }, async (harness) => {
    const initiator = harness.connect();
    await say(initiator, greeting(nameOf()));
    const { data } = await say(initiator, [["CHAP_A", "5"]]);
    const challenge = new Map(decodeText(data));
    harness.serveInstead([]);
    const response = chapHash(
      "5",
      Number(challenge.get("CHAP_I")),
      BOB.secret,
      fromHexValue(challenge.get("CHAP_C")),
    );
    const proof: TextPairs = [["CHAP_N", "bob"], ["CHAP_R", `0x${response.toHex()}`]];
    assertEquals(statusOf(await say(initiator, proof, Stage.fullFeature)), "0204");
    assertEquals(harness.node.holdings.sessions, 0);
  }));

Deno.test("a login is redirected, after the initiator has proved what it had to", () =>
  withHarness({
    targets: [
      { name: "open", redirect: { targetAddress: "192.0.2.1:3261", isPermanent: false } },
      { ...GUARDED, redirect: { targetAddress: "[2001:db8::1]:3260", isPermanent: true } },
      {
        name: "hidden",
        initiators: ["iqn.2000-01.a:b"],
        redirect: { targetAddress: "192.0.2.9:3260", isPermanent: true },
      },
    ],
  }, async (harness) => {
    const open = await transcript(harness, [greeting(nameOf("open"))]);
    assertEquals(open, ["0 0101 TargetAddress=192.0.2.1:3261"]);
    // Whom the target is not for is asked for proof like everybody, and does not learn that it has moved.
    assertEquals((await transcript(harness, [greeting(nameOf("hidden"))]))[0]!.includes("0102"), false);
    assertEquals(await attempt(harness, nameOf(), { ...BOB, secret: "another secret" }), "0201");
    const refusal = await assertRejects(
      () => harness.passTimeUntil(harness.connect().login({ targetName: nameOf(), chap: BOB })),
      LoginRefused,
    );
    assertEquals(refusal.status, 0x0102);
    assertEquals(decodeText(refusal.pdu.data), [["TargetAddress", "[2001:db8::1]:3260"]]);
    assert(
      harness.log.some((line) =>
        line.startsWith("info: ") && line.includes("redirected: [disk] is permanently at [2001")
      ),
    );
    const initiator = harness.connect();
    await initiator.login();
    assertEquals((await initiator.sendTargets()).map(({ name }) => name), [nameOf("open"), nameOf()]);
  }));
