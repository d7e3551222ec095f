import { assertEquals } from "@std/assert";
import { formatDiagnostic } from "../../lib/config/diagnostic.ts";
import { Diagnostics, quote } from "../../lib/config/diagnostics.ts";

Deno.test("formatDiagnostic() writes file, line and message", () => {
  const place = { file: "/etc/netmanager/iscsi.conf", line: 7 };
  assertEquals(
    formatDiagnostic({ severity: "error", ...place, message: "Missing size" }),
    "/etc/netmanager/iscsi.conf:7: Missing size",
  );
  assertEquals(
    formatDiagnostic({ severity: "warning", ...place, message: "File has no target" }),
    "/etc/netmanager/iscsi.conf:7: warning: File has no target",
  );
});

Deno.test("Diagnostics keeps lines in order, and messages of one line in theirs", () => {
  const diagnostics = new Diagnostics("conf");
  diagnostics.at(3).warning("c");
  assertEquals(diagnostics.hasErrors, false);
  diagnostics.error(1, "a");
  diagnostics.at(3).error("b");
  assertEquals(diagnostics.hasErrors, true);
  assertEquals(diagnostics.toArray().map(({ line, message }) => [line, message]), [[1, "a"], [3, "c"], [
    3,
    "b",
  ]]);
});

Deno.test("quote() shows control characters, and the beginning of long text", () => {
  assertEquals(quote('a"\n\0'), '"a\\"\\n\\u0000"');
  assertEquals(quote("x".repeat(121)), `"${"x".repeat(120)}..."`);
});
