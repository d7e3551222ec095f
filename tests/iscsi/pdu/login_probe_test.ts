import { assertEquals } from "@std/assert";
import { BASIC_HEADER_BYTES } from "../../../lib/iscsi/pdu/header.ts";
import { decodeLoginRequest } from "../../../lib/iscsi/pdu/initiator_pdus.ts";
import { encodeLoginProbe, isLoginResponse } from "../../../lib/iscsi/pdu/login_probe.ts";
import { hex } from "../../support/scripted_target.ts";

Deno.test("encodeLoginProbe() makes a Login Request that commits its sender to nothing (11.12)", () => {
  const pdu = encodeLoginProbe();
  const [header, rest] = [pdu.subarray(0, BASIC_HEADER_BYTES), pdu.subarray(BASIC_HEADER_BYTES)];
  assertEquals(header.subarray(0, 5), hex("43 40 00 00 00"));
  const length = header[5]! << 16 | header[6]! << 8 | header[7]!;
  assertEquals(rest.length, (length + 3) & ~3);
  const data = rest.subarray(0, length);
  const { kind, transit, continued, currentStage, tsih } = decodeLoginRequest(
    { header, data, hasDataDigestError: false },
  );
  assertEquals([kind, transit, continued, currentStage, tsih], ["loginRequest", false, true, 0, 0]);
  assertEquals(
    new TextDecoder().decode(data),
    "InitiatorName=iqn.2002-08.info.netmanager:probe\0SessionType=Discovery\0",
  );
});

Deno.test("isLoginResponse() takes a Login Response of any status, and no other PDU", () => {
  const header = new Uint8Array(BASIC_HEADER_BYTES);
  const taken = [0x23, 0x3f, 0x43, 0x00].map((opcode) => {
    header[0] = opcode;
    return isLoginResponse(header);
  });
  assertEquals(taken, [true, false, false, false]);
});
