import { assertEquals } from "@std/assert";
import { parseListing, parseLoops, readDeviceStorage } from "../../lib/provision/device_storage.ts";
import { withHelperOutput } from "../support/helper_output.ts";

Deno.test("parseListing() lists each device once", () => {
  const lines = [
    "253:0 lvm /dev/mapper/vg-a\\x20b ",
    "  8:1 part /dev/sda1 0x5000",
    "8:0 disk /dev/sda 0x5000",
    "8:1 part /dev/sda1 0x5000",
    "lsblk: warning",
    "",
  ];
  assertEquals(parseListing(lines.join("\n")), [
    { number: "253:0", type: "lvm", path: "/dev/mapper/vg-a b", wwn: "" },
    { number: "8:1", type: "part", path: "/dev/sda1", wwn: "0x5000" },
    { number: "8:0", type: "disk", path: "/dev/sda", wwn: "0x5000" },
  ]);
});

Deno.test("parseLoops() reads the files of loop devices", () => {
  assertEquals(parseLoops("/dev/loop0 /a\\x20b\n/dev/loop1 \n"), new Map([["/dev/loop0", "/a b"]]));
});

Deno.test("readDeviceStorage() gives the world wide name to whole disks only", () => {
  withHelperOutput({ stdout: "8:1 part /dev/sda1 0x5000\n8:0 disk /dev/sda 0x5000\n" }, () => {
    assertEquals(readDeviceStorage("/dev/sda1"), {
      keys: ["device 8:1"],
      belowKeys: ["device 8:0", "wwn 0x5000"],
      below: [{ path: "/dev/sda", isDevice: true }],
    });
  });
  withHelperOutput({}, () => {
    assertEquals(readDeviceStorage("/dev/none"), { keys: [], belowKeys: [], below: [] });
  });
});
