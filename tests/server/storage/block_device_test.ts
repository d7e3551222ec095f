/**
 * Block devices as backing: what `iscsi` does with a loop device under the rights of its task, which are not enough
 * to look at anything in /dev.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Appliance, XENSERVER } from "../../end_to_end/appliance.ts";
import { writeUint16, writeUint32, writeUint64 } from "../../../lib/bytes/big_endian.ts";
import type { Initiator } from "../../support/initiator.ts";
import { inquiry, read10, synchronizeCache10, testUnitReady, write10 } from "../../support/initiator_cdb.ts";
import { LOCK_COLUMNS, parseLocks } from "../../../lib/provision/lock_owner.ts";
import { DEVICE_BYTES, LoopDevice, testWithDevice } from "../../support/loop_device.ts";
import { iscsiCommand, runIscsi, ServerProcess } from "../../support/server_process.ts";
import { runTool, runToolOk, type Tool, type ToolResult } from "../../support/tools.ts";
import { until } from "../../support/until.ts";

const MB = 1024 ** 2;

function confOf(device: string, ...lines: readonly string[]): string {
  return ["networks=127.0.0.0/8", "[xenserver]", "size=8MB", `file=${device}`, ...lines, ""].join("\n");
}

function nodesOf(appliance: Appliance, folder: "read-write" | "read-only" = "read-write"): string[] {
  return [...Deno.readDirSync(`${appliance.storage}/.iscsi/links/${folder}`)].map(({ name }) => name);
}

function hasNodes(appliance: Appliance): boolean {
  const links = `${appliance.storage}/.iscsi/links`;
  return [...Deno.readDirSync(links)].some(({ name }) =>
    [...Deno.readDirSync(`${links}/${name}`)].some(({ isSymlink }) => !isSymlink)
  );
}

/** Runs a command of the program below another one. */
function runBelow(
  program: string,
  args: readonly string[],
  ...words: readonly string[]
): Promise<ToolResult> {
  const iscsi = iscsiCommand();
  return runTool(program, [...args, iscsi.program, ...iscsi.args, ...words]);
}

const INITIATORS: readonly Tool[] = ["iscsi-inq", "qemu-io", "block-iscsi.so"];

testWithDevice("a block device is served as it is, and its node is gone afterwards", INITIATORS, async () => {
  using device = LoopDevice.attach();
  using appliance = Appliance.create(confOf(device.path));
  const built = await appliance.build("--json");
  const useDevice = {
    kind: "useDevice",
    path: device.path,
    sizeBytes: 8 * MB,
    deviceBytes: DEVICE_BYTES,
    isNew: true,
  };
  assertEquals(JSON.parse(built.stdout).steps.at(-1), useDevice);
  await using server = await ServerProcess.start(appliance.confPath);
  const [node] = nodesOf(appliance);
  const { isBlockDevice, mode } = Deno.statSync(`${appliance.storage}/.iscsi/links/read-write/${node}`);
  assertEquals([isBlockDevice, mode! & 0o777], [true, 0o600]);
  assertStringIncludes(await runToolOk("iscsi-inq", [appliance.lunUrl(0)]), "DIRECT_ACCESS");
  const write = ["-f", "raw", "-c", "write -P 7 1M 64k", "-c", "flush", "-c", "read -P 7 1M 64k"];
  const output = await runToolOk("qemu-io", [...write, appliance.lunUrl(0)]);
  assert(!output.includes("failed"), output);
  assertEquals((await server.stop()).code, 0, server.stderr);
  assertEquals(hasNodes(appliance), false);
  await runToolOk("blockdev", ["--flushbufs", device.path]);
  assertEquals(device.read(MB, 65536), new Uint8Array(65536).fill(7));
  assertEquals(device.read(MB + 65536, 512), new Uint8Array(512));
});

/** UNMAP of one range. */
async function unmap(initiator: Initiator, lba: number, blocks: number): Promise<number> {
  const list = new Uint8Array(24);
  writeUint16(list, 0, 22);
  writeUint16(list, 2, 16);
  writeUint64(list, 8, lba);
  writeUint32(list, 16, blocks);
  const cdb = Uint8Array.of(0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0);
  return (await initiator.command({ cdb, write: list })).status;
}

