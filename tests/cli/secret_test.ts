import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { readSecretText } from "../../lib/config/secret.ts";
import { runCommand } from "./command_run.ts";

Deno.test("iscsi secret prints a secret that a conf can have, and another one each time", async () => {
  for (const [args, form] of [[[], /^[\w-]{16}\n$/], [["--hex"], /^0x[0-9a-f]{32}\n$/]] as const) {
    const { stdout, stderr, exitCode } = await runCommand(["secret", ...args]);
    assertEquals([stderr, exitCode], ["", 0]);
    assertMatch(stdout, form);
    assertEquals(readSecretText(stdout.trim()).problem, undefined);
    assertNotEquals((await runCommand(["secret", ...args])).stdout, stdout);
  }
});
