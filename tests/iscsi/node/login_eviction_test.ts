/** The choice of the pending login that gives way to a new one. */
import { assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { type LoginCandidate, pickVictim, sourceOf } from "../../../lib/iscsi/node/login_eviction.ts";

interface Candidate extends LoginCandidate {
  readonly address: string;
}

function candidates(
  count: number,
  address: (index: number) => string,
  isIdentified = false,
): Candidate[] {
  return Array.from({ length: count }, (_, index) => ({ address: address(index), isIdentified }));
}

function victimOf(candidates: readonly Candidate[], address: string): Candidate | undefined {
  const sources = candidates.map((candidate) => [candidate, sourceOf(candidate.address)] as const);
  return pickVictim(new Map(sources), sourceOf(address));
}

Deno.test("pickVictim() names nobody while there is room", () => {
  assertEquals(victimOf([], "10.0.0.1"), undefined);
  const own = candidates(Limits.connectionsInLoginPerAddress - 1, () => "10.0.0.1");
  assertEquals(victimOf(own, "10.0.0.1"), undefined);
  const all = candidates(Limits.connectionsInLogin - 1, (index) => `10.0.0.${index}`);
  assertEquals(victimOf(all, "10.0.0.250"), undefined);
});

Deno.test("pickVictim() names the oldest from the same address, first of those who have not said who they are", () => {
  const silent = candidates(Limits.connectionsInLoginPerAddress - 1, () => "10.0.0.1");
  const [known] = candidates(1, () => "10.0.0.1", true);
  assertEquals(victimOf([known!, ...silent], "10.0.0.1"), silent[0]);
  assertEquals(victimOf([known!, ...silent], "::ffff:10.0.0.1"), silent[0]);
  const allKnown = candidates(Limits.connectionsInLoginPerAddress, () => "10.0.0.1", true);
  assertEquals(victimOf(allKnown, "10.0.0.1"), allKnown[0]);
  assertEquals(victimOf(allKnown, "10.0.0.2"), undefined);
});

Deno.test("pickVictim() takes all addresses of an IPv6 network for one", () => {
  const crowd = candidates(Limits.connectionsInLoginPerAddress, (index) => `fd00:1::${index.toString(16)}`);
  assertEquals(victimOf(crowd, "fd00:1::ffff:1"), crowd[0]);
  assertEquals(victimOf(crowd, "fd00:2::1"), undefined);
});

Deno.test("pickVictim() names one of the largest crowd when there are too many in all", () => {
  const crowd = candidates(5, () => "10.9.9.9");
  const rest = candidates(Limits.connectionsInLogin - 5, (index) => `10.0.0.${index}`);
  assertEquals(victimOf([...rest, ...crowd], "192.168.0.1"), crowd[0]);
});
