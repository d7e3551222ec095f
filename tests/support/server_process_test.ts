import { assert, assertEquals, assertRejects } from "@std/assert";
import { freePort, iscsiCommand, runIscsi, ServerProcess } from "./server_process.ts";

Deno.test("runIscsi() runs the program", async () => {
  const { code, stdout } = await runIscsi(["--version"]);
  assertEquals([code, /^iscsi \d+\.\d+\.\d+\n$/.test(stdout)], [0, true]);
});

Deno.test("iscsiCommand() gives the program no more than the task does", () => {
  const { args } = iscsiCommand();
  assert(!args.includes("--allow-all") && !args.includes("-A"), args.join(" "));
});

Deno.test("start() throws what a server has said that does not serve", async () => {
  await assertRejects(() => ServerProcess.start("/nowhere/iscsi.conf"), Error, "/nowhere/iscsi.conf");
});

Deno.test("freePort() finds a port that can be listened at, away from those of clients", () => {
  const port = freePort();
  assert(port >= 16384 && port < 32768, String(port));
  Deno.listen({ hostname: "127.0.0.1", port }).close();
});
