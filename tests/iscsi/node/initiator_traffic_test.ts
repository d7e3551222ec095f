import { assertEquals } from "@std/assert";
import { InitiatorTraffic } from "../../../lib/iscsi/node/initiator_traffic.ts";
import { Limits } from "../../../lib/iscsi/limits.ts";
import type { Session } from "../../../lib/iscsi/session/session.ts";
import { CommandKind, Traffic } from "../../../lib/scsi/counters/traffic.ts";

/** A session of an initiator that has read so many bytes. */
function sessionOf(initiatorName: string, readBytes: number, targetName = "iqn.t"): Session {
  const traffic = new Traffic();
  traffic.answeredAfter(1, CommandKind.read, readBytes);
  // Only this much of a session matters here.
  const session = {
    identity: { initiatorName },
    target: { config: { iscsiName: targetName } },
    nexus: { traffic: () => traffic },
  };
  return session as unknown as Session;
}

function figuresOf(traffic: InitiatorTraffic, ...sessions: readonly Session[]): unknown[] {
  return traffic.snapshot(sessions).map(({ initiatorName, targetName, sessions, traffic: { reads } }) => [
    initiatorName,
    targetName,
    sessions,
    reads.bytes,
  ]);
}

Deno.test("InitiatorTraffic adds up the sessions of an initiator with a target, past and present", () => {
  const traffic = new InitiatorTraffic();
  traffic.add(sessionOf("iqn.a", 1));
  traffic.add(sessionOf("iqn.a", 2));
  traffic.add(sessionOf("iqn.a", 4, "iqn.other"));
  const present = [sessionOf("iqn.a", 8), sessionOf("iqn.b", 16), sessionOf("iqn.b", 32)];
  assertEquals(figuresOf(traffic, ...present), [
    ["iqn.a", "iqn.t", 1, 11],
    ["iqn.a", "iqn.other", 0, 4],
    ["iqn.b", "iqn.t", 2, 48],
  ]);
});

Deno.test("InitiatorTraffic forgets who has been gone longest", () => {
  const traffic = new InitiatorTraffic();
  for (let index = 0; index < Limits.pastInitiators; index++) traffic.add(sessionOf(`iqn.${index}`, 1));
  traffic.add(sessionOf("iqn.0", 1));
  traffic.add(sessionOf("iqn.new", 1));
  const names = traffic.snapshot([]).map(({ initiatorName }) => initiatorName);
  assertEquals(names.length, Limits.pastInitiators);
  assertEquals([names.includes("iqn.0"), names.includes("iqn.1"), names.includes("iqn.new")], [
    true,
    false,
    true,
  ]);
});
