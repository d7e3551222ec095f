import { assertEquals } from "@std/assert";
import { PeerLog } from "../../../lib/iscsi/connection/peer_log.ts";
import { EventLog, type LogEvent } from "../../../lib/iscsi/events/event_log.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { LoginStatus } from "../../../lib/iscsi/pdu/login_status.ts";
import { loginBroken, loginFailed, redirected } from "../../../lib/iscsi/pdu/protocol_error.ts";
import type { LoginIdentity } from "../../../lib/iscsi/login/identity.ts";

const ENDS = { localAddress: "10.0.0.1", localPort: 3260, peerAddress: "10.0.0.2" };
const CLAIM: LoginIdentity = {
  initiatorName: "iqn.a",
  targetName: "iqn.t",
  discoveredName: undefined,
  isid: 1,
  tsih: 0,
  cid: 0,
  proved: undefined,
};

/** Opens a log of a peer that has claimed its names, and has been admitted if `isAdmitted`. */
function open(isAdmitted = false): { log: PeerLog; events: LogEvent[] } {
  const events: LogEvent[] = [];
  const identity = isAdmitted ? CLAIM : undefined;
  const log = new PeerLog(new EventLog((event) => events.push(event)), {
    ends: ENDS,
    claim: CLAIM,
    identity,
  });
  return { log, events };
}

Deno.test("warn() names an admitted initiator, and only the address of any other", () => {
  for (const [isAdmitted, name] of [[false, "10.0.0.2"], [true, "10.0.0.2 (iqn.a)"]] as const) {
    const { log, events } = open(isAdmitted);
    log.warn("a fault");
    assertEquals([events[0]!.level, events[0]!.message], ["warning", `${name}: a fault`]);
    const { event, peer, initiator, target } = events[0]!.details!;
    assertEquals([event, peer, initiator, target], ["peerFault", "10.0.0.2", "iqn.a", "iqn.t"]);
  }
});

Deno.test("warn() with a reason reports a refused login", () => {
  const { log, events } = open();
  log.warn("too slow", "time");
  assertEquals([events[0]!.details!.event, events[0]!.details!.reason], ["loginRefused", "time"]);
});

Deno.test("warn() is suppressed beyond the limit, and the last warning announces that", () => {
  const { log, events } = open();
  for (let count = 0; count < Limits.warnings + 5; count++) log.warn("again");
  assertEquals(events.length, Limits.warnings);
  const announcements = events.filter(({ message }) =>
    message.endsWith("; further warnings from this connection are suppressed")
  );
  assertEquals(announcements, events.slice(-1));
});

Deno.test("overlook() logs each kind of fault once, at level debug", () => {
  const { log, events } = open();
  for (const what of ["one", "other", "one"]) log.overlook(what);
  assertEquals(events.map(({ level, message }) => [level, message]), [
    ["debug", "10.0.0.2: overlooked: one"],
    ["debug", "10.0.0.2: overlooked: other"],
  ]);
});

Deno.test("fault() reports a redirection, a fault of the peer and a failure of the target at three levels", () => {
  const { log, events } = open();
  log.fault(redirected({ targetAddress: "10.0.0.9", isPermanent: true }, "elsewhere"));
  log.fault(loginFailed(LoginStatus.initiatorError, "wrong"));
  log.fault(loginBroken("iqn.a", new Error("ours")));
  assertEquals(events.map(({ level, details }) => [level, details!.event, details!.reason]), [
    ["info", "loginRedirected", undefined],
    ["warning", "loginRefused", "protocol"],
    ["error", "loginRefused", "fault"],
  ]);
});
