/** PDUs as an initiator sends them, written out by hand from RFC 7143, 11. */
import { assertEquals, assertObjectMatch, assertThrows } from "@std/assert";
import { hex } from "../../support/scripted_target.ts";
import { cmdSNOf, decodeLoginRequest, decodePdu, SnackType } from "../../../lib/iscsi/pdu/initiator_pdus.ts";
import { LoginStatus } from "../../../lib/iscsi/pdu/login_status.ts";
import { ProtocolError } from "../../../lib/iscsi/pdu/protocol_error.ts";
import { RejectReason } from "../../../lib/iscsi/pdu/reject_reason.ts";
import { TaskAttribute } from "../../../lib/scsi/task_attribute.ts";
import { BASIC_HEADER_BYTES, type Frame, RESERVED_TAG } from "../../../lib/iscsi/pdu/header.ts";

function frame(header: string, data = ""): Frame {
  return { header: hex(header), data: hex(data), hasDataDigestError: false };
}

/** A frame whose header is followed by additional header segments. */
function extended(header: string, additional: string): Frame {
  return { header: hex(header, additional), data: new Uint8Array(), hasDataDigestError: false };
}

/** Asserts that a frame is answered with a Reject for this reason. */
function assertRejected(pdu: Frame, reason: number): void {
  const error = assertThrows(() => decodePdu(pdu), ProtocolError);
  assertEquals(error.response, { kind: "reject", reason } as ProtocolError["response"]);
}

/** Asserts that a frame ends its session (7.7). */
function assertFormatError(pdu: Frame): void {
  const error = assertThrows(() => decodePdu(pdu), ProtocolError);
  assertEquals(error.response, { kind: "session" });
}

const TAIL = "00000000 00000000 00000000 00000000";
const READ =
  "01c10000 00000000 00030000 00000000 aabbccdd 00000200 01020304 11121314 28000000 00010000 01000000 00000000";

Deno.test("decodePdu() decodes a SCSI Command that reads (11.3)", () => {
  assertEquals(decodePdu(frame(READ)), {
    kind: "scsiCommand",
    immediate: false,
    final: true,
    expectedDataIn: 0x200,
    expectedDataOut: 0,
    bidirectional: false,
    attribute: TaskAttribute.simple,
    lun: 3,
    lunField: 3,
    initiatorTaskTag: 0xaabbccdd,
    cmdSN: 0x01020304,
    expStatSN: 0x11121314,
    cdb: hex("28000000 00010000 01000000 00000000"),
    data: new Uint8Array(),
  });
});

Deno.test("decodePdu() decodes a SCSI Command that writes, with immediate data and more to come", () => {
  const pdu = decodePdu(frame(`41210000 00000004 ${READ.slice(18)}`, "deadbeef"));
  assertEquals(pdu.kind === "scsiCommand" && [pdu.immediate, pdu.final, pdu.expectedDataIn], [
    true,
    false,
    0,
  ]);
  assertEquals(pdu.kind === "scsiCommand" && [pdu.expectedDataOut, pdu.data], [0x200, hex("deadbeef")]);
});

Deno.test("decodePdu() decodes a SCSI Command without data, whatever its expected length says", () => {
  const pdu = decodePdu(frame(`01800000 00000000 ${READ.slice(18).replace("00000200", "00000000")}`));
  assertEquals(pdu.kind === "scsiCommand" && [pdu.expectedDataIn, pdu.expectedDataOut], [0, 0]);
});

Deno.test("decodePdu() knows no logical unit for a field that names none", () => {
  for (const lun of ["c1000000 00000000", "00010000 00000001", "01010000 00000000"]) {
    const pdu = decodePdu(frame(READ.replace("00030000 00000000", lun)));
    assertEquals(pdu.kind === "scsiCommand" ? pdu.lun : 0, undefined);
  }
  const flat = decodePdu(frame(READ.replace("00030000", "41000000")));
  assertEquals(flat.kind === "scsiCommand" && [flat.lun, flat.lunField], [256, 0x4100]);
});

Deno.test("decodePdu() joins an extended CDB (11.2.2.3)", () => {
  // 32 bytes of CDB: 16 in the header, 16 in the segment, whose length counts the reserved byte.
  const rest = "00112233 44556677 8899aabb ccddeeff";
  const pdu = decodePdu(extended(`01c10500 ${READ.slice(9)}`, `00110100 ${rest}`));
  assertEquals(pdu.kind === "scsiCommand" && pdu.cdb, hex("28000000 00010000 01000000 00000000", rest));
});

