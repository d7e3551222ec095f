/** The names that initiators give themselves (RFC 7143, 4.2.7), from the login to the log and the status. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { formatInitiatorName } from "../../../lib/config/iscsi_name.ts";
import { readInitiatorNames } from "../../../lib/config/initiator_list.ts";
import { escapeControls } from "../../../lib/iscsi/events/peer_text.ts";
import { LoginRefused } from "../../support/initiator_login.ts";
import { type Harness, nameOf, withHarness } from "../../support/harness.ts";
import { settle } from "../../support/until.ts";

/** Names that QEMU makes of the names of virtual machines, as they are compared. */
const ODD_NAMES: Readonly<Record<string, string>> = {
  "iqn.2008-11.org.linux-kvm:Web Server 1": "iqn.2008-11.org.linux-kvm:web server 1",
  "iqn.2008-11.org.linux-kvm:vm(1)": "iqn.2008-11.org.linux-kvm:vm(1)",
  "iqn.2008-11.org.linux-kvm:a,b;c": "iqn.2008-11.org.linux-kvm:a,b;c",
  "iqn.2008-11.org.linux-kvm:B\u00dcRO \u732b": "iqn.2008-11.org.linux-kvm:b\u00fcro \u732b",
  'iqn.2008-11.org.linux-kvm:"x" \\ `y` $z \'': 'iqn.2008-11.org.linux-kvm:"x" \\ `y` $z \'',
  "iqn.2008-11.org.my_domain..x.:a": "iqn.2008-11.org.my_domain..x.:a",
  "IQN.2008-11.ORG.linux-kvm:#1 = [a]": "iqn.2008-11.org.linux-kvm:#1 = [a]",
};

const HOSTILE_NAMES = [
  "iqn.2008-11.org.linux-kvm:a\nerror: forged",
  "iqn.2008-11.org.linux-kvm:\x1b[31mred",
  "iqn.2008-11.org.linux-kvm:a\u202eb",
  "iqn.2008-11.org.linux-kvm:a\u2028b",
  "iqn.2008-11.org.linux-kvm:a\x7f",
  `iqn.2008-11.org.linux-kvm:${"a".repeat(224)}`,
  "iqn.2008-11.org.linux-kvm:a iqn.2000-01.b:c",
  "iqn.2008-11.org.linux-kvm:a,IQN.2000-01.b:c",
  "iqn.2008-11.org.linux-kvm:a,i,0x000000000001",
  "iqn.2008-11.org.linux-kvm:a ",
];

async function logIn(harness: Harness, initiatorName: string): Promise<void> {
  await harness.connect().login({ targetName: nameOf(), initiatorName });
}

Deno.test("an initiator with an odd name logs in, is named once in the log, and is the same in capitals", () =>
  withHarness({ targets: [{ initiators: Object.values(ODD_NAMES) }] }, async (harness) => {
    for (const [name, folded] of Object.entries(ODD_NAMES)) {
      harness.events.length = 0;
      await logIn(harness, name);
      await logIn(harness, name.toUpperCase());
      await settle();
      const { sessions } = harness.node.snapshot();
      assertEquals(sessions.filter(({ initiatorName }) => initiatorName === folded).length, 1);
      const messages = harness.events.map(({ message }) => message);
      const shown = `10.0.0.2 (${formatInitiatorName(folded)}) at [disk]`;
      assert(messages.includes(`${shown}: session begins`), messages.join("\n"));
      assert(messages.includes(`${shown}: session is reinstated by its initiator`), messages.join("\n"));
      const overlooked = messages.filter((message) => message.includes("overlooked"));
      // Once for each of the two connections.
      assertEquals(
        overlooked,
        Array(2).fill("10.0.0.2: overlooked: its name has a form that RFC 7143 prohibits"),
      );
    }
    assertEquals(harness.node.snapshot().sessions.length, Object.keys(ODD_NAMES).length);
  }));

Deno.test("a refused initiator is named in the log as the conf lists it", () =>
  withHarness({ targets: [{ initiators: ["iqn.2000-01.a:b"] }] }, async (harness) => {
    for (const [name, folded] of Object.entries(ODD_NAMES)) {
      await assertRejects(() => logIn(harness, name), LoginRefused);
      const { rule, initiatorName } = harness.node.snapshot().refusals.recent[0]!;
      assertEquals(initiatorName, folded);
      const [, listed] = /^initiators of \[disk\] does not list (.*)$/.exec(rule)!;
      assertEquals(readInitiatorNames(listed!), { names: [folded], problems: [] });
      assertEquals(harness.events.at(-1)!.message, `10.0.0.2: login of ${listed} refused: ${rule}`);
    }
  }));

Deno.test("0200: a name that could be taken for another, or that could forge a line, is refused and escaped", () =>
  withHarness({}, async (harness) => {
    for (const name of HOSTILE_NAMES) {
      const refusal = await assertRejects(() => logIn(harness, name), LoginRefused);
      assertEquals(refusal.status, 0x0200);
      const { message } = harness.events.at(-1)!;
      assert(message.startsWith('10.0.0.2: InitiatorName "iqn.2008'), message);
      assert(!/[\p{Cc}\p{Zl}\p{Bidi_Control}]/u.test(escapeControls(message)), message);
      assertEquals(harness.node.snapshot().refusals.recent[0]!.initiatorName, null);
    }
    assertEquals(harness.node.snapshot().sessions, []);
  }));
