/** The identity in the first text of a login (RFC 7143, 6.3), without a connection. */
import { assertEquals, assertThrows } from "@std/assert";
import { isDiscovery, readIdentity } from "../../../lib/iscsi/login/identity.ts";
import type { LoginRequest } from "../../../lib/iscsi/pdu/initiator_pdus.ts";
import { LoginStatus } from "../../../lib/iscsi/pdu/login_status.ts";
import { ProtocolError } from "../../../lib/iscsi/pdu/protocol_error.ts";

const REQUEST = { isid: 1, tsih: 2, cid: 3 } as LoginRequest;
const NUMBERS = { isid: 1, tsih: 2, cid: 3, proved: undefined };
const A = "iqn.2000-01.com.example:a";
const T = "iqn.2000-01.com.example:t";

Deno.test("readIdentity() folds names, and distinguishes the targets of normal and discovery sessions", () => {
  const initiatorName = A;
  const names = { InitiatorName: A.toUpperCase(), TargetName: T.toUpperCase() };
  const discovery = { ...names, SessionType: "Discovery" };
  const rows = [
    [names, { targetName: T, discoveredName: undefined }, false],
    [{ ...names, SessionType: "Normal" }, { targetName: T, discoveredName: undefined }, false],
    [discovery, { targetName: undefined, discoveredName: T }, true],
    [
      { InitiatorName: A, SessionType: "Discovery" },
      { targetName: undefined, discoveredName: undefined },
      true,
    ],
  ] as const;
  for (const [keys, expected, discovers] of rows) {
    const identity = readIdentity(new Map(Object.entries(keys)), REQUEST);
    assertEquals(identity, { initiatorName, ...expected, ...NUMBERS });
    assertEquals(isDiscovery(identity), discovers);
  }
});

Deno.test("readIdentity() refuses a missing or malformed name, and another session type", () => {
  const names = { InitiatorName: A, TargetName: T };
  const rows = [
    [{ TargetName: T }, LoginStatus.missingParameter, "Login Request has no InitiatorName"],
    [{ InitiatorName: A }, LoginStatus.missingParameter, "Login Request has no TargetName"],
    [{ ...names, TargetName: "t" }, LoginStatus.initiatorError, 'TargetName "t" is not an iSCSI name'],
    [{ ...names, SessionType: "x" }, LoginStatus.sessionTypeNotSupported, 'SessionType "x" is not supported'],
  ] as const;
  for (const [keys, status, message] of rows) {
    const read = (): unknown => readIdentity(new Map(Object.entries(keys)), REQUEST);
    const { response } = assertThrows(read, ProtocolError, message);
    assertEquals(response.kind === "login" && response.status, status);
  }
});
