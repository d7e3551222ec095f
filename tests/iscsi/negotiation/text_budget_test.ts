import { assertEquals } from "@std/assert";
import { Limits } from "../../../lib/iscsi/limits.ts";
import { TextBudget } from "../../../lib/iscsi/negotiation/text_budget.ts";

const ALL = Limits.textBudgetBytes;

Deno.test("TextBudget takes texts up to its limit, and what shrinks or stays always", () => {
  const retained = new TextBudget();
  assertEquals(retained.change(0, ALL - 10), true);
  assertEquals(retained.change(0, 11), false);
  assertEquals(retained.bytes, ALL - 10);
  assertEquals(retained.change(0, 10), true);
  assertEquals(retained.change(10, 11), false);
  assertEquals(retained.change(10, 10), true);
  assertEquals(retained.change(ALL - 10, 5), true);
  assertEquals(retained.change(10, 11), true);
  assertEquals(retained.bytes, 16);
});

Deno.test("TextBudget has room for one text, however long, and then for none beside it", () => {
  const retained = new TextBudget();
  assertEquals(retained.change(0, 2 * ALL), true);
  assertEquals([retained.change(0, 1), retained.change(0, 0)], [false, true]);
  assertEquals(retained.change(2 * ALL, 2 * ALL), true);
  assertEquals(retained.change(2 * ALL, 0), true);
  assertEquals([retained.change(0, 1), retained.bytes], [true, 1]);
});