testWithDevice(
  "a device that can discard gives back what initiators unmap, and zeros",
  ["fallocate"],
  async () => {
    using device = LoopDevice.attach();
    using appliance = Appliance.create(confOf(device.path));
    const allocated = (): number => Deno.statSync(device.file).blocks! * 512;
    await using server = await appliance.serve();
    {
      await using initiator = await appliance.login();
      await initiator.command({ cdb: testUnitReady() });
      const provisioning = (await initiator.command({ cdb: inquiry(8, 0xb2), read: 8 })).data;
      // LBPU, LBPWS, LBPWS10 and LBPRZ; thin.
      assertEquals([provisioning[5], provisioning[6]], [0xe4, 0x02]);
      const blocks = 128;
      for (let lba = 0; lba < 8 * MB / 512; lba += blocks) {
        const write = new Uint8Array(blocks * 512).fill(lba < 4 * MB / 512 ? 7 : 0);
        assertEquals((await initiator.command({ cdb: write10(lba, blocks), write })).status, 0);
      }
      assertEquals((await initiator.command({ cdb: synchronizeCache10() })).status, 0);
      assert(allocated() >= 8 * MB);
      assertEquals(await unmap(initiator, 2048 + 1, 2048), 0);
      assert(allocated() <= 7 * MB + 4096, `${allocated()}`);
      const { data } = await initiator.command({ cdb: read10(2048, 2051), read: 2051 * 512 });
      assertEquals([data[511], data[512 * 2049], data[512 * 2049 - 1]], [7, 7, 0]);
      assertEquals(data.reduce((sum, byte) => sum + byte, 0), 3 * 512 * 7);
    }
    const { code, stdout } = await runIscsi(["trim", "--conf", appliance.confPath]);
    assertEquals([code, stdout], [0, "LUN 0 of [xenserver]: 4 MB given back\n"]);
    assert(allocated() <= 3 * MB + 8192, `${allocated()}`);
    assertEquals((await server.stop()).code, 0, server.stderr);
    assertEquals(server.stderr.includes("Cannot"), false, server.stderr);
    const again = await runIscsi(["trim", "--conf", appliance.confPath]);
    assertEquals([again.code, again.stderr], [0, ""]);
    await runToolOk("blockdev", ["--flushbufs", device.path]);
    assertEquals([device.read(0, 1), device.read(4 * MB - 1, 2)], [Uint8Array.of(7), Uint8Array.of(7, 0)]);
  },
);

testWithDevice("a server that was killed leaves a node, which the next one removes", [], async () => {
  using first = LoopDevice.attach();
  using second = LoopDevice.attach();
  using appliance = Appliance.create(confOf(first.path));
  await using killed = await appliance.serve();
  const [leftBehind] = nodesOf(appliance);
  await killed.kill();
  assertEquals(nodesOf(appliance), [leftBehind]);
  appliance.writeConf(confOf(second.path));
  await using _server = await appliance.serve();
  const nodes = nodesOf(appliance);
  assertEquals(nodes.length, 1);
  assert(nodes[0] !== leftBehind, nodes[0]);
});

testWithDevice("a device that cannot be written is served read-only, or not at all", INITIATORS, async () => {
  using device = LoopDevice.attach("--read-only");
  using appliance = Appliance.create(confOf(device.path));
  const { code, stderr } = await appliance.build();
  assertEquals(code, 1);
  assertStringIncludes(stderr, `Cannot use block device "${device.path}": it is write-protected`);
  appliance.writeConf(confOf(device.path, "readonly=y"));
  await using _server = await appliance.serve();
  assertEquals([nodesOf(appliance).length, nodesOf(appliance, "read-only").length], [0, 1]);
  const args = ["-r", "-f", "raw", "-c", "read -P 0 0 1M", appliance.lunUrl(0, XENSERVER)];
  const output = await runToolOk("qemu-io", args);
  assert(!output.includes("failed"), output);
});

