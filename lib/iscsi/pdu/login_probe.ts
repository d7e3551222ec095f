/**
 * A login that is begun and not continued, to see whether a target answers.
 *
 * The one request of it sets C: its text is incomplete, so the target answers with a Login Response without data (RFC
 * 7143, 11.12.2), and decides on nothing. No login is refused, and none fails.
 */
import { writeUint24 } from "../../bytes/big_endian.ts";
import { BASIC_HEADER_BYTES, CONTINUED, Offset, opcodeOf, paddedLength } from "./header.ts";
import { LoginStage } from "./initiator_pdus.ts";
import { InitiatorOpcode, TargetOpcode } from "./opcodes.ts";
import { encodeText } from "./text.ts";

/** I, which is always set in a Login Request (11.12). */
const IMMEDIATE = 0x40;

/** Returns the PDU of a Login Request whose text continues. */
export function encodeLoginProbe(): Uint8Array {
  const data = encodeText([["InitiatorName", "iqn.2002-08.info.netmanager:probe"], [
    "SessionType",
    "Discovery",
  ]]);
  const pdu = new Uint8Array(BASIC_HEADER_BYTES + paddedLength(data.length));
  pdu[Offset.opcode] = IMMEDIATE | InitiatorOpcode.loginRequest;
  pdu[Offset.flags] = CONTINUED | LoginStage.security << 2;
  writeUint24(pdu, Offset.dataSegmentLength, data.length);
  pdu.set(data, BASIC_HEADER_BYTES);
  return pdu;
}

/** Returns whether a header is that of a Login Response, whatever its status. */
export function isLoginResponse(header: Uint8Array): boolean {
  return opcodeOf(header) === TargetOpcode.loginResponse;
}
