import { assertEquals } from "@std/assert";
import { findStablePath, isUnstableName, stablePathsOf } from "../../lib/provision/stable_name.ts";
import { withHelperOutput } from "../support/helper_output.ts";

Deno.test("isUnstableName() finds the names that the kernel numbers", () => {
  for (const name of ["sda", "sdab3", "vda", "dm-4", "nvme0n1", "nvme0n1p2", "md127", "rbd0", "mmcblk0p1"]) {
    assertEquals(isUnstableName(`/dev/${name}`), true, name);
  }
  for (const name of ["mapper/mpatha", "vg/data", "disk/by-id/wwn-0x5", "rbd/pool/image", "drbd0", "loop0"]) {
    assertEquals(isUnstableName(`/dev/${name}`), false, name);
  }
});

const NOTHING = { type: "disk", name: "sdb", wwn: "", model: "", serial: "", partitionUuid: "" };

Deno.test("stablePathsOf() names what udev may have made", () => {
  assertEquals(stablePathsOf("/dev/sdb", NOTHING), []);
  assertEquals(stablePathsOf("/dev/dm-1", { ...NOTHING, type: "mpath", name: "mpatha" }), [
    "/dev/mapper/mpatha",
  ]);
  assertEquals(stablePathsOf("/dev/sdb", { ...NOTHING, wwn: "0x5", model: "A B", serial: " 7" }), [
    "/dev/disk/by-id/wwn-0x5",
    "/dev/disk/by-id/nvme-0x5",
    "/dev/disk/by-id/ata-A_B_7",
    "/dev/disk/by-id/nvme-A_B_7",
    "/dev/disk/by-id/virtio-7",
  ]);
  const part = { ...NOTHING, type: "part", name: "sdb2", wwn: "0x5", partitionUuid: "u" };
  assertEquals(stablePathsOf("/dev/sdb2", part), [
    "/dev/disk/by-id/wwn-0x5-part2",
    "/dev/disk/by-id/nvme-0x5-part2",
    "/dev/disk/by-partuuid/u",
  ]);
});

Deno.test("findStablePath() returns a name only of a device that is there", () => {
  withHelperOutput({ stdout: "8:16 disk sdb 0x5  7 \n" }, () => {
    assertEquals(findStablePath("/dev/sdb"), "/dev/disk/by-id/wwn-0x5");
  });
  withHelperOutput({}, () => assertEquals(findStablePath("/dev/sdb"), undefined));
});