Deno.test("decodePdu() leaves the padding of an extended CDB out", () => {
  const pdu = decodePdu(extended(`01c10200 ${READ.slice(9)}`, "00040100 aabbcc00"));
  assertEquals(pdu.kind === "scsiCommand" && pdu.cdb, hex("28000000 00010000 01000000 00000000 aabbcc"));
});

Deno.test("decodePdu() reads the length of a bidirectional read, beside an extended CDB (11.2.2.4)", () => {
  for (const segments of ["00050200 00010203 00040100 aabbcc00", "00040100 aabbcc00 00050200 00010203"]) {
    const pdu = decodePdu(extended(`01e10400 ${READ.slice(9)}`, segments));
    assertEquals(pdu.kind === "scsiCommand" && [pdu.expectedDataIn, pdu.expectedDataOut], [0x10203, 0x200]);
    assertEquals(pdu.kind === "scsiCommand" && [pdu.cdb.length, pdu.bidirectional], [19, true]);
  }
});

Deno.test("decodePdu() expects to read nothing of a command both ways that does not say how much", () => {
  const pdu = decodePdu(frame(`01e10000 ${READ.slice(9)}`));
  assertEquals(pdu.kind === "scsiCommand" && [pdu.expectedDataIn, pdu.expectedDataOut], [0, 0x200]);
});

Deno.test("decodePdu() takes additional header segments that are not what they say for a format error (7.7)", () => {
  const segments = [
    "00000100 00000000",
    "00010100",
    "ffff0100 00000000",
    "00060100 00000000",
    "00050300 00000000",
    "00040200 00000000",
    "00050200 00000000 00000000",
    "00040100 aabbcc00 ffff0100",
    "00020100 aa000000 00020100 aa000000",
    "00050200 00000200 00050200 00000200",
  ];
  for (const segment of segments) {
    assertFormatError(extended(`01c10200 ${READ.slice(9)}`, segment));
  }
});

Deno.test("decodePdu() names what is wrong with an additional header segment", () => {
  const faults = [
    ["00000100 00000000", "segment of length 0 does not fit"],
    ["00060100 00000000", "segment of length 6 does not fit"],
    ["00010100", "segment of type 1 and length 1"],
    ["00050300 00000000", "segment of type 3 and length 5"],
    ["00050200 00000200 00050200 00000400", "segment of type 2 and length 5 is invalid or repeated"],
  ] as const;
  for (const [segment, message] of faults) {
    const pdu = extended(`01c10200 ${READ.slice(9)}`, segment);
    assertThrows(() => decodePdu(pdu), ProtocolError, message);
  }
});

Deno.test("decodePdu() rejects a SCSI Command with a reserved task attribute, and takes all others (11.3.1)", () => {
  for (const attribute of [5, 6, 7]) {
    const reserved = frame(`01c${attribute}0000 ${READ.slice(9)}`);
    assertRejected(reserved, RejectReason.invalidPduField);
    assertThrows(() => decodePdu(reserved), ProtocolError, `reserved task attribute ${attribute}`);
  }
  for (const attribute of [0, 1, 2, 3, 4]) {
    assertEquals(decodePdu(frame(`01c${attribute}0000 ${READ.slice(9)}`)).kind, "scsiCommand");
  }
});

Deno.test("decodePdu() takes data where there can be none for a format error (11.5.2, 11.14.2)", () => {
  for (const start of ["0285", "0681"]) {
    const header = `${start}0000 00000004 00000000 00000000 aabbccdd 00000000 00000001 00000001 ${TAIL}`;
    assertFormatError(frame(header, "deadbeef"));
    assertEquals(typeof decodePdu(frame(header.replace("00000004", "00000000"))).kind, "string");
  }
});

Deno.test("decodePdu() takes a command with neither W nor F, for which data would never come, for one (11.3.1)", () => {
  for (const flags of ["00", "40", "01", "41"]) {
    assertFormatError(frame(`01${flags}0000 ${READ.slice(9)}`));
  }
});

Deno.test("decodePdu() takes a command without direction that expects data for a format error (11.3.1)", () => {
  assertFormatError(frame(`01800000 ${READ.slice(9)}`));
});

