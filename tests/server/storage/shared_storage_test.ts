/** Block devices that have storage in common: two LUNs of a conf, or of two servers, must not both be on it. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Appliance } from "../../end_to_end/appliance.ts";
import { testUnitReady } from "../../support/initiator_cdb.ts";
import { LoopDevice, testWithDevice } from "../../support/loop_device.ts";
import { runIscsi, ServerProcess } from "../../support/server_process.ts";

function confOf(...paths: readonly string[]): string {
  const sections = paths.flatMap((path, index) => [`[t${index}]`, "size=4MB", `file=${path}`]);
  return ["networks=127.0.0.0/8", ...sections, ""].join("\n");
}

testWithDevice(
  "check and build refuse a disk and its partition, and a loop device and its file, as two LUNs of a conf",
  [],
  async () => {
    using device = LoopDevice.attach("--partscan");
    const [one, two] = await device.divide();
    using appliance = Appliance.create(confOf(one, two));
    const checked = await runIscsi(["check", "--conf", appliance.confPath]);
    assertEquals([checked.code, checked.stderr], [0, ""]);
    for (
      const paths of [[device.path, one], [two, device.path], [device.file, device.path], [one, device.file]]
    ) {
      // A file has exactly the size of its LUN.
      const conf = confOf(...paths).replaceAll(/size=4MB(?=\nfile=\/tmp)/g, "size=16MB");
      appliance.writeConf(conf);
      for (const command of ["check", "build"]) {
        const { code, stderr } = await runIscsi([command, "--conf", appliance.confPath]);
        assertEquals(code === 0, false, `${command} ${paths}`);
        assertStringIncludes(stderr, `"${paths[1]}"`);
        assertMatch(stderr, /it and ".*" of line \d+ have blocks in common/);
      }
    }
  },
);

testWithDevice(
  "serve leaves out the LUN that has blocks in common with another one",
  ["flock"],
  async () => {
    using device = LoopDevice.attach("--partscan");
    const [one, two] = await device.divide();
    using appliance = Appliance.create(confOf(one, two));
    assertEquals((await appliance.build()).code, 0);
    appliance.writeConf(confOf(one, device.path));
    await using server = await ServerProcess.start(appliance.confPath);
    await server.waitForLog("LUN 0 of [t1] is not served: ");
    assertStringIncludes(server.stderr, "have blocks in common");
    await using initiator = await appliance.login({ targetName: "iqn.2002-08.info.netmanager:t0" });
    await initiator.command({ cdb: testUnitReady() });
    assertEquals((await initiator.command({ cdb: testUnitReady() })).status, 0);
  },
);

testWithDevice(
  "a server does not serve what another server uses as a part of something else",
  ["flock"],
  async () => {
    using device = LoopDevice.attach("--partscan");
    const [one, two] = await device.divide();
    using first = Appliance.create(confOf(one));
    await using _server = await first.serve();
    // The other partition is free.
    using second = Appliance.create(confOf(two));
    {
      await using _other = await second.serve();
    }
    for (const [path, size] of [[device.path, "4MB"], [device.file, "16MB"]] as const) {
      using third = Appliance.create(confOf(path).replace("4MB", size));
      assertEquals((await third.build()).code, 0);
      await using other = await ServerProcess.start(third.confPath);
      await other.waitForLog(" has locked it");
    }
    // And the reverse.
    using whole = Appliance.create(confOf(device.file).replace("4MB", "16MB"));
    await _server.stop();
    await using _writer = await whole.serve();
    await using again = await ServerProcess.start(first.confPath);
    await again.waitForLog("which has blocks in common with it");
  },
);
