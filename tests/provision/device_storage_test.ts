import { assertEquals } from "@std/assert";
import { parseListing, parseLoops, readDeviceStorage } from "../../lib/provision/device_storage.ts";
import { type HelperOutput, withHelperOutput } from "../support/helper_output.ts";

Deno.test("parseListing() lists each device once", () => {
  const lines = [
    "253:0 lvm /dev/mapper/vg-a\\x20b  ",
    "  8:1   part /dev/sda1 0x5000 ",
    "8:0 disk /dev/sda 0x5000 S\\x207",
    "8:1 part /dev/sda1 0x5000 ",
    "8:16 disk /dev/sdb  T",
    "lsblk: warning",
    "",
  ];
  assertEquals(parseListing(lines.join("\n")), [
    { number: "253:0", type: "lvm", path: "/dev/mapper/vg-a b", wwn: "", serial: "" },
    { number: "8:1", type: "part", path: "/dev/sda1", wwn: "0x5000", serial: "" },
    { number: "8:0", type: "disk", path: "/dev/sda", wwn: "0x5000", serial: "S 7" },
    { number: "8:16", type: "disk", path: "/dev/sdb", wwn: "", serial: "T" },
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
      disk: "/dev/sda",
    });
  });
  withHelperOutput({}, () => {
    assertEquals(readDeviceStorage("/dev/none"), { keys: [], belowKeys: [], below: [] });
  });
});

Deno.test("readDeviceStorage() takes disks of one world wide name for one only with the same serial number", () => {
  const keysOf = (line: string): readonly string[] => {
    let keys: readonly string[] = [];
    withHelperOutput({ stdout: `${line}\n` }, () => keys = readDeviceStorage("/dev/disk").keys);
    return keys;
  };
  const [first, second] = [keysOf("8:0 disk /dev/sda 0x5000 A"), keysOf("8:16 disk /dev/sdb 0x5000 A")];
  assertEquals([first[1], keysOf("8:32 disk /dev/sdc 0x5000 B")[1] === first[1]], [second[1], false]);
  assertEquals(keysOf("259:0 disk /dev/nvme0n1 0x5000 ")[1], keysOf("259:1 disk /dev/nvme1n1 0x5000 ")[1]);
});

Deno.test("readDeviceStorage() takes a loop device without losetup", () => {
  const outputOf = ([program]: readonly string[]): HelperOutput => {
    if (program === "losetup") throw new Deno.errors.NotFound();
    return { stdout: "7:0 loop /dev/loop0  \n" };
  };
  withHelperOutput(outputOf, () => {
    assertEquals(readDeviceStorage("/dev/loop0"), { keys: ["device 7:0"], belowKeys: [], below: [] });
  });
});
