/**
 * A session with two connections, byte by byte (RFC 7143, 4.2.2 and 11): its beginning, a command that waits for one
 * over the other connection, and the end of one connection over the other.
 *
 * A header is six lines of two words; text follows in quotation marks, with \0 where a pair ends.
 */
import { assertEquals } from "@std/assert";
import { assertReceives, bytesOf } from "../_golden.ts";
import { type Harness, type Served, withHarness } from "../../support/harness.ts";

/** A PDU over a connection: `>` to the target, `<` from it. */
interface Step {
  readonly over: 0 | 1;
  readonly way: ">" | "<";
  readonly what: string;
  readonly pdu: string;
}

const EXCHANGE: readonly Step[] = [
  {
    over: 0,
    way: ">",
    what: "Login Request: a new session",
    pdu: `
      43870000 0000005b  I, opcode 03h; T, CSG 1, NSG 3; 91 bytes of text, padded to 92
      80123456 00010000  ISID 801234560001h, TSIH 0
      00000001 00000000  initiator task tag 1; CID 0
      00000001 00000000  CmdSN 1, ExpStatSN 0
      00000000 00000000
      00000000 00000000
      "InitiatorName=iqn.2000-01.a:b\\0TargetName=iqn.2002-08.info.netmanager:disk\\0MaxConnections=2\\0"
    `,
  },
  {
    over: 0,
    way: "<",
    what: "Login Response: TSIH 1, two connections at most",
    pdu: `
      23870000 0000005b  opcode 23h; T, CSG 1, NSG 3; 91 bytes of text
      80123456 00010001  ISID, TSIH 1
      00000001 00000000  initiator task tag 1
      00000001 00000001  StatSN 1 of connection 0, ExpCmdSN 1
      00000080 00000000  MaxCmdSN 128; status 0000h
      00000000 00000000
      "TargetAlias=a disk\\0TargetPortalGroupTag=1\\0MaxRecvDataSegmentLength=262144\\0MaxConnections=2\\0"
    `,
  },
  {
    over: 1,
    way: ">",
    what: "Login Request: connection 1 joins session 1",
    pdu: `
      43870000 0000004a
      80123456 00010001  the same ISID, TSIH 1
      00000002 00010000  initiator task tag 2; CID 1
      00000001 00000000  CmdSN 1: the next of the session
      00000000 00000000
      00000000 00000000
      "InitiatorName=iqn.2000-01.a:b\\0TargetName=iqn.2002-08.info.netmanager:disk\\0"
    `,
  },
  {
    over: 1,
    way: "<",
    what: "Login Response",
    pdu: `
      23870000 0000004a
      80123456 00010001  TSIH 1
      00000002 00000000
      00000001 00000001  StatSN 1: connection 1 counts for itself; ExpCmdSN 1 of the session
      00000080 00000000  MaxCmdSN 128 of the session
      00000000 00000000
      "TargetAlias=a disk\\0TargetPortalGroupTag=1\\0MaxRecvDataSegmentLength=262144\\0"
    `,
  },
  {
    over: 1,
    way: ">",
    what: "SCSI Command, CmdSN 2: it waits for CmdSN 1",
    pdu: `
      01810000 00000000  opcode 01h; F, simple
      00000000 00000000  LUN 0
      00000004 00000000  initiator task tag 4
      00000002 00000002  CmdSN 2, ExpStatSN 2
      00000000 00000000  TEST UNIT READY
      00000000 00000000
    `,
  },
  {
    over: 0,
    way: ">",
    what: "SCSI Command, CmdSN 1",
    pdu: `
      01810000 00000000
      00000000 00000000
      00000003 00000000  initiator task tag 3
      00000001 00000002  CmdSN 1, ExpStatSN 2
      00000000 00000000  TEST UNIT READY
      00000000 00000000
    `,
  },
  {
    over: 0,
    way: "<",
    what: "SCSI Response to CmdSN 1: the first command of a nexus hears of its beginning",
    pdu: `
      21800002 00000014  opcode 21h; CHECK CONDITION; 20 bytes
      00000000 00000000
      00000003 00000000  initiator task tag 3
      00000002 00000002  StatSN 2 of connection 0, ExpCmdSN 2
      00000081 00000000  MaxCmdSN 129
      00000000 00000000
      00127000 06000000 000a0000 00002900 00000000  18 bytes of sense data: UNIT ATTENTION, 29h/00h
    `,
  },
  {
    over: 1,
    way: "<",
    what: "SCSI Response to CmdSN 2, whose turn has come: over its own connection",
    pdu: `
      21800000 00000000  GOOD
      00000000 00000000
      00000004 00000000  initiator task tag 4
      00000002 00000003  StatSN 2 of connection 1, ExpCmdSN 3
      00000082 00000000  MaxCmdSN 130
      00000000 00000000
    `,
  },
  {
    over: 0,
    way: ">",
    what: "Logout Request for connection 1",
    pdu: `
      46810000 00000000  I, opcode 06h; F, reason 1: close the connection
      00000000 00000000
      00000005 00010000  initiator task tag 5; CID 1
      00000003 00000003  CmdSN 3, which it does not use up; ExpStatSN 3
      00000000 00000000
      00000000 00000000
    `,
  },
  {
    over: 0,
    way: "<",
    what: "Logout Response",
    pdu: `
      26800000 00000000  success
      00000000 00000000
      00000005 00000000
      00000003 00000003  StatSN 3 of connection 0, ExpCmdSN 3
      00000082 00000000
      00020014 00000000  Time2Wait 2, Time2Retain 20
    `,
  },
];

