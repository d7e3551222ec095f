import { assertEquals } from "@std/assert";
import type { Verdict } from "../end_to_end/iscsi_test_cu.ts";
import { conformanceConf, KINDS } from "./kinds.ts";
import { judge } from "./verdicts.ts";

function verdicts(...kinds: readonly Verdict["kind"][]): { kind: string; verdict: Verdict }[] {
  return kinds.map((kind, index) => ({ kind: `kind${index}`, verdict: { kind, reason: `${kind} so` } }));
}

Deno.test("judge() passes what passes on one kind and fails on none", () => {
  assertEquals(judge("a.b", verdicts("skipped", "passed"), undefined).passed, true);
  for (const ends of [["passed", "failed"], ["passed", "hung"], ["skipped", "skipped"]] as const) {
    assertEquals(judge("a.b", verdicts(...ends), undefined).passed, false, ends.join());
  }
});

Deno.test("judge() says on which kind something went wrong", () => {
  assertEquals(judge("a.b", verdicts("passed", "failed"), undefined).reason, "kind1: failed, failed so");
  assertEquals(
    judge("a.b", verdicts("skipped"), undefined).reason,
    "skipped everywhere: kind0: skipped, skipped so",
  );
});

Deno.test("judge() passes what is exempt, as long as it ends as it is said to", () => {
  const exempt = (ends: "failed" | "skipped", ...kinds: readonly Verdict["kind"][]): boolean =>
    judge("a.b", verdicts(...kinds), { ends, reason: "because" }).passed;
  assertEquals(exempt("failed", "failed", "skipped"), true);
  assertEquals(exempt("skipped", "skipped", "skipped"), true);
  assertEquals(exempt("skipped", "failed", "skipped"), false);
  assertEquals(exempt("failed", "hung", "failed"), false);
  assertEquals(exempt("failed", "passed"), false);
  assertEquals(exempt("skipped", "passed", "skipped"), false);
});

Deno.test("judge() passes what is exempt for its speed, however fast the machine is", () => {
  const exemption = { ends: "failed", dependsOnSpeed: true, reason: "because" } as const;
  const exemptOf = (...kinds: readonly Verdict["kind"][]): boolean[] => {
    const { passed, exempt } = judge("a.b", verdicts(...kinds), exemption);
    return [passed, exempt];
  };
  assertEquals(exemptOf("failed", "passed"), [true, true]);
  assertEquals(exemptOf("passed", "passed"), [true, false]);
  assertEquals(exemptOf("skipped"), [false, false]);
});

Deno.test("conformanceConf() has a section for every kind", () => {
  const sections = [...conformanceConf().matchAll(/^\[(.*)\]$/gm)].map(([, name]) => name);
  assertEquals(sections, KINDS.map(({ name }) => name));
});
