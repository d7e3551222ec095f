/** Each PDU as RFC 7143, 11 draws it, written out by hand. */
import { assert, assertEquals } from "@std/assert";
import { NO_TAG } from "../../support/initiator_pdu.ts";
import { toHex } from "../../support/scripted_target.ts";
import * as pdus from "../../../lib/iscsi/pdu/target_pdus.ts";
import { LoginStatus } from "../../../lib/iscsi/pdu/login_status.ts";
import { RejectReason } from "../../../lib/iscsi/pdu/reject_reason.ts";
import { residualOf } from "../../../lib/iscsi/pdu/residual.ts";

const NUMBERS = { statSN: 0x01020304, expCmdSN: 0x11121314, maxCmdSN: 0x21222324 };
const TAG = 0xaabbccdd;

/** Encodes over a buffer that is full of earlier replies, and asserts every byte of the header and none behind it. */
function assertHeader(encode: (into: Uint8Array) => void, expected: string): void {
  const into = new Uint8Array(64).fill(0xff);
  encode(into);
  assertEquals(toHex(into.subarray(0, 48)), expected);
  assert(into.subarray(48).every((byte) => byte === 0xff), "the data segment is the caller's");
}

Deno.test("encodeScsiResponse() is laid out as 11.4", () => {
  const common = { initiatorTaskTag: TAG, numbers: NUMBERS };
  assertHeader(
    (into) =>
      pdus.encodeScsiResponse(into, {
        ...common,
        status: 0x02,
        residual: residualOf(512, 1024),
        expDataSN: 5,
        dataLength: 20,
      }),
    "21840002 00000014 00000000 00000000 aabbccdd 00000000 01020304 11121314 21222324 00000005 00000000 00000200",
  );
  assertHeader(
    (into) =>
      pdus.encodeScsiResponse(into, {
        ...common,
        status: 0,
        residual: residualOf(0x10000, 0x0fff0),
        expDataSN: 0,
        dataLength: 0,
      }),
    "21820000 00000000 00000000 00000000 aabbccdd 00000000 01020304 11121314 21222324 00000000 00000000 00000010",
  );
});

Deno.test("addReadResidual() has the residual of a bidirectional read in u, o and bytes 40 to 43 (11.4.1)", () => {
  const common = { initiatorTaskTag: TAG, numbers: NUMBERS, status: 0, expDataSN: 0, dataLength: 0 };
  for (
    const [residual, readResidual, expected] of [
      [residualOf(1, 0), residualOf(2, 0), "218a0000 00000002 00000001"],
      [residualOf(0, 1), residualOf(0, 2), "21940000 00000002 00000001"],
      [residualOf(0, 0), residualOf(0, 0x01020304), "21900000 01020304 00000000"],
      [residualOf(0x01020304, 0), residualOf(0, 0), "21820000 00000000 01020304"],
    ] as const
  ) {
    const into = new Uint8Array(48);
    pdus.encodeScsiResponse(into, { ...common, residual });
    pdus.addReadResidual(into, readResidual);
    assertEquals(
      toHex(into).split(" ").filter((_, index) => [0, 10, 11].includes(index)).join(" "),
      expected,
    );
  }
});

Deno.test("encodeDataIn() is laid out as 11.7, without status", () => {
  assertHeader(
    (into) =>
      pdus.encodeDataIn(into, {
        initiatorTaskTag: TAG,
        final: false,
        status: false,
        residual: residualOf(1, 0),
        dataSN: 7,
        bufferOffset: 0x00010203,
        dataLength: 0x040506,
        numbers: { ...NUMBERS, statSN: 0 },
      }),
    "25000000 00040506 00000000 00000000 aabbccdd ffffffff 00000000 11121314 21222324 00000007 00010203 00000000",
  );
});

Deno.test("encodeDataIn() is laid out as 11.7, with status and residual", () => {
  const pdu = {
    initiatorTaskTag: TAG,
    final: true,
    status: true,
    dataSN: 0,
    bufferOffset: 0,
    dataLength: 1,
    numbers: NUMBERS,
  };
  assertHeader(
    (into) => pdus.encodeDataIn(into, { ...pdu, residual: residualOf(512, 1) }),
    "25830000 00000001 00000000 00000000 aabbccdd ffffffff 01020304 11121314 21222324 00000000 00000000 000001ff",
  );
  assertHeader(
    (into) => pdus.encodeDataIn(into, { ...pdu, residual: residualOf(1, 2) }),
    "25850000 00000001 00000000 00000000 aabbccdd ffffffff 01020304 11121314 21222324 00000000 00000000 00000001",
  );
  assertHeader(
    (into) => pdus.encodeDataIn(into, { ...pdu, residual: residualOf(2, 2) }),
    "25810000 00000001 00000000 00000000 aabbccdd ffffffff 01020304 11121314 21222324 00000000 00000000 00000000",
  );
  assertHeader(
    (into) =>
      pdus.encodeDataIn(into, { ...pdu, status: false, residual: residualOf(2, 2), numbers: NUMBERS }),
    "25800000 00000001 00000000 00000000 aabbccdd ffffffff 01020304 11121314 21222324 00000000 00000000 00000000",
  );
});