Deno.test("decodePdu() decodes a NOP-Out (11.18)", () => {
  const header = `40800000 00000003 40050102 03040506 aabbccdd 31323334 01020304 11121314 ${TAIL}`;
  assertEquals(decodePdu(frame(header, "616263")), {
    kind: "nopOut",
    immediate: true,
    lunField: hex("40050102 03040506"),
    initiatorTaskTag: 0xaabbccdd,
    targetTransferTag: 0x31323334,
    cmdSN: 0x01020304,
    expStatSN: 0x11121314,
    data: hex("616263"),
  });
  assertEquals(decodePdu(frame(header.replace("aabbccdd", "ffffffff"))).kind, "nopOut");
});

Deno.test("decodePdu() rejects a NOP-Out without task tag that is not immediate (11.18.1)", () => {
  const header = `00800000 00000000 00000000 00000000 ffffffff ffffffff 00000001 00000001 ${TAIL}`;
  assertRejected(frame(header), RejectReason.protocolError);
});

Deno.test("decodePdu() decodes a Task Management Function Request (11.5)", () => {
  const header = "02810000 00000000 00020000 00000000 aabbccdd 31323334 01020304 11121314 41424344 " +
    "00000000 00000000 00000000";
  assertEquals(decodePdu(frame(header)), {
    kind: "taskManagementRequest",
    immediate: false,
    function: 1,
    lun: 2,
    initiatorTaskTag: 0xaabbccdd,
    referencedTaskTag: 0x31323334,
    cmdSN: 0x01020304,
    expStatSN: 0x11121314,
    refCmdSN: 0x41424344,
  });
});

Deno.test("decodePdu() decodes a Text Request (11.10)", () => {
  const header = `04800000 00000004 00000000 00000000 aabbccdd 31323334 01020304 11121314 ${TAIL}`;
  assertEquals(decodePdu(frame(header, "413d3100")), {
    kind: "textRequest",
    immediate: false,
    final: true,
    continued: false,
    initiatorTaskTag: 0xaabbccdd,
    targetTransferTag: 0x31323334,
    cmdSN: 0x01020304,
    expStatSN: 0x11121314,
    data: hex("413d3100"),
  });
  const continued = decodePdu(frame(header.replace("0480", "4440")));
  assertEquals(
    continued.kind === "textRequest" && [continued.immediate, continued.final, continued.continued],
    [true, false, true],
  );
});

Deno.test("decodePdu() rejects a Text Request that is both final and continued (11.10.2)", () => {
  const header = `04c00000 00000000 00000000 00000000 aabbccdd ffffffff 00000001 00000001 ${TAIL}`;
  assertRejected(frame(header), RejectReason.protocolError);
});

Deno.test("decodePdu() decodes a Data-Out (11.7)", () => {
  const header = "05800000 00000004 00030000 00000000 aabbccdd 31323334 00000000 11121314 00000000 " +
    "41424344 51525354 00000000";
  assertEquals(decodePdu(frame(header, "deadbeef")), {
    kind: "dataOut",
    final: true,
    lun: 3,
    initiatorTaskTag: 0xaabbccdd,
    targetTransferTag: 0x31323334,
    expStatSN: 0x11121314,
    dataSN: 0x41424344,
    bufferOffset: 0x51525354,
    data: hex("deadbeef"),
  });
  // The other bits of that byte are reserved and ignored.
  assertObjectMatch(decodePdu(frame(header.replace("0580", "057f"), "deadbeef")), { final: false });
});

Deno.test("decodePdu() decodes a Logout Request (11.14)", () => {
  const header = `06810000 00000000 00000000 00000000 aabbccdd 12340000 01020304 11121314 ${TAIL}`;
  assertEquals(decodePdu(frame(header)), {
    kind: "logoutRequest",
    immediate: false,
    reason: 1,
    initiatorTaskTag: 0xaabbccdd,
    cid: 0x1234,
    cmdSN: 0x01020304,
    expStatSN: 0x11121314,
  });
});

Deno.test("decodePdu() reads the type of a SNACK, and the task that it is about if there is one (11.16)", () => {
  assertEquals(SnackType, { data: 0, status: 1, dataAck: 2, resegmentedData: 3 });
  const rest = `0000 00000000 00000000 00000000`;
  const tail = `00000001 00000000 00000001 ${TAIL}`;
  for (
    const [type, initiatorTaskTag] of [[0, 0xaabbccdd], [1, RESERVED_TAG], [2, RESERVED_TAG], [3, 1]] as const
  ) {
    const tag = initiatorTaskTag.toString(16).padStart(8, "0");
    const pdu = decodePdu(frame(`108${type}${rest} ${tag} ${tail}`));
    assertEquals(pdu, { kind: "snackRequest", type, initiatorTaskTag });
  }
});

