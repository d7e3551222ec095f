/** `iscsi status --probe` and a firewall, in a network namespace of its own. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { findMountObstacle, testUnless } from "../support/obstacles.ts";
import { writeProgramScript } from "../support/server_process.ts";
import { findMissing, runTool } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";

/** Serves behind a rule like that of `portblock`, and prints what probes find before and after its removal. */
const SCRIPT = `set -e
rule="-p tcp -d 127.0.0.1 -m multiport --dports $3 -j DROP"
ip link set lo up
iptables -I INPUT $rule
"$1" serve --conf "$2" >/dev/null &
server=$!
trap "kill $server; wait $server" EXIT
"$1" status --wait 20 --probe --conf "$2"
iptables -D INPUT $rule
"$1" status --probe --conf "$2"
`;

testUnless(
  findMountObstacle() ?? findMissing(["ip", "iptables", "flock"]),
  "iscsi status --probe does not blame the server for a firewall, such as portblock",
  async () => {
    using appliance = Appliance.create("[disk]\nsize = 4MB\nnetworks = 127.0.0.1\n");
    assertEquals((await appliance.build()).code, 0);
    const program = join(appliance.folder, "iscsi");
    writeProgramScript(program);
    const words = [program, appliance.confPath, String(appliance.port)];
    const { code, stdout, stderr } = await runTool("unshare", ["--net", "sh", "-c", SCRIPT, "sh", ...words]);
    const portal = `127.0.0.1:${appliance.port}`;
    assertEquals([stdout.split("\n"), code], [
      [`${portal}: blocked: no connection, as behind a firewall`, `${portal}: answers`, ""],
      0,
    ], stderr);
  },
);
