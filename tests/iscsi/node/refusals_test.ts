import { assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { type Refusal, Refusals } from "../../../lib/iscsi/node/refusals.ts";
import { REFUSAL_REASONS } from "../../../lib/iscsi/events/refusal_reason.ts";

const REFUSAL: Refusal = {
  peerAddress: "10.0.0.2",
  initiatorName: "iqn.2000-01.a:b",
  targetName: "iqn.2000-01.t:disk",
  reason: "initiators",
  rule: "initiators of [disk] does not list it",
};

Deno.test("Refusals remembers equal ones once, the latest first", () => {
  const refusals = new Refusals();
  refusals.add(REFUSAL, 1_000);
  refusals.add({ ...REFUSAL, peerAddress: "10.0.0.3" }, 2_000);
  refusals.add(REFUSAL, 3_000);
  assertEquals(refusals.figures().recent, [
    { ...REFUSAL, count: 2, firstAtMs: 1_000, lastAtMs: 3_000 },
    { ...REFUSAL, peerAddress: "10.0.0.3", count: 1, firstAtMs: 2_000, lastAtMs: 2_000 },
  ]);
});

Deno.test("Refusals counts by reason, and names every reason", () => {
  const refusals = new Refusals();
  for (const reason of ["limit", "networks", "limit"] as const) refusals.add({ ...REFUSAL, reason }, 0);
  const { totals } = refusals.figures();
  assertEquals(Object.keys(totals), [...REFUSAL_REASONS]);
  assertEquals([totals.limit, totals.networks, totals.initiators], [2, 1, 0]);
});

Deno.test("Refusals forgets the oldest when there are many, but counts them", () => {
  const refusals = new Refusals();
  const count = Limits.recentRefusals + 3;
  for (let index = 0; index < count; index++) refusals.add({ ...REFUSAL, rule: String(index) }, index);
  const { recent, totals } = refusals.figures();
  assertEquals(recent.length, Limits.recentRefusals);
  assertEquals([recent[0]!.rule, recent.at(-1)!.rule], [String(count - 1), "3"]);
  assertEquals(totals.initiators, count);
});
