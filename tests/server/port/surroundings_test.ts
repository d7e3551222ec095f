import { assertEquals } from "@std/assert";
import { interfaceAddresses } from "../../../lib/access/interfaces.ts";
import { parseConfig } from "../../../lib/config/parse_config.ts";
import { listeningScope, surroundingsOf } from "../../../lib/server/port/surroundings.ts";
import { workerPermissions } from "../../../lib/server/worker_permissions.ts";

Deno.test("listeningScope() gives a worker no right that the process lacks", () => {
  const { config } = parseConfig("[a]\nsize=1MB\nnetworks=10.0.0.0/8\n", { file: "conf" });
  const interfaces = interfaceAddresses([
    { name: "eth0", address: "10.0.0.5", cidr: "10.0.0.5/24" },
    { name: "eth1", address: "10.0.1.5", cidr: "10.0.1.5/24" },
  ]);
  const { plan } = surroundingsOf(config!, config!.port, interfaces);
  const netOf = (has: (right: Deno.PermissionDescriptor) => boolean): readonly string[] =>
    workerPermissions({ place: "/s/.iscsi", ...listeningScope(config!, plan, { has }) }).net;
  assertEquals(netOf(() => true), ["10.0.0.5:3260", "10.0.1.5:3260", "10.0.0.0/8:3260"]);
  assertEquals(netOf((right) => right.name === "net" && right.host === "10.0.0.5:3260"), ["10.0.0.5:3260"]);
});
