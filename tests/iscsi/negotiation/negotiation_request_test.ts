/** The target asks for a negotiation (RFC 7143, 11.9.1, event 4), through the whole node. */
import { assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import type { NegotiationOutcome } from "../../../lib/iscsi/negotiation/negotiation_request.ts";
import type { Session } from "../../../lib/iscsi/session/session.ts";
import type { Initiator } from "../../support/initiator.ts";
import { testUnitReady } from "../../support/initiator_cdb.ts";
import { NO_TAG, Opcode, type Pdu } from "../../support/initiator_pdu.ts";
import { LogoutReason, textRequest } from "../../support/initiator_request.ts";
import { ScsiStatus } from "../../support/initiator_sense.ts";
import { decodeText, encodeText, type TextPairs } from "../../support/initiator_text.ts";
import {
  asynchronousMessage,
  drain,
  type Harness,
  nameOf,
  numbered,
  settle,
  withHarness,
} from "../_harness.ts";

const SECONDS = Limits.negotiationSeconds;
const ASKED = [4, 0, 0, SECONDS];
/** Nobody is pinged, however long nothing happens. */
const SETTING = { targets: [{ comment: "a disk" }], ping: { pingSeconds: 0, pingTimeoutSeconds: 30 } };
const DECLARED: TextPairs = [["TargetAlias", "a disk"], ["MaxRecvDataSegmentLength", "262144"]];

/** Asks the initiator of the one session, and says at any time what has come of it. */
function ask({ node }: Harness): { readonly outcome: () => NegotiationOutcome | undefined } {
  let outcome: NegotiationOutcome | undefined;
  const [session] = [...node.sessions()] as [Session];
  session.requestNegotiation().then((result) => outcome = result);
  return { outcome: () => outcome };
}

async function assertAsked(initiator: Initiator): Promise<void> {
  assertEquals(asynchronousMessage(await initiator.receive()), ASKED);
}

/** Sends one Text Request, and returns what is answered. */
async function exchange(
  initiator: Initiator,
  pairs: TextPairs,
  { targetTransferTag = NO_TAG, isFinal = true } = {},
): Promise<Pdu> {
  const request = { ...numbered(initiator), isFinal, targetTransferTag, text: encodeText(pairs) };
  await initiator.send(textRequest(request));
  return await initiator.receive();
}

Deno.test("an empty Text Request is answered with what the target declares, once and for this time only", () =>
  withHarness(SETTING, async (harness) => {
    const initiator = await harness.logIn();
    assertEquals(await initiator.text([]), []);
    const { outcome } = ask(harness);
    const again = ask(harness);
    await assertAsked(initiator);
    assertEquals(await drain(initiator), [], "who is waited for is not asked a second time");
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    assertEquals(outcome(), undefined);
    assertEquals(await initiator.text([]), DECLARED);
    await settle();
    assertEquals([outcome(), again.outcome()], ["negotiated", "negotiated"]);
    assertEquals(await initiator.text([]), []);
    harness.clock.advance(10 * SECONDS * 1000);
    assertEquals(await drain(initiator), []);
  }));

Deno.test("what an initiator offers is answered besides, and holds", () =>
  withHarness(SETTING, async (harness) => {
    const initiator = await harness.logIn();
    const { outcome } = ask(harness);
    await assertAsked(initiator);
    const first = await exchange(initiator, [["MaxRecvDataSegmentLength", "512"]], { isFinal: false });
    assertEquals([first.isFinal, decodeText(first.data)], [false, DECLARED]);
    await settle();
    assertEquals(outcome(), undefined, "the exchange goes on");
    const { targetTransferTag } = first;
    const last = await exchange(initiator, [["MaxBurstLength", "512"]], { targetTransferTag });
    assertEquals([last.isFinal, decodeText(last.data)], [true, [["MaxBurstLength", "Reject"]]]);
    await settle();
    assertEquals(outcome(), "negotiated");
    const [connection] = harness.node.snapshot().sessions[0]!.connections;
    assertEquals(connection!.parameters.initiatorMaxRecvDataSegmentLength, 512);
  }));

Deno.test("who does nothing is asked once more, and then left alone with what it knows", () =>
  withHarness(SETTING, async (harness) => {
    const initiator = await harness.logIn();
    const { clock } = harness;
    clock.advance(Limits.loginMs);
    const { outcome } = ask(harness);
    await assertAsked(initiator);
    clock.advance(SECONDS * 1000 - 1);
    assertEquals(await drain(initiator), []);
    clock.advance(1);
    await assertAsked(initiator);
    clock.advance(SECONDS * 1000 - 1);
    await drain(initiator);
    assertEquals(outcome(), undefined);
    clock.advance(1);
    await settle();
    // What is left is the look at all connections.
    assertEquals([outcome(), clock.waiting], ["silent", 1]);
    clock.advance(10 * SECONDS * 1000);
    assertEquals(await drain(initiator), []);
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, ScsiStatus.good);
    assertEquals(await initiator.text([]), [], "what nobody asks for any more is not declared");
  }));

