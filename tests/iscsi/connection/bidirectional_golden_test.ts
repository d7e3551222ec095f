/**
 * Commands with R and W, byte by byte (RFC 7143, 11.4.1, 11.4.5, 11.4.6 and 11.7.3): each half has a residual of its
 * own, that of the read half in u, o and bytes 40 to 43, and the status comes in a SCSI Response.
 * A header is six lines of two words, with an additional header segment of two words behind them; a data segment of
 * zeros is given by its length.
 */
import { assertEquals } from "@std/assert";
import { bytesOf } from "../_golden.ts";
import { withHarness } from "../../support/harness.ts";

/** A PDU of the exchange: `>` to the target, `<` from it. */
interface Step {
  readonly way: ">" | "<";
  readonly what: string;
  readonly pdu: string;
  readonly zeros?: number;
}

const EXCHANGE: readonly Step[] = [
  {
    way: ">",
    what: "READ(10) of one block, which expects to write 256 bytes and to read 1024",
    pdu: `
      01e10000 02000000  opcode 01h; F, R, W, simple; TotalAHSLength 2 words, no data
      00000000 00000000  LUN 0
      00000010 00000100  initiator task tag 10h; expects to write 256 bytes
      00000002 00000003  CmdSN 2, ExpStatSN 3
      28000000 00000000  READ(10) of block 0
      01000000 00000000
      00050200 00000400  AHSLength 5, AHSType 2; expects to read 1024 bytes
    `,
  },
  {
    way: "<",
    what: "Data-In: all that there is, without status",
    pdu: `
      25800000 00000200  opcode 25h; F, and neither S nor a residual; 512 bytes
      00000000 00000000
      00000010 ffffffff
      00000000 00000003  StatSN reserved, ExpCmdSN 3
      00000081 00000000  MaxCmdSN 129, DataSN 0
      00000000 00000000  Buffer Offset 0
    `,
    zeros: 512,
  },
  {
    way: "<",
    what: "SCSI Response: 512 bytes less than expected were read, and 256 less written",
    pdu: `
      218a0000 00000000  opcode 21h; 80h, u 08h, U 02h; GOOD
      00000000 00000000
      00000010 00000000
      00000003 00000003  StatSN 3
      00000082 00000001  MaxCmdSN 130; ExpDataSN 1
      00000200 00000100  read residual 512, residual 256
    `,
  },
  {
    way: ">",
    what: "READ(10) of two blocks, which expects to write nothing and to read 512 bytes",
    pdu: `
      01e10000 02000000
      00000000 00000000
      00000011 00000000  expects to write nothing
      00000003 00000004  CmdSN 3, ExpStatSN 4
      28000000 00000000
      02000000 00000000
      00050200 00000200  expects to read 512 bytes
    `,
  },
  {
    way: "<",
    what: "Data-In: as much as the initiator expects",
    pdu: `
      25800000 00000200
      00000000 00000000
      00000011 ffffffff
      00000000 00000004
      00000082 00000000
      00000000 00000000
    `,
    zeros: 512,
  },
  {
    way: "<",
    what: "SCSI Response: 512 bytes more than expected could have been read",
    pdu: `
      21900000 00000000  80h, o 10h
      00000000 00000000
      00000011 00000000
      00000004 00000004
      00000083 00000001
      00000200 00000000  read residual 512, and none of what was to be written
    `,
  },
  {
    way: ">",
    what: "READ(10) of one block, which does not say what it expects to read",
    pdu: `
      01e10000 00000000  no additional header
      00000000 00000000
      00000012 00000200  expects to write 512 bytes
      00000004 00000005
      28000000 00000000
      01000000 00000000
    `,
  },
  {
    way: "<",
    what: "SCSI Response: 512 bytes could have been read, and none were written",
    pdu: `
      21920000 00000000  80h, o 10h, U 02h
      00000000 00000000
      00000012 00000000
      00000005 00000005
      00000084 00000000
      00000200 00000200
    `,
  },
  {
    way: ">",
    what: "WRITE(10) of one block with its data, which expects to read 8 bytes",
    pdu: `
      01e10000 02000200  512 bytes of data
      00000000 00000000
      00000013 00000200  expects to write 512 bytes
      00000005 00000006
      2a000000 00000000  WRITE(10) of block 0
      01000000 00000000
      00050200 00000008  expects to read 8 bytes
    `,
    zeros: 512,
  },
  {
    way: "<",
    what: "SCSI Response: nothing of what was expected was read, and all was written",
    pdu: `
      21880000 00000000  80h, u 08h
      00000000 00000000
      00000013 00000000
      00000006 00000006
      00000085 00000000
      00000008 00000000
    `,
  },
  {
    way: ">",
    what: "WRITE(10) of one block, which expects to write 256 bytes and to read nothing",
    pdu: `
      01e10000 02000100
      00000000 00000000
      00000014 00000100
      00000006 00000007
      2a000000 00000000
      01000000 00000000
      00050200 00000000
    `,
    zeros: 256,
  },
  {
    way: "<",
    what: "SCSI Response: 256 bytes more than expected could have been written",
    pdu: `
      21840000 00000000  80h, O 04h
      00000000 00000000
      00000014 00000000
      00000007 00000007
      00000086 00000000
      00000000 00000100
    `,
  },
  {
    way: ">",
    what: "TEST UNIT READY, which expects to write 4 bytes and to read 16",
    pdu: `
      01e10000 02000000
      00000000 00000000
      00000015 00000004
      00000007 00000008
      00000000 00000000
      00000000 00000000
      00050200 00000010
    `,
  },
  {
    way: "<",
    what: "SCSI Response: neither of it",
    pdu: `
      218a0000 00000000  80h, u 08h, U 02h
      00000000 00000000
      00000015 00000000
      00000008 00000008
      00000087 00000000
      00000010 00000004
    `,
  },
];

Deno.test("commands with R and W have a residual for each half, and their status in a SCSI Response", () =>
  withHarness({}, async (harness) => {
    const initiator = await harness.logIn({ hasSecurityStage: false });
    for (const { way, what, pdu, zeros = 0 } of EXCHANGE) {
      const bytes = new Uint8Array([...bytesOf(pdu), ...new Uint8Array(zeros)]);
      if (way === ">") await initiator.send(bytes);
      else {
        const { header, data } = await initiator.receive();
        assertEquals(header.toHex() + data.toHex(), bytes.toHex(), what);
      }
    }
  }));
