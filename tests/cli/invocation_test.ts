import { assertEquals } from "@std/assert";
import { invocation } from "../../lib/cli/invocation.ts";

Deno.test("invocation() is what a person types, as the program was started", () => {
  const rows = [
    [true, "/usr/local/sbin/iscsi", "iscsi"],
    [true, "/root/dist/iscsi", "/root/dist/iscsi"],
    [false, "/usr/bin/deno", "deno task iscsi"],
    [false, "/usr/lib/node_modules/deno/deno", "deno task iscsi"],
    [false, "/root/.npm/_npx/cd86b0040dcb78fd/node_modules/deno/deno", "npx -y deno@2.9.6 task iscsi"],
  ] as const;
  for (const [isCompiled, path, expected] of rows) {
    assertEquals(invocation({ isCompiled, path, denoVersion: "2.9.6" }), expected);
  }
});
