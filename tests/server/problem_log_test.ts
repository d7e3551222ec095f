import { assertEquals } from "@std/assert";
import type { UnitProblem } from "../../lib/control/unit_problem.ts";
import { ProblemLog } from "../../lib/server/problem_log.ts";
import { KeptLog } from "./_serving.ts";

function problem(lun: number, reason: string, isListed = true): UnitProblem {
  return { target: "a", lun, path: "/a", sizeBytes: 512, isListed, reason };
}

Deno.test("ProblemLog logs each problem once, a new reason, and that a unit is served again", () => {
  const log = new KeptLog();
  const problems = new ProblemLog(log);
  const linesOf = (list: readonly UnitProblem[], units: Record<string, boolean>): string[] => {
    problems.update(list, new Map(Object.entries(units)));
    return log.lines.splice(0);
  };
  const [first, second] = ["LUN 0 of [a]", "LUN 1 of [a]"];
  const retried = "initiators get NOT READY; trying again every few seconds";
  const both = { [first!]: true, [second!]: false };
  assertEquals(linesOf([problem(0, "one"), problem(1, "two", false)], both), [
    `error: LUN 0 of [a] is not served: one; ${retried}`,
    "error: LUN 1 of [a] is not served: two",
  ]);
  assertEquals(linesOf([problem(0, "one"), problem(1, "two", false)], both), []);
  assertEquals(linesOf([problem(0, "three")], both), [
    `error: LUN 0 of [a] is not served: three; ${retried}`,
  ]);
  // The second is about to be opened, and is then.
  assertEquals(linesOf([], { ...both, [second!]: true }), [
    "info: LUN 0 of [a] is served now",
    "info: LUN 1 of [a] is served now",
  ]);
  assertEquals(linesOf([problem(0, "one")], both).length, 1);
  assertEquals(linesOf([], {}), [], "it is not in the conf any more");
});
