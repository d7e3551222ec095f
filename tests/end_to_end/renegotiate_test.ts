/** `iscsi renegotiate` (RFC 7143, 11.9.1, event 4): initiators learn of a changed comment, and none is disturbed. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { runIscsi } from "../support/server_process.ts";
import { runTool, runToolOk, testWithTools, type Tool, type ToolResult } from "../support/tools.ts";
import { Appliance, FIRST_INITIATOR, XENSERVER } from "./appliance.ts";

const CONF = "networks = 127.0.0.0/8\n[xenserver]\nsize = 16MB\ncomment = old\n";
const NEGOTIATION_WANTED = 4;
const QEMU: readonly Tool[] = ["qemu-io", "qemu-img", "block-iscsi.so"];

/** Changes the comment in the conf. */
async function changeComment(appliance: Appliance): Promise<string> {
  appliance.writeConf(CONF.replace("old", "new"));
  const { code, stdout } = await appliance.build();
  assertEquals(code, 0);
  return stdout;
}

function renegotiate(appliance: Appliance): Promise<ToolResult> {
  return runIscsi(["renegotiate", "xenserver", "--yes", "--conf", appliance.confPath]);
}

Deno.test("build names who knows the old comment, and iscsi renegotiate has them told", async () => {
  using appliance = Appliance.create(CONF);
  await using server = await appliance.serve();
  await using initiator = await appliance.login({ initiatorName: FIRST_INITIATOR, targetName: XENSERVER });
  const built = await changeComment(appliance);
  assertStringIncludes(built, 'set comment of [xenserver] from "old" to "new"');
  assertStringIncludes(built, `"iscsi renegotiate":\n      ${FIRST_INITIATOR} (127.0.0.1) at [xenserver]\n`);
  const asked = renegotiate(appliance);
  assertEquals((await initiator.receive()).asynchronousEvent, NEGOTIATION_WANTED);
  assertEquals(new Map(await initiator.text([])).get("TargetAlias"), "new");
  const { code, stdout, stderr } = await asked;
  assertEquals([code, stderr], [0, ""]);
  assertEquals(
    stdout,
    `session 1: ${FIRST_INITIATOR} from 127.0.0.1 at [xenserver]\nsession 1 has been told\n`,
  );
  assertStringIncludes(server.stderr, "at [xenserver]: asked to negotiate by the administrator");
});

testWithTools("QEMU that writes all the while logs out and in again, and loses nothing", QEMU, async () => {
  using appliance = Appliance.create(CONF);
  await using server = await appliance.serve();
  const url = appliance.lunUrl(0, XENSERVER);
  // It writes the whole disk some twenty times over.
  const options = ["-w", "--pattern=7", "-c", "80000", "-d", "16", "-s", "4096"];
  const bench = runTool("qemu-img", ["bench", "-f", "raw", ...options, url]);
  await server.waitForLog("session begins");
  const { code, stdout } = await renegotiate(appliance);
  assertEquals([code, stdout.split("\n")[1]], [0, "session 1 is gone; it is told when it logs in again"]);
  const result = await bench;
  assertEquals(result.code, 0, result.stderr);
  assertEquals(server.stderr.split("session begins").length - 1, 2, "it has logged in twice");
  await runToolOk("qemu-io", ["-f", "raw", "-c", "read -P 7 0 16M", url]);
});
