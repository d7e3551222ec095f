/**
 * Random logins with legal keys in any order, cut anywhere, on any path through the stages: each key gets the answer
 * that the standard gives for it alone (RFC 7143, 6.2, 6.3 and 13).
 *
 * `FUZZ_RUNS` makes it longer, `FUZZ_SEED` repeats a run that failed (with `FUZZ_RUNS=1`).
 */
import { assertEquals } from "@std/assert";
import { numberFromEnvironment, Random } from "../../support/seeded_random.ts";
import type { Initiator } from "../../support/initiator.ts";
import { INITIATOR_NAME, ISID, Stage } from "../../support/initiator_login.ts";
import { Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import { loginRequest } from "../../support/initiator_request.ts";
import { decodeText, encodeText, joinBytes, type TextPairs } from "../../support/initiator_text.ts";
import { nameOf, withHarness } from "../../support/harness.ts";

const SEED = numberFromEnvironment("FUZZ_SEED", 6200);
const RUNS = numberFromEnvironment("FUZZ_RUNS", 150);

type Answer = (offer: string) => string | undefined;

function smaller(ours: number): Answer {
  return (offer) => String(Math.min(Number(offer), ours));
}

function greater(ours: number): Answer {
  return (offer) => String(Math.max(Number(offer), ours));
}

/** Values of each key, and what the standard makes of one together with what this target wants. */
const KEYS: Readonly<Record<string, readonly [values: readonly string[], answer: Answer]>> = {
  MaxConnections: [["1", "2", "8", "100"], smaller(8)],
  InitialR2T: [["Yes", "No"], (offer) => offer],
  ImmediateData: [["Yes", "No"], (offer) => offer],
  MaxRecvDataSegmentLength: [["512", "8192", "0x10000", "16777215"], () => undefined],
  MaxBurstLength: [["512", "65536", "1048576", "16776192", "0xffffff"], smaller(1_048_576)],
  DefaultTime2Wait: [["0", "2", "3600"], greater(0)],
  DefaultTime2Retain: [["0", "20", "3600"], smaller(0)],
  MaxOutstandingR2T: [["1", "8", "65535"], smaller(8)],
  DataPDUInOrder: [["Yes", "No"], () => "Yes"],
  DataSequenceInOrder: [["Yes", "No"], () => "Yes"],
  ErrorRecoveryLevel: [["0", "1", "2"], smaller(0)],
  TaskReporting: [["RFC3720", "FastAbort,RFC3720"], () => "RFC3720"],
  iSCSIProtocolLevel: [["0", "1", "2", "31"], smaller(2)],
  IFMarker: [["Yes", "No"], () => "No"],
  OFMarkInt: [["2048~65535"], () => "Reject"],
  InitiatorAlias: [["somebody", ""], () => undefined],
  "X-com.example.a": [["1", ""], () => "NotUnderstood"],
  "X#private": [["1"], () => "NotUnderstood"],
  "Some.later-key": [["x"], () => "NotUnderstood"],
};

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const order = [...items];
  for (let index = order.length - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [order[index], order[other]] = [order[other]!, order[index]!];
  }
  return order;
}

async function exchange(
  initiator: Initiator,
  step: Partial<Parameters<typeof loginRequest>[0]>,
): Promise<Pdu> {
  const common = { currentStage: Stage.operational, nextStage: 0, isTransit: false, isid: ISID };
  const numbers = { initiatorTaskTag: 1, cmdSn: 1, expStatSn: initiator.expStatSn };
  await initiator.send(loginRequest({ ...common, ...numbers, ...step }));
  const pdu = await initiator.receive();
  assertEquals([pdu.opcode, pdu.statusClass, pdu.statusDetail], [Opcode.loginResponse, 0, 0]);
  return pdu;
}

/** Sends the text of a stage in pieces that end anywhere, and returns the whole answer. */
async function converse(
  initiator: Initiator,
  random: Random,
  text: Uint8Array,
  [currentStage, nextStage]: readonly [number, number],
): Promise<TextPairs> {
  const cuts = Array.from({ length: random.below(5) }, () => random.below(text.length + 1));
  const bounds = [0, ...cuts.sort((a, b) => a - b), text.length];
  const answers: Uint8Array[] = [];
  for (let index = 1; index < bounds.length; index++) {
    const isLast = index === bounds.length - 1;
    const piece = text.subarray(bounds[index - 1], bounds[index]);
    const transition = isLast ? { isTransit: true, nextStage } : { isContinued: true };
    const pdu = await exchange(initiator, { currentStage, ...transition, text: piece });
    assertEquals([pdu.isTransit, pdu.isContinued], [isLast, false]);
    assertEquals(!isLast && pdu.data.length > 0, false, "continued text is answered when it is complete");
    answers.push(pdu.data);
  }
  return decodeText(joinBytes(answers));
}

