import { assertEquals } from "@std/assert";
import { isInside } from "../../lib/provision/is_inside.ts";

Deno.test("isInside() is true of what lies below a folder, and of nothing else", () => {
  const rows = [
    ["/s", "/s/a", true],
    ["/s", "/s/a/b", true],
    ["/", "/s", true],
    ["/s", "/s/..a", true],
    ["/s", "/s", false],
    ["/s/a", "/s", false],
    ["/s/a", "/s/b", false],
    ["/s/a/b", "/s", false],
    ["/s", "/sa", false],
    ["/s", "/", false],
  ] as const;
  for (const [folder, path, expected] of rows) {
    assertEquals(isInside(folder, path), expected, `"${path}" in "${folder}"`);
  }
});
