/**
 * A session with both digests, byte by byte: one PDU of every kind (RFC 7143, 11), in either direction.
 *
 * A header is six lines of two words, and additional header segments; the header digest is behind it, then the data
 * segment with its padding, and the data digest.
 */
import { assertEquals } from "@std/assert";
import { Digests } from "../../../lib/iscsi/wire/digests.ts";
import { ReplyWriter } from "../../../lib/iscsi/wire/reply_writer.ts";
import { digestKeys, type DigestUse, withDigests } from "../../support/initiator_digest.ts";
import { joinBytes } from "../../support/initiator_text.ts";
import { bytesOf } from "../_golden.ts";
import { nameOf, withHarness } from "../../support/harness.ts";

/** A message: `>` to the target, `<` from it. */
interface Step {
  readonly way: ">" | "<";
  readonly what: string;
  readonly pdu: string;
}

const BOTH: DigestUse = { header: true, data: true };

const EXCHANGE: readonly Step[] = [
  {
    way: ">",
    what: "SCSI Command",
    pdu: `
      01810000 00000000
      00000000 00000000
      00000002 00000000
      00000001 00000002
      00000000 00000000
      00000000 00000000
      fe353d03  header digest
    `,
  },
  {
    way: "<",
    what: "SCSI Response with sense data: the data digest covers it",
    pdu: `
      21800002 00000014
      00000000 00000000
      00000002 00000000
      00000002 00000002
      00000081 00000000
      00000000 00000000
      a01dc076  header digest
      00127000 06000000
      000a0000 00002900
      00000000
      ca039719  data digest
    `,
  },
  {
    way: ">",
    what: "SCSI Command with immediate data: the data digest covers its padding, too",
    pdu: `
      01a10000 00000003
      00000000 00000000
      00000003 00000008
      00000002 00000003
      42000000 00000000
      08000000 00000000
      99375837  header digest
      00060000
      d0bdd699  data digest
    `,
  },
  {
    way: "<",
    what: "R2T for the rest",
    pdu: `
      31800000 00000000
      00000000 00000000
      00000003 00000001
      00000003 00000003
      00000081 00000000
      00000003 00000005
      28fee8c9  header digest
    `,
  },
  {
    way: ">",
    what: "Data-Out",
    pdu: `
      05800000 00000005
      00000000 00000000
      00000003 00000001
      00000000 00000003
      00000000 00000000
      00000003 00000000
      9ec835aa  header digest
      00000000 00000000
      8ab2288c  data digest
    `,
  },
  {
    way: "<",
    what: "SCSI Response",
    pdu: `
      21800000 00000000
      00000000 00000000
      00000003 00000000
      00000003 00000003
      00000082 00000000
      00000000 00000000
      437f150c  header digest
    `,
  },
  {
    way: ">",
    what: "SCSI Command with an additional header segment: the header digest is behind it",
    pdu: `
      01c10000 05000000
      00000000 00000000
      00000004 00000008
      00000003 00000004
      7f000000 00000018
      00090000 00000000
      00110100 00000000
      00000000 00000000
      00000001
      24b29687  header digest
    `,
  },
  {
    way: "<",
    what: "SCSI Response with sense data",
    pdu: `
      21820002 00000014
      00000000 00000000
      00000004 00000000
      00000004 00000004
      00000083 00000000
      00000000 00000008
      7cdf26d3  header digest
      00127000 05000000
      000a0000 00002000
      00000000
      3f105985  data digest
    `,
  },
  {
    way: ">",
    what: "SCSI Command: READ CAPACITY (10)",
    pdu: `
      01c10000 00000000
      00000000 00000000
      00000005 00000008
      00000004 00000005
      25000000 00000000
      00000000 00000000
      a3b96b92  header digest
    `,
  },
  {
    way: "<",
    what: "Data-In with status",
    pdu: `
      25810000 00000008
      00000000 00000000
      00000005 ffffffff
      00000005 00000005
      00000084 00000000
      00000000 00000000
      13c3fa94  header digest
      0001ffff 00000200
      33eebdd2  data digest
    `,
  },
  {
    way: ">",
    what: "NOP-Out with data",
    pdu: `
      00800000 00000005
      00000000 00000000
      00000006 ffffffff
      00000005 00000006
      00000000 00000000
      00000000 00000000
      5ccfb192  header digest
      70696e67 21000000
      8aedfc72  data digest
    `,
  },
  {
    way: "<",
    what: "NOP-In",
    pdu: `
      20800000 00000005
      00000000 00000000
      00000006 ffffffff
      00000006 00000006
      00000085 00000000
      00000000 00000000
      11419ae5  header digest
      70696e67 21000000
      8aedfc72  data digest
    `,
  },
  {
    way: ">",
    what: "Task Management Function Request",
    pdu: `
      42810000 00000000
      00000000 00000000
      00000007 00000063
      00000006 00000007
      00000005 00000000
      00000000 00000000
      ce55ceed  header digest
    `,
  },
  {
    way: "<",
    what: "Task Management Function Response",
    pdu: `
      22800100 00000000
      00000000 00000000
      00000007 00000000
      00000007 00000006
      00000085 00000000
      00000000 00000000
      7b0ba93a  header digest
    `,
  },
  {
    way: ">",
    what: "Text Request",
    pdu: `
      04800000 00000008
      00000000 00000000
      00000008 ffffffff
      00000006 00000008
      00000000 00000000
      00000000 00000000
      f6de9cd0  header digest
      582d612e 623d3100
      5676b8c6  data digest
    `,
  },
  {
    way: "<",
    what: "Text Response",
    pdu: `
      24800000 00000014
      00000000 00000000
      00000008 ffffffff
      00000008 00000007
      00000086 00000000
      00000000 00000000
      5f9ab947  header digest
      582d612e 623d4e6f
      74556e64 65727374
      6f6f6400
      e9d8eb7a  data digest
    `,
  },
  {
    way: ">",
    what: "SNACK Request",
    pdu: `
      10800000 00000000
      00000000 00000000
      00000005 ffffffff
      00000000 00000009
      00000000 00000000
      00000000 00000000
      8e3b554a  header digest
    `,
  },
  {
    way: "<",
    what: "Reject, with the header of what it rejects",
    pdu: `
      3f800300 00000030
      00000000 00000000
      ffffffff 00000000
      00000009 00000007
      00000086 00000000
      00000000 00000000
      c42fcfc4  header digest
      10800000 00000000
      00000000 00000000
      00000005 ffffffff
      00000000 00000009
      00000000 00000000
      00000000 00000000
      8e3b554a  data digest
    `,
  },
  {
    way: ">",
    what: "Logout Request",
    pdu: `
      46800000 00000000
      00000000 00000000
      00000009 00000000
      00000007 0000000a
      00000000 00000000
      00000000 00000000
      7c51306b  header digest
    `,
  },
  {
    way: "<",
    what: "Logout Response",
    pdu: `
      26800000 00000000
      00000000 00000000
      00000009 00000000
      0000000a 00000007
      00000086 00000000
      00020000 00000000
      17f8a219  header digest
    `,
  },
];

