import { assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { TextBudget } from "../../../lib/iscsi/negotiation/text_budget.ts";

const ALL = Limits.textBudgetBytes;

Deno.test("TextBudget accepts texts up to its limit, and always a text that does not grow", () => {
  const budget = new TextBudget();
  assertEquals(budget.change(0, ALL - 10), true);
  assertEquals(budget.change(0, 11), false);
  assertEquals(budget.bytes, ALL - 10);
  assertEquals(budget.change(0, 10), true);
  assertEquals(budget.change(10, 11), false);
  assertEquals(budget.change(10, 10), true);
  assertEquals(budget.change(ALL - 10, 5), true);
  assertEquals(budget.change(10, 11), true);
  assertEquals(budget.bytes, 16);
});

Deno.test("TextBudget has room for one text of any length, and then for no other", () => {
  const budget = new TextBudget();
  assertEquals(budget.change(0, 2 * ALL), true);
  assertEquals([budget.change(0, 1), budget.change(0, 0)], [false, true]);
  assertEquals(budget.change(2 * ALL, 2 * ALL), true);
  assertEquals(budget.change(2 * ALL, 0), true);
  assertEquals([budget.change(0, 1), budget.bytes], [true, 1]);
});
