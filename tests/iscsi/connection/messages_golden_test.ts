/**
 * Requests of a target, and its rejections meanwhile, byte by byte (RFC 7143, 11.9, 11.11 and 11.17).
 *
 * A header is six lines of two words; text follows in quotation marks, with \0 where a pair ends.
 */
import { Limits } from "../../../lib/iscsi/limits.ts";
import type { Session } from "../../../lib/iscsi/session/session.ts";
import { assertReceives, bytesOf } from "../_golden.ts";
import { type Harness, withHarness } from "../../support/harness.ts";

/** A PDU of the exchange: `>` to the target, `<` from it. `before` runs first, at the target. */
interface Step {
  readonly before?: (harness: Harness) => void;
  readonly way: ">" | "<";
  readonly what: string;
  readonly pdu: string;
}

function onlySession({ node }: Harness): Session {
  return [...node.sessions()][0]!;
}

const EXCHANGE: readonly Step[] = [
  {
    way: ">",
    what: "Login Request",
    pdu: `
      43870000 0000004a  I, opcode 03h; T, CSG 1, NSG 3; 74 bytes of text, padded to 76
      80123456 00010000  ISID 801234560001h, TSIH 0
      00000001 00000000  initiator task tag 1; CID 0
      00000001 00000000  CmdSN 1, ExpStatSN 0
      00000000 00000000
      00000000 00000000
      "InitiatorName=iqn.2000-01.a:b\\0TargetName=iqn.2002-08.info.netmanager:disk\\0"
    `,
  },
  {
    way: "<",
    what: "Login Response",
    pdu: `
      23870000 0000004a  opcode 23h; T, CSG 1, NSG 3
      80123456 00010001  ISID, TSIH 1
      00000001 00000000
      00000001 00000001  StatSN 1, ExpCmdSN 1
      00000080 00000000  MaxCmdSN 128; status 0000h
      00000000 00000000
      "TargetAlias=a disk\\0TargetPortalGroupTag=1\\0MaxRecvDataSegmentLength=262144\\0"
    `,
  },
  {
    way: ">",
    what: "Text Request without text",
    pdu: `
      04800000 00000000  opcode 04h; F
      00000000 00000000
      00000002 ffffffff  initiator task tag 2; it begins an exchange
      00000001 00000002  CmdSN 1, ExpStatSN 2
      00000000 00000000
      00000000 00000000
    `,
  },
  {
    way: "<",
    what: "Text Response without text: the target declares nothing in full-feature phase",
    pdu: `
      24800000 00000000  opcode 24h; F; no text
      00000000 00000000
      00000002 ffffffff  initiator task tag 2; the exchange is over
      00000002 00000002  StatSN 2, ExpCmdSN 2
      00000081 00000000  MaxCmdSN 129
      00000000 00000000
    `,
  },
  {
    way: ">",
    what: "SNACK Request: a DataACK, though no Data-In has asked for one",
    pdu: `
      10820000 00000000  opcode 10h; F, type 2
      00000000 00000000
      ffffffff 00000007  no task (11.16.4); target transfer tag 7
      00000000 00000003  ExpStatSN 3
      00000000 00000000
      00000001 00000000  BegRun 1, RunLength 0
    `,
  },
  {
    way: "<",
    what: "Reject: Invalid Data ACK",
    pdu: `
      3f800800 00000030  opcode 3fh; F; reason 08h; 48 bytes
      00000000 00000000
      ffffffff 00000000
      00000003 00000002  StatSN 3
      00000081 00000000
      00000000 00000000
      10820000 00000000  the header of what is rejected
      00000000 00000000
      ffffffff 00000007
      00000000 00000003
      00000000 00000000
      00000001 00000000
    `,
  },
  {
    // The texts of others take all the room that there is.
    before: ({ node }) => node.textBudget.change(0, Limits.textBudgetBytes),
    way: ">",
    what: "Text Request that goes on in the next PDU",
    pdu: `
      44400000 00000004  I, opcode 04h; C; 4 bytes of text
      00000000 00000000
      00000003 ffffffff  initiator task tag 3
      00000002 00000004  CmdSN 2, which it does not use up; ExpStatSN 4
      00000000 00000000
      00000000 00000000
      "X-a="
    `,
  },
  {
    way: "<",
    what: "Reject: Long Operation Reject, as no tag can be given out",
    pdu: `
      3f800a00 00000030  opcode 3fh; F; reason 0Ah; 48 bytes
      00000000 00000000
      ffffffff 00000000
      00000004 00000002  StatSN 4
      00000081 00000000
      00000000 00000000
      44400000 00000004  the header of what is rejected
      00000000 00000000
      00000003 ffffffff
      00000002 00000004
      00000000 00000000
      00000000 00000000
    `,
  },
  {
    before: (harness) => onlySession(harness).requestLogout(10),
    way: "<",
    what: "Asynchronous Message: the target wants a logout within 10 s",
    pdu: `
      32800000 00000000
      00000000 00000000
      ffffffff 00000000
      00000005 00000002  StatSN 5
      00000081 01000000  event 1
      0000000a 00000000  10 s
    `,
  },
  {
    way: ">",
    what: "Text Request, which begins a negotiation",
    pdu: `
      44800000 00000000
      00000000 00000000
      00000004 ffffffff  initiator task tag 4
      00000002 00000006  CmdSN 2, ExpStatSN 6
      00000000 00000000
      00000000 00000000
    `,
  },
  {
    way: "<",
    what: "Reject: Waiting for Logout",
    pdu: `
      3f800c00 00000030  reason 0Ch
      00000000 00000000
      ffffffff 00000000
      00000006 00000002  StatSN 6
      00000081 00000000
      00000000 00000000
      44800000 00000000  the header of what is rejected
      00000000 00000000
      00000004 ffffffff
      00000002 00000006
      00000000 00000000
      00000000 00000000
    `,
  },
];

Deno.test("what a target asks for and what it rejects meanwhile, byte by byte", () =>
  withHarness({ targets: [{ comment: "a disk" }] }, async (harness) => {
    const initiator = harness.connect();
    for (const { before, way, what, pdu } of EXCHANGE) {
      before?.(harness);
      if (way === ">") await initiator.send(bytesOf(pdu));
      else await assertReceives(initiator, what, pdu);
    }
  }));
