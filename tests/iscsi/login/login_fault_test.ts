/** A fault of the target itself during a login (RFC 7143, 11.13.5: 0300h), and its consequences. */
import { assertEquals, assertRejects } from "@std/assert";
import type { ChapConfig } from "../../../lib/config/chap.ts";
import { Secret } from "../../../lib/config/secret.ts";
import { INITIATOR_NAME, LoginRefused } from "../../support/initiator_login.ts";
import { Harness, nameOf, withHarness } from "../../support/harness.ts";

const BOB = { name: "bob", secret: "bobsecret123" };
const SECRET = new Secret(new TextEncoder().encode(BOB.secret));
const CHAP: ChapConfig = {
  accounts: new Map([["bob", { name: "bob", secret: SECRET, initiators: [] }]]),
  mutual: undefined,
};

/** A source of random bytes whose calls after the first `after` fail, `failures` times. */
function failingBytes(after: number, failures: number): (length: number) => Uint8Array {
  const state = { calls: 0 };
  return (length) => {
    state.calls++;
    if (state.calls > after && state.calls <= after + failures) throw new Error("no random bytes");
    return new Uint8Array(length).fill(state.calls);
  };
}

async function statusOf(login: Promise<unknown>): Promise<number> {
  return (await assertRejects(() => login, LoginRefused)).status;
}

Deno.test("0300: a source of random bytes that fails costs one login, and nobody else notices", () =>
  withHarness({
    targets: [{ name: "open" }, { name: "disk", chap: CHAP }],
    randomBytes: failingBytes(2, 1),
  }, async (harness) => {
    const calm = await harness.logIn({ targetName: nameOf("open"), initiatorName: "iqn.2000-01.a:calm" });
    const early = harness.connect();
    await early.login({ targetName: nameOf(), chap: BOB });
    const before = harness.node.holdings;
    const unlucky = harness.open();
    assertEquals(await statusOf(unlucky.initiator.login({ targetName: nameOf(), chap: BOB })), 0x0300);
    await unlucky.served;
    assertEquals(harness.node.holdings, before);
    await calm.nop();
    await early.nop();
    const message = `login of "${INITIATOR_NAME}" refused: the target has failed: no random bytes`;
    assertEquals(harness.log.filter((line) => line.startsWith("error")), [`error: 10.0.0.2: ${message}`]);
    const { details } = harness.events.find(({ level }) => level === "error")!;
    assertEquals([details?.event, details?.initiator, details?.reason], [
      "loginRefused",
      INITIATOR_NAME,
      "fault",
    ]);
    const { totals, recent } = harness.node.snapshot().refusals;
    assertEquals([totals.fault, recent[0]!.reason, recent[0]!.initiatorName], [1, "fault", INITIATOR_NAME]);
    // It was the target's fault, not the initiator's: the next login is answered without delay.
    await harness.connect().login({ targetName: nameOf(), chap: BOB });
  }));

Deno.test("0300: the same while it is looked who may come in, by whatever login", () =>
  withHarness({ targets: [{}] }, async (harness) => {
    // A malformed address cannot be matched, and no login from it is admitted.
    const unknown = { ends: { peerAddress: "nowhere" } };
    assertEquals(await statusOf(harness.connect(unknown).login({ targetName: nameOf() })), 0x0300);
    const fast = harness.connect(unknown).login({ targetName: nameOf(), hasSecurityStage: false });
    assertEquals(await statusOf(fast), 0x0300);
    assertEquals(harness.node.snapshot().refusals.totals.fault, 2);
    await harness.logIn();
  }));

Deno.test("a fault while a session begins ends the target, and tells the initiator nothing", async () => {
  const harness = new Harness();
  const { initiator, served } = harness.open();
  harness.clock.now = () => {
    throw new Error("no time");
  };
  await assertRejects(() => initiator.login({ targetName: nameOf() }), Error, "closed");
  await assertRejects(() => served, Error, "no time");
  await initiator.close();
});