Deno.test("encodeTaskManagementResponse() is laid out as 11.6", () => {
  assertHeader(
    (into) =>
      pdus.encodeTaskManagementResponse(into, { initiatorTaskTag: TAG, response: 255, numbers: NUMBERS }),
    "2280ff00 00000000 00000000 00000000 aabbccdd 00000000 01020304 11121314 21222324 00000000 00000000 00000000",
  );
});

Deno.test("encodeNopIn() is laid out as 11.19 and echoes the LUN field as it came", () => {
  assertHeader(
    (into) =>
      pdus.encodeNopIn(into, {
        lunField: Uint8Array.of(0x40, 5, 1, 2, 3, 4, 5, 6),
        initiatorTaskTag: TAG,
        targetTransferTag: NO_TAG,
        dataLength: 3,
        numbers: NUMBERS,
      }),
    "20800000 00000003 40050102 03040506 aabbccdd ffffffff 01020304 11121314 21222324 00000000 00000000 00000000",
  );
});

Deno.test("encodeNopIn() of a ping has a tag to be repeated, and LUN 0", () => {
  assertHeader(
    (into) =>
      pdus.encodeNopIn(into, {
        lunField: undefined,
        initiatorTaskTag: NO_TAG,
        targetTransferTag: 0x31323334,
        dataLength: 0,
        numbers: NUMBERS,
      }),
    "20800000 00000000 00000000 00000000 ffffffff 31323334 01020304 11121314 21222324 00000000 00000000 00000000",
  );
});

Deno.test("encodeLoginResponse() is laid out as 11.13", () => {
  const pdu = {
    currentStage: 1,
    nextStage: 3,
    isid: 0x800102030405,
    tsih: 0x0a0b,
    initiatorTaskTag: TAG,
    status: LoginStatus.success,
    dataLength: 0x1ff,
    numbers: NUMBERS,
  };
  assertHeader(
    (into) => pdus.encodeLoginResponse(into, { ...pdu, transit: true, continued: false }),
    "23870000 000001ff 80010203 04050a0b aabbccdd 00000000 01020304 11121314 21222324 00000000 00000000 00000000",
  );
  assertHeader(
    (into) => pdus.encodeLoginResponse(into, { ...pdu, transit: false, continued: true }),
    "23440000 000001ff 80010203 04050a0b aabbccdd 00000000 01020304 11121314 21222324 00000000 00000000 00000000",
  );
  assertHeader(
    (into) =>
      pdus.encodeLoginResponse(into, {
        ...pdu,
        transit: false,
        continued: false,
        currentStage: 0,
        status: LoginStatus.outOfResources,
        dataLength: 0,
      }),
    "23000000 00000000 80010203 04050a0b aabbccdd 00000000 01020304 11121314 21222324 03020000 00000000 00000000",
  );
});

Deno.test("encodeTextResponse() is laid out as 11.11", () => {
  const pdu = { initiatorTaskTag: TAG, dataLength: 4, numbers: NUMBERS };
  assertHeader(
    (into) =>
      pdus.encodeTextResponse(into, { ...pdu, final: true, continued: false, targetTransferTag: NO_TAG }),
    "24800000 00000004 00000000 00000000 aabbccdd ffffffff 01020304 11121314 21222324 00000000 00000000 00000000",
  );
  assertHeader(
    (into) => pdus.encodeTextResponse(into, { ...pdu, final: false, continued: true, targetTransferTag: 9 }),
    "24400000 00000004 00000000 00000000 aabbccdd 00000009 01020304 11121314 21222324 00000000 00000000 00000000",
  );
});

Deno.test("encodeLogoutResponse() is laid out as 11.15", () => {
  assertHeader(
    (into) =>
      pdus.encodeLogoutResponse(into, {
        initiatorTaskTag: TAG,
        response: 1,
        time2Wait: 2,
        time2Retain: 0x0e10,
        numbers: NUMBERS,
      }),
    "26800100 00000000 00000000 00000000 aabbccdd 00000000 01020304 11121314 21222324 00000000 00020e10 00000000",
  );
});

Deno.test("encodeAsynchronousMessage() is laid out as 11.9", () => {
  assertHeader(
    (into) =>
      pdus.encodeAsynchronousMessage(into, {
        event: 2,
        parameters: [0x4142, 0x5152, 0x6162],
        numbers: NUMBERS,
      }),
    "32800000 00000000 00000000 00000000 ffffffff 00000000 01020304 11121314 21222324 02004142 51526162 00000000",
  );
});

Deno.test("encodeReject() is laid out as 11.17", () => {
  assertHeader(
    (into) =>
      pdus.encodeReject(into, { reason: RejectReason.invalidPduField, dataLength: 48, numbers: NUMBERS }),
    "3f800900 00000030 00000000 00000000 ffffffff 00000000 01020304 11121314 21222324 00000000 00000000 00000000",
  );
});

Deno.test("encodeReadyToTransfer() is laid out as 11.8", () => {
  assertHeader(
    (into) =>
      pdus.encodeReadyToTransfer(into, {
        initiatorTaskTag: TAG,
        targetTransferTag: 0x31323334,
        lunField: 0x4003,
        r2tSN: 2,
        bufferOffset: 0x00040000,
        desiredDataTransferLength: 0x00010200,
        numbers: NUMBERS,
      }),
    "31800000 00000000 40030000 00000000 aabbccdd 31323334 01020304 11121314 21222324 00000002 00040000 00010200",
  );
});