Deno.test("a session with both digests, byte by byte", () =>
  withHarness({}, async (harness) => {
    const { initiator } = harness.open();
    const initiatorName = "iqn.2000-01.a:b";
    const login = { targetName: nameOf(), initiatorName, hasSecurityStage: false, keys: digestKeys(BOTH) };
    await initiator.login(login);
    for (const { way, what, pdu } of EXCHANGE) {
      if (way === ">") {
        await initiator.send(bytesOf(pdu));
        continue;
      }
      const { header, data, padding } = await initiator.receive();
      assertEquals(withDigests(joinBytes([header, data, padding]), BOTH).toHex(), bytesOf(pdu).toHex(), what);
    }
    assertEquals(await initiator.receiveEnd(), []);
  }));

Deno.test("an Asynchronous Message with its header digest, byte by byte", () => {
  const replies = new ReplyWriter();
  replies.addDigests(new Digests({ headerDigest: true, dataDigest: true }));
  replies.logoutWanted(10);
  const expected = bytesOf(`
    32800000 00000000  opcode 32h
    00000000 00000000
    ffffffff 00000000
    00000001 00000000  StatSN 1
    00000000 01000000  event 1: the target asks for a logout
    0000000a 00000000  within 10 s
    2519ec80  header digest
  `);
  assertEquals(replies.buffer.take().toHex(), expected.toHex());
});
