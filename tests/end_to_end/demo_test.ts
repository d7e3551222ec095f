/** The first thing that a newcomer runs. */
import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { iscsiCommand, runIscsi, ServerProcess } from "../support/server_process.ts";
import { runAndHangUp } from "../support/terminal.ts";
import { runToolOk, testWithTools } from "../support/tools.ts";

const TOOLS = ["iscsi-ls", "qemu-img", "qemu-io", "block-iscsi.so"] as const;

testWithTools(
  "what the demonstration says can be done as it says, and it leaves nothing behind",
  TOOLS,
  async () => {
    await using server = await ServerProcess.demonstrate();
    assertEquals(server.stderr.includes("No server is running"), false);
    const [, commands = ""] = /^Connect .*?:\n((?: {2}.*\n)+)or as root/ms.exec(server.stdout) ?? [];
    const stdout = await runToolOk("sh", ["-e", "-c", commands]);
    assertMatch(stdout, /^Lun:1 +Type:DIRECT_ACCESS \(Size:499M\)$/m);
    assertStringIncludes(stdout, "virtual size: 500 MiB");
    assertMatch(stdout, /^read 1048576\/1048576 bytes at offset 0$/m);

    const [, conf = ""] = /^ {2}.*iscsi status --watch --conf (.*)$/m.exec(server.stdout) ?? [];
    const status = await runIscsi(["status", "--conf", conf]);
    assertEquals(status.code, 0, status.stderr);
    assertStringIncludes(status.stdout, "An example with two disks");

    assertEquals((await server.stop("SIGINT")).code, 0, server.stderr);
    await assertRejects(() => Deno.stat(conf), Deno.errors.NotFound);
  },
);

testWithTools("the demonstration ends with its terminal, and leaves nothing behind", ["script"], async () => {
  const folder = await Deno.makeTempDir({ prefix: "iscsi-" });
  try {
    const { program, args } = iscsiCommand();
    const command = [program, ...args, "demo"];
    const { code, output } = await runAndHangUp(command, { folder, until: "Ctrl-C ends the demonstration" });
    assertEquals(code, 0, output);
    const [, conf = ""] = /^ {2}.*iscsi status --watch --conf (\S+)\s*$/m.exec(output) ?? [];
    assertMatch(conf, /iscsi-demo-/);
    await assertRejects(() => Deno.stat(conf), Deno.errors.NotFound);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