Deno.test("decodePdu() rejects every opcode that no initiator has", () => {
  const rest = `800000 00000000 00000000 00000000 00000001 00000000 00000001 00000001 ${TAIL}`;
  const known = [0, 1, 2, 3, 4, 5, 6, 0x10];
  for (let opcode = 0; opcode < 0x40; opcode++) {
    if (known.includes(opcode)) continue;
    assertRejected(frame(`${opcode.toString(16).padStart(2, "0")}${rest}`), RejectReason.commandNotSupported);
  }
});

Deno.test("decodePdu() ends the connection at a Login Request in full-feature phase", () => {
  const header = `43870000 00000000 00000000 00000000 00000001 00000000 00000001 00000001 ${TAIL}`;
  const error = assertThrows(() => decodePdu(frame(header)), ProtocolError);
  assertEquals(error.response.kind, "close");
});

Deno.test("decodePdu() rejects the reserved task tag where a task must be named (11.2.1.8)", () => {
  const rest = `800000 00000000 00000000 00000000 ffffffff ffffffff 00000001 00000001 ${TAIL}`;
  for (const opcode of ["01", "02", "04", "06"]) {
    const error = assertThrows(() => decodePdu(frame(`${opcode}${rest}`)), ProtocolError);
    assertEquals(error.response.kind, "reject", `opcode ${opcode}`);
  }
});

Deno.test("only a SCSI Command has additional header segments (11.2.1.5)", () => {
  for (const opcode of ["00", "02", "04", "05", "06"]) {
    const header = `${opcode}800200 00000000 00000000 00000000 00000001 ffffffff 00000001 00000001 ${TAIL}`;
    assertFormatError(extended(header, "00050200 00010203"));
  }
  const error = assertThrows(() => decodeLoginRequest(extended(LOGIN, "00050200 00010203")), ProtocolError);
  assertObjectMatch(error.response, { kind: "login", status: LoginStatus.initiatorError });
});

Deno.test("cmdSNOf() is the number of a request that uses one up", () => {
  const rest = "800000 00000000 00000000 00000000 00000001 00000000 01020304 00000001";
  const numbers = ["00", "01", "02", "04", "06"].map((opcode) => cmdSNOf(frame(`${opcode}${rest} ${TAIL}`)));
  assertEquals(numbers, Array<number>(5).fill(0x01020304));
  for (const opcode of ["05", "10", "40", "41", "42", "44", "46"]) {
    assertEquals(cmdSNOf(frame(`${opcode}${rest} ${TAIL}`)), undefined);
  }
});

const LOGIN =
  "43870000 00000004 80010203 04050a0b aabbccdd 12340000 01020304 11121314 00000000 00000000 00000000 00000000";

Deno.test("decodeLoginRequest() decodes a Login Request (11.12)", () => {
  assertEquals(decodeLoginRequest(frame(LOGIN, "413d3100")), {
    kind: "loginRequest",
    transit: true,
    continued: false,
    currentStage: 1,
    nextStage: 3,
    versionMin: 0,
    isid: 0x800102030405,
    tsih: 0x0a0b,
    initiatorTaskTag: 0xaabbccdd,
    cid: 0x1234,
    cmdSN: 0x01020304,
    expStatSN: 0x11121314,
    data: hex("413d3100"),
  });
  const continued = decodeLoginRequest(frame(LOGIN.replace("43870000", "43400203")));
  assertEquals([continued.transit, continued.continued, continued.versionMin], [false, true, 3]);
});

Deno.test("decodeLoginRequest() refuses every other opcode during a login", () => {
  for (let opcode = 0; opcode < 0x40; opcode++) {
    if (opcode === 3) continue;
    const header = `${opcode.toString(16).padStart(2, "0")}${LOGIN.slice(2)}`;
    const error = assertThrows(() => decodeLoginRequest(frame(header)), ProtocolError);
    assertObjectMatch(error.response, { kind: "login", status: LoginStatus.invalidDuringLogin });
  }
  assertEquals(hex(LOGIN).length, BASIC_HEADER_BYTES);
});