/** PDUs that the target then sends over connection 0 of its own accord. */
const UNASKED: readonly { readonly what: string; readonly pdu: string }[] = [
  {
    what: "NOP-In: a ping, 30 s after the last sign of life",
    pdu: `
      20800000 00000000  opcode 20h; F
      00000000 00000000  LUN 0
      ffffffff 00000001  no initiator task tag; target transfer tag 1, to be repeated
      00000003 00000003  StatSN 3, which it does not use up; ExpCmdSN 3
      00000082 00000000
      00000000 00000000
    `,
  },
  {
    what: "Asynchronous Message: connection 1 is dropped",
    pdu: `
      32800000 00000000  opcode 32h; F
      00000000 00000000
      ffffffff 00000000
      00000003 00000003  StatSN 3, ExpCmdSN 3
      00000082 02000001  MaxCmdSN 130; event 2, CID 1
      00020014 00000000  Time2Wait 2, Time2Retain 20
    `,
  },
  {
    what: "Asynchronous Message: the target wants a logout within 10 s",
    pdu: `
      32800000 00000000
      00000000 00000000
      ffffffff 00000000
      00000004 00000003  StatSN 4
      00000082 01000000  event 1
      0000000a 00000000  10 s
    `,
  },
  {
    what: "Asynchronous Message: all connections are dropped",
    pdu: `
      32800000 00000000
      00000000 00000000
      ffffffff 00000000
      00000005 00000003  StatSN 5
      00000082 03000000  event 3
      00020014 00000000  Time2Wait 2, Time2Retain 20
    `,
  },
];

/** Carries the exchange out, and leaves out the last so many steps. */
async function exchange(harness: Harness, stepsLeftOut = 0): Promise<readonly Served[]> {
  const connections = [0, 1].map(() => harness.open({ answersPings: false }));
  for (const { over, way, what, pdu } of EXCHANGE.slice(0, EXCHANGE.length - stepsLeftOut)) {
    const { initiator } = connections[over]!;
    if (way === ">") await initiator.send(bytesOf(pdu));
    else await assertReceives(initiator, what, pdu);
  }
  return connections;
}

Deno.test("a session with two connections, byte by byte", () =>
  withHarness({ targets: [{ comment: "a disk" }] }, async (harness) => {
    const connections = await exchange(harness);
    assertEquals(await connections[1]!.initiator.receiveEnd(), []);
    assertEquals(connections[0]!.isClosed(), false);
  }));

Deno.test("what a target says unasked, byte by byte", () =>
  withHarness({ targets: [{ comment: "a disk" }] }, async (harness) => {
    // The logout of connection 1 is left out.
    const [first, second] = await exchange(harness, 2) as [Served, Served];
    const causes: readonly (() => unknown)[] = [
      () => harness.clock.advance(31_000),
      () => second.initiator.close(),
      () => harness.node.requestLogout([...harness.node.sessions()][0]!, 10),
      () => harness.node.stop(),
    ];
    for (const [index, { what, pdu }] of UNASKED.entries()) {
      const caused = causes[index]!();
      await assertReceives(first.initiator, what, pdu);
      await caused;
    }
  }));
