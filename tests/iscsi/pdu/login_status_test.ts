import { assertEquals } from "@std/assert";
import { LoginStatus } from "../../../lib/iscsi/pdu/login_status.ts";

/** Status-Class and Status-Detail as RFC 7143, 11.13.5, lists them. */
const STATUSES: Readonly<Record<keyof typeof LoginStatus, readonly [statusClass: number, detail: number]>> = {
  success: [0, 0],
  movedTemporarily: [1, 1],
  movedPermanently: [1, 2],
  initiatorError: [2, 0],
  authenticationFailure: [2, 1],
  authorizationFailure: [2, 2],
  notFound: [2, 3],
  targetRemoved: [2, 4],
  unsupportedVersion: [2, 5],
  tooManyConnections: [2, 6],
  missingParameter: [2, 7],
  cannotIncludeInSession: [2, 8],
  sessionTypeNotSupported: [2, 9],
  sessionDoesNotExist: [2, 10],
  invalidDuringLogin: [2, 11],
  targetError: [3, 0],
  serviceUnavailable: [3, 1],
  outOfResources: [3, 2],
};

Deno.test("LoginStatus has the codes of RFC 7143, 11.13.5", () => {
  const codes = Object.entries(LoginStatus).map(([name, status]) => [name, [status >> 8, status & 0xff]]);
  assertEquals(Object.fromEntries(codes), STATUSES);
});
