import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { interfaceAddresses } from "../../lib/access/interfaces.ts";
import type { UnitNeeds } from "../../lib/cli/systemd_unit.ts";
import { unitNeeds } from "../../lib/cli/unit.ts";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { withScratch } from "../provision/scratch.ts";
import { runCommand } from "./command_run.ts";

const INTERFACES = interfaceAddresses([{ name: "eth0", address: "10.0.0.5", cidr: "10.0.0.5/24" }]);

function needsOf(text: string, file = "/etc/netmanager/iscsi.conf"): UnitNeeds {
  const { config, diagnostics } = parseConfig(text, { file });
  assertEquals(diagnostics, []);
  return unitNeeds(config!, INTERFACES);
}

const TARGET = "[a]\nsize=1MB 1MB\nnetworks=10.0.0.0/24\n";

Deno.test("iscsi unit prints the unit of a conf, and refuses a conf with errors as the others do", () =>
  withScratch(async (folder) => {
    const conf = join(folder, "iscsi.conf");
    Deno.writeTextFileSync(conf, `storage=${folder}/s\n${TARGET}`);
    const { stdout, stderr, exitCode } = await runCommand(["unit", "--conf", conf], folder);
    assertEquals([stderr, exitCode], ["", 0]);
    assertStringIncludes(stdout, "ReadWritePaths=-/scratch/s\n");
    assertMatch(
      stdout,
      /^ExecStart=\/usr\/local\/sbin\/iscsi serve --log journal --conf \/scratch\/iscsi\.conf$/m,
    );
    Deno.writeTextFileSync(conf, "[a]\n");
    assertEquals((await runCommand(["unit", "--conf", conf])).exitCode, 3);
    assertEquals((await runCommand(["unit", "--conf", join(folder, "none")])).exitCode, 1);
  }));

Deno.test("unitNeeds() has the folders that are written, and not those of read-only targets", () => {
  const text = `storage=/data\n${TARGET}[b]\nsize=1MB\nfile=/mnt/b\nnetworks=10.0.0.0/24\n` +
    "[c]\nsize=1MB\nfile=/iso/c\nreadonly=y\nnetworks=10.0.0.0/24\n[d]\nsize=1MB\nfile=/dev/sdz\nnetworks=10.0.0.0/24";
  const { folders, devices, unitCount, conf } = needsOf(text);
  assertEquals(folders, ["/data", "/mnt"]);
  assertEquals(devices.map(({ path, readOnly }) => [path, readOnly]), [["/dev/sdz", false]]);
  assertEquals([unitCount, conf], [5, undefined]);
});

Deno.test("unitNeeds() notices what lies in home folders and in those of temporary files", () => {
  const uses = (text: string, file?: string): boolean[] => {
    const { usesHome, usesTemporary } = needsOf(text, file);
    return [usesHome, usesTemporary];
  };
  assertEquals(uses(`storage=/data\n${TARGET}`), [false, false]);
  assertEquals(uses(`storage=/home/iscsi\n${TARGET}`), [true, false]);
  assertEquals(uses(`storage=/data\n${TARGET}file=/var/tmp/a`), [false, true]);
  assertEquals(uses(`storage=/data\n${TARGET}`, "/root/iscsi.conf"), [true, false]);
});

Deno.test("unitNeeds() knows all clients only when every target and the metrics are limited", () => {
  const networks = (text: string): readonly string[] | string => {
    const { networks, openReason } = needsOf(`storage=/data\n${text}`);
    return networks ?? openReason;
  };
  assertEquals(networks(TARGET), ["10.0.0.0/24"]);
  assertEquals(networks("[a]\nsize=1MB\nnetworks=10.0.0.5 fd00::/64"), ["10.0.0.5/24", "fd00::/64"]);
  assertEquals(networks(`metrics=9100\n${TARGET}`), ["localhost", "10.0.0.0/24"]);
  assertEquals(
    networks(`metrics=10.0.0.5:9100\n${TARGET}`),
    "the conf does not name the readers of the metrics",
  );
  assertEquals(networks(`${TARGET}[b]\nsize=1MB`), '[b] has no "networks"');
  assertEquals(networks("[a]\nsize=1MB\nnetworks=10.9.9.9"), "the network of 10.9.9.9 is not known now");
});

Deno.test("unitNeeds() notices ports below 1024", () => {
  assertEquals(needsOf(`storage=/data\n${TARGET}`).hasLowPort, false);
  assertEquals(needsOf(`storage=/data\nport=860\n${TARGET}`).hasLowPort, true);
  assertEquals(needsOf(`storage=/data\nmetrics=81\n${TARGET}`).hasLowPort, true);
});

Deno.test({
  name: "unitNeeds() notices files and private folders of other users (takes root)",
  ignore: Deno.uid() !== 0,
  fn: () =>
    withScratch((folder) => {
      const isForeign = (): boolean => needsOf(`storage=${folder}/s\n${TARGET}`).hasForeignFiles;
      Deno.mkdirSync(join(folder, "s"));
      Deno.writeTextFileSync(join(folder, "s/a"), "");
      assertEquals(isForeign(), false);
      Deno.chownSync(join(folder, "s/a"), 65534, 65534);
      assertEquals(isForeign(), true);
      Deno.chownSync(join(folder, "s/a"), 0, 0);
      Deno.chmodSync(folder, 0o755);
      Deno.chownSync(folder, 65534, 65534);
      assertEquals(isForeign(), false);
      Deno.chmodSync(folder, 0o700);
      assertEquals(isForeign(), true);
    }),
});
