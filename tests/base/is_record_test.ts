import { assertEquals } from "@std/assert";
import { isRecord } from "../../lib/base/is_record.ts";

Deno.test("isRecord() accepts objects only", () => {
  assertEquals([{}, { a: 1 }, [], null, undefined, "text", 1].map(isRecord), [
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});