testWithDevice(
  "a device that another server has is not served, unless both only read it",
  ["flock"],
  async () => {
    using device = LoopDevice.attach();
    using first = Appliance.create(confOf(device.path));
    using second = Appliance.create(confOf(device.path));
    assertEquals((await second.build()).code, 0);
    {
      await using _server = await first.serve();
      await using other = await ServerProcess.start(second.confPath);
      await other.waitForLog(" has locked it");
      assertMatch(
        other.stderr,
        /Cannot serve "\/dev\/loop\d+": (process \d+ \(cat\)|another process) has locked it/,
      );
    }
    for (const appliance of [first, second]) appliance.writeConf(confOf(device.path, "readonly=y"));
    await using _reader = await first.serve();
    await using _other = await second.serve();
  },
);

testWithDevice(
  "a device stays locked until its server ends, whatever else is signalled",
  ["flock", "lslocks"],
  async () => {
    using device = LoopDevice.attach();
    using appliance = Appliance.create(confOf(device.path));
    await using server = await appliance.serve();
    const isFree = (): boolean => {
      const args = ["--exclusive", "--nonblock", device.path, "true"];
      return new Deno.Command("flock", { args }).outputSync().success;
    };
    const locks = parseLocks(await runToolOk("lslocks", ["--raw", "--noheadings", "--output", LOCK_COLUMNS]));
    const holders = locks.filter(({ path }) => path === device.path).map(({ pid }) => String(pid));
    assertEquals(holders.length, 1);
    await runToolOk("kill", ["-TERM", ...holders]);
    assertEquals(isFree(), false);
    await server.kill();
    await until(isFree, "the kernel has taken the lock back");
  },
);

testWithDevice("a device that is mounted here is not exported for writing", [], async () => {
  using device = LoopDevice.attach();
  using appliance = Appliance.create(confOf(device.path));
  await runToolOk("mkfs.ext4", ["-q", device.path]);
  const mount = 'mount "$0" "$1" && shift && exec "$@"';
  const args = ["--mount", "sh", "-c", mount, device.path, appliance.folder];
  const conf = Deno.makeTempFileSync();
  try {
    // The mount hides the appliance's folder, so the conf stands elsewhere.
    Deno.copyFileSync(appliance.confPath, conf);
    const { code, stderr } = await runBelow("unshare", args, "build", "--conf", conf);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `it, or a part of it, is mounted at "${appliance.folder}"`);
  } finally {
    Deno.removeSync(conf);
  }
});

testWithDevice("a storage folder on which devices cannot be opened is told with the remedy", [], async () => {
  using device = LoopDevice.attach();
  using appliance = Appliance.create(confOf(device.path));
  Deno.mkdirSync(appliance.storage);
  const mount =
    'mount -t tmpfs -o nodev none "$0" && "$@" build --conf "$CONF" && exec "$@" serve --conf "$CONF"';
  const wrapper = ["unshare", "--mount", "sh", "-c", mount, appliance.storage];
  await using server = ServerProcess.launchBelow(wrapper, [], { CONF: appliance.confPath });
  await server.waitForLog(" is not served: ", 20_000);
  const state = `${appliance.storage}/.iscsi`;
  assertStringIncludes(server.stderr, `Cannot open block device "${device.path}": Permission denied`);
  assertStringIncludes(server.stderr, `mount the file system of "${state}" without "nodev"`);
  await server.untilReady();
});

testWithDevice("whoever may not make nodes is told what it takes", [], async () => {
  using device = LoopDevice.attach();
  using appliance = Appliance.create(confOf(device.path));
  assertEquals((await appliance.build()).code, 0);
  const wrapper = ["setpriv", "--bounding-set", "-mknod"];
  await using server = ServerProcess.launchBelow(wrapper, ["serve", "--conf", appliance.confPath]);
  await server.waitForLog(" is not served: ", 20_000);
  assertMatch(
    server.stderr,
    /Cannot create a node of block device .*not permitted; run it as root, with CAP_MKNOD;/,
  );
  await server.untilReady();
  assertEquals(hasNodes(appliance), false);
});