/** The keys that the target declares besides its answers. */
const DECLARED = ["TargetAlias", "TargetPortalGroupTag", "MaxRecvDataSegmentLength"];

async function runOnce(random: Random): Promise<void> {
  await withHarness({}, async (harness) => {
    const initiator = harness.connect();
    const chosen = Object.entries(KEYS).filter(() => random.oneIn(2));
    const offers = shuffled(
      random,
      chosen.map(([key, [values]]): [string, string] => [key, random.pick(values)]),
    );
    const names: TextPairs = shuffled(random, [["InitiatorName", INITIATOR_NAME], ["TargetName", nameOf()]]);
    const hasSecurity = random.oneIn(2);
    const answers: [string, string][] = [];
    if (hasSecurity) {
      const text = encodeText(shuffled(random, [...names, ["AuthMethod", "None"]]));
      answers.push(
        ...await converse(initiator, random, text, [Stage.security, Stage.operational]) as typeof answers,
      );
    }
    const text = encodeText(hasSecurity ? offers : shuffled(random, [...names, ...offers]));
    answers.push(
      ...await converse(initiator, random, text, [Stage.operational, Stage.fullFeature]) as typeof answers,
    );
    const expected = offers.flatMap(([key, offer]): [string, string][] => {
      const answer = KEYS[key]![1](offer);
      return answer === undefined ? [] : [[key, answer]];
    });
    const answered = answers.filter(([key]) => !DECLARED.includes(key) && key !== "AuthMethod");
    assertEquals(new Map(answered), new Map(expected));
    assertEquals(answered.length, expected.length, "each offer is answered once");
    assertEquals((await initiator.nop()).opcode, Opcode.nopIn);
  });
}

Deno.test("legal offers are answered as the standard says, in any order, cut anywhere, on any path", async () => {
  for (let index = 0; index < RUNS; index++) {
    const seed = (SEED + index) >>> 0;
    try {
      await runOnce(new Random(seed));
    } catch (cause) {
      throw new Error(`Failed with FUZZ_SEED=${seed} FUZZ_RUNS=1: ${cause}`, { cause });
    }
  }
});

Deno.test("a login may be cut at every byte of its text", () =>
  withHarness({}, async (harness) => {
    const text = encodeText([["InitiatorName", INITIATOR_NAME], ["TargetName", nameOf()], [
      "InitialR2T",
      "No",
    ]]);
    for (let cut = 0; cut <= text.length; cut++) {
      const initiator = harness.connect();
      await exchange(initiator, { isContinued: true, text: text.subarray(0, cut) });
      const last = { isTransit: true, nextStage: Stage.fullFeature, text: text.subarray(cut) };
      const answers = new Map(decodeText((await exchange(initiator, last)).data));
      assertEquals([answers.get("InitialR2T"), answers.get("TargetPortalGroupTag")], ["No", "1"]);
      await initiator.close();
    }
  }));

Deno.test("every order of keys that depend on one another settles the same", async () => {
  const offers: TextPairs = [
    ["FirstBurstLength", "262144"],
    ["MaxBurstLength", "8192"],
    ["InitialR2T", "No"],
    ["ImmediateData", "No"],
  ];
  const orders = offers.flatMap((a) =>
    offers.flatMap((b) => offers.flatMap((c) => offers.map((d) => [a, b, c, d])))
  )
    .filter((order) => new Set(order).size === offers.length);
  assertEquals(orders.length, 24);
  await withHarness({}, async (harness) => {
    for (const order of orders) {
      const initiator = harness.connect();
      const { answered } = await initiator.login({
        targetName: nameOf(),
        keys: { ...NO_KEYS, ...Object.fromEntries(order) },
      });
      const map = new Map(answered);
      assertEquals(offers.map(([key]) => map.get(key)), ["8192", "8192", "No", "No"]);
      await initiator.close();
    }
  });
});

/** Overrides that remove the default keys of a login. */
const NO_KEYS = {
  MaxRecvDataSegmentLength: undefined,
  MaxOutstandingR2T: undefined,
  MaxConnections: undefined,
};
