import { assertEquals } from "@std/assert";
import { RejectReason } from "../../../lib/iscsi/pdu/reject_reason.ts";

Deno.test("RejectReason has the codes of RFC 7143, 11.17.1, without the deprecated 0x0b", () => {
  assertEquals(RejectReason, {
    dataDigestError: 2,
    snackReject: 3,
    protocolError: 4,
    commandNotSupported: 5,
    immediateCommandReject: 6,
    taskInProgress: 7,
    invalidDataAck: 8,
    invalidPduField: 9,
    longOperationReject: 10,
    waitingForLogout: 12,
  });
});
