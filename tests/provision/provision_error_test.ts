import { assertEquals } from "@std/assert";
import { reasonOf } from "../../lib/provision/provision_error.ts";

Deno.test("reasonOf() names the remedy where there is a known one", () => {
  assertEquals(
    reasonOf(new Error("No space left on device (os error 28)")),
    "No space left on device (os error 28); make room and run it again",
  );
  assertEquals(reasonOf(new Error("Input/output error (os error 5)")), "Input/output error (os error 5)");
  assertEquals(reasonOf("no error"), "no error");
});

Deno.test("reasonOf() does not advise to have a program run with every right", async () => {
  const script = `import { reasonOf } from ${
    JSON.stringify(import.meta.resolve("../../lib/provision/provision_error.ts"))
  };
    for (const path of ["/proc/self/mem", "/proc/1", "/nowhere"]) {
      try { Deno.statSync(path); Deno.openSync(path); } catch (error) { console.log(reasonOf(error)); }
    }`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-read",
      `data:text/typescript,${encodeURIComponent(script)}`,
    ],
  }).output();
  const system = "it belongs to the system, as all in /proc, /sys and /dev does; choose another path";
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  assertEquals(lines.slice(0, 2), [system, system]);
  assertEquals(lines[2]?.startsWith("No such file or directory"), true);
});
