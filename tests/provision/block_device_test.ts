import { assertEquals, assertThrows } from "@std/assert";
import { parseBlockDevice, readBlockDevice } from "../../lib/provision/block_device.ts";
import { findExports } from "../../lib/provision/find_exports.ts";
import { provision } from "../../lib/provision/provision.ts";
import { ProvisionError } from "../../lib/provision/provision_error.ts";
import { configOf } from "./conf.ts";
import { UNUSED } from "./disk.ts";
import { withHelperOutput } from "../support/helper_output.ts";
import { findNodeObstacle, findSysfsObstacle, testUnless } from "../support/obstacles.ts";
import { runToolOk } from "../support/tools.ts";
import { snapshot, withScratch } from "./scratch.ts";

const NO_SYSFS = findSysfsObstacle();

Deno.test("parseBlockDevice() reads the device from the first line", () => {
  assertEquals(parseBlockDevice("7:0 67108864 0 \n"), { major: 7, minor: 0, sizeBytes: 2 ** 26, ...UNUSED });
  assertEquals(parseBlockDevice("259:1048575 1024 1 \n7:1 512 0  part  loop1 0 0 loop1\n"), {
    major: 259,
    minor: 1048575,
    sizeBytes: 1024,
    ...UNUSED,
    isWriteProtected: true,
    parts: ["loop1"],
  });
  // Without the space at the end, and padded as in a table.
  assertEquals(parseBlockDevice("  8:16  1024  0\n"), { major: 8, minor: 16, sizeBytes: 1024, ...UNUSED });
});

Deno.test("parseBlockDevice() finds a mount of the device, or of anything on it", () => {
  assertEquals(parseBlockDevice("8:0 4096 0 /mnt\n")?.mountPoint, "/mnt");
  assertEquals(parseBlockDevice("8:0 4096 0 \n8:1 1024 0 \n253:0 512 0 [SWAP]\n")?.mountPoint, "[SWAP]");
  assertEquals(parseBlockDevice("8:0 4096 0 /m\\x20\\xc3\\xa9\\x5cn\n")?.mountPoint, "/m \u00e9\\n");
});

Deno.test("parseBlockDevice() finds holders other than partitions, content and parts", () => {
  const disk = "8:0 4096 0  disk  sda 0 0 sda\n8:1 1024 0  part ext4 sda1 0 0 sda1\n" +
    "8:2 1024 0  part LVM2_member sda2 0 0 sda2\n";
  assertEquals(parseBlockDevice(disk), {
    major: 8,
    minor: 0,
    sizeBytes: 4096,
    ...UNUSED,
    content: "ext4",
    parts: ["sda1", "sda2"],
  });
  const held = parseBlockDevice(`${disk}253:0 512 0  lvm swap vg0-a\\x20b 0 0 dm-0\n`);
  assertEquals([held?.holder, held?.parts], ["vg0-a b (lvm)", ["sda1", "sda2", "dm-0"]]);
  // The device itself may be a volume.
  const volume = parseBlockDevice(
    "253:0 4096 0  lvm  vg0-thin 137438953472 65536\n8:1 1024 0  part ext4 sda1 0 0\n",
  );
  assertEquals([volume?.discardBytesMax, volume?.discardGranuleBytes, volume?.isMapped], [
    2 ** 37,
    65_536,
    true,
  ]);
  assertEquals(parseBlockDevice("253:0 4096 0  lvm  vg0-data\n")?.holder, undefined);
});

Deno.test("parseBlockDevice() names the multipath map of a path", () => {
  const path = "8:16 4096 0  disk mpath_member sdb 0 0 sdb\n253:1 4096 0  mpath  mpatha 0 0 dm-1\n";
  assertEquals(parseBlockDevice(path)?.multipath, "mpatha");
  // The map itself, with a partition.
  const map = "253:1 4096 0  mpath  mpatha 0 0 dm-1\n253:2 1024 0  part  mpatha1 0 0 dm-2\n";
  assertEquals(parseBlockDevice(map)?.multipath, undefined);
});

Deno.test("parseBlockDevice() takes nothing else for a device", () => {
  for (const text of ["", "\n", "lsblk: unknown column\n", "8:0 4096\n", "8:0 4096 2 \n"]) {
    assertEquals(parseBlockDevice(text), undefined, text);
  }
});

testUnless(NO_SYSFS, "readBlockDevice() describes a path that is not a block device", () => {
  const none = "not a block device, or does not exist";
  for (const path of ["/dev/null", "/dev/none", "/dev/shm", "/"]) assertEquals(readBlockDevice(path), none);
});

Deno.test("readBlockDevice() distinguishes an empty drive from unexpected output of lsblk", () => {
  withHelperOutput({}, () => {
    assertEquals(readBlockDevice("/dev/sr0"), "a block device without a medium");
  });
  withHelperOutput({ stderr: "lsblk: /dev/sr0: Input/output error" }, () => {
    assertThrows(() => readBlockDevice("/dev/sr0"), ProvisionError, "lsblk: /dev/sr0: Input/output error");
  });
  withHelperOutput({ stdout: "sr0 1G\n" }, () => {
    assertThrows(() => readBlockDevice("/dev/sr0"), ProvisionError, 'lsblk: unexpected output "sr0 1G\\n"');
  });
});

testUnless(
  findNodeObstacle() ?? NO_SYSFS,
  "readBlockDevice() reports the error of lsblk for an unknown device",
  async () => {
    await withScratch(async (folder) => {
      const node = `${folder}/node`;
      // A number that no device has.
      await runToolOk("mknod", [node, "b", "7", "1048575"]);
      assertThrows(() => readBlockDevice(node), ProvisionError, "failed to get sysfs name");
    });
  },
);

testUnless(NO_SYSFS, "provision() refuses whatever in /dev is no block device", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=512", "file=/dev/none");
    const message =
      'Cannot use block device "/dev/none": it is not a block device, or does not exist; connect it, or set "file" ' +
      "to another path";
    assertEquals((await provision(config)).errors.map((error) => error.message), [message]);
    assertEquals(findExports(config).errors.map((error) => error.message), [message]);
    assertEquals(snapshot(folder), {});
  });
});