Deno.test("an answer to the second message is one", () =>
  withHarness(SETTING, async (harness) => {
    const initiator = await harness.logIn();
    const { outcome } = ask(harness);
    await assertAsked(initiator);
    harness.clock.advance(SECONDS * 1000);
    await assertAsked(initiator);
    assertEquals(await initiator.text([]), DECLARED);
    await settle();
    assertEquals(outcome(), "negotiated");
  }));

Deno.test("a logout honours the message, and so does a connection that is lost", async () => {
  for (const leave of [(one: Initiator) => one.logout(), (one: Initiator) => one.close()]) {
    await withHarness(SETTING, async (harness) => {
      const { initiator, served } = harness.open();
      await initiator.login({ targetName: nameOf() });
      const { outcome } = ask(harness);
      await assertAsked(initiator);
      await leave(initiator);
      await served;
      assertEquals([outcome(), harness.clock.waiting], ["loggedOut", 0]);
    });
  }
});

Deno.test("an exchange that is rejected or abandoned, or was answered before, is no negotiation", () =>
  withHarness(SETTING, async (harness) => {
    const initiator = await harness.logIn();
    const before = await exchange(initiator, [["X-a", "1"]], { isFinal: false });
    const { outcome } = ask(harness);
    await assertAsked(initiator);
    // What is left of it may well carry the declarations.
    const abandoned = await exchange(initiator, [["X-b", "1"]], {
      isFinal: false,
      targetTransferTag: before.targetTransferTag,
    });
    assertEquals(decodeText(abandoned.data), [...DECLARED, ["X-b", "NotUnderstood"]]);
    const rejected = textRequest({
      ...numbered(initiator, true),
      isFinal: true,
      text: new TextEncoder().encode("nonsense\0"),
    });
    await initiator.send(rejected);
    assertEquals((await initiator.receive()).opcode, Opcode.reject);
    await settle();
    assertEquals(outcome(), undefined);
    assertEquals(await initiator.text([]), DECLARED);
    await settle();
    assertEquals(outcome(), "negotiated");
  }));

Deno.test("every connection of a session is asked, and each answers for itself", () =>
  withHarness(SETTING, async (harness) => {
    const { initiators } = await harness.logInSession(3);
    const [first, second, third] = initiators as [Initiator, Initiator, Initiator];
    const { outcome } = ask(harness);
    for (const initiator of initiators) await assertAsked(initiator);
    assertEquals(await first.text([]), DECLARED);
    assertEquals(await third.logout(LogoutReason.closeConnection, 2), 0);
    await settle();
    assertEquals(outcome(), undefined);
    assertEquals(await second.text([]), DECLARED);
    await settle();
    assertEquals(outcome(), "negotiated");
    const next = ask(harness);
    for (const initiator of [first, second]) await assertAsked(initiator);
    assertEquals(await second.text([]), DECLARED);
    harness.clock.advance(SECONDS * 1000);
    await assertAsked(first);
    assertEquals(await drain(second), [], "who has answered is not asked again");
    harness.clock.advance(SECONDS * 1000);
    await settle();
    assertEquals(next.outcome(), "silent");
  }));

Deno.test("who is to log out is not asked for a negotiation besides", () =>
  withHarness(SETTING, async (harness) => {
    const initiator = await harness.logIn();
    const [session] = [...harness.node.sessions()];
    session!.requestLogout(5);
    assertEquals(asynchronousMessage(await initiator.receive()), [1, 0, 0, 5]);
    const { outcome } = ask(harness);
    assertEquals(await drain(initiator), []);
    harness.clock.advance(5000);
    await initiator.receiveEnd();
    await settle();
    assertEquals(outcome(), "loggedOut");
  }));
