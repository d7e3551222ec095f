import { assertEquals } from "@std/assert";
import { findSharedPorts } from "../../../lib/provision/guard/find_shared_ports.ts";
import { configOf } from "../conf.ts";
import { AMPLE, blockDevice, disk, MB, MISSING, place } from "../disk.ts";

/** A device that lies on disks with these keys. */
function device(path: string, key: string, ...belowKeys: string[]): ReturnType<typeof place> {
  return place(path, blockDevice(MB, { keys: [key], belowKeys }), { fileSystem: undefined });
}

const SURVEY = disk([
  place("/s/a", MISSING, { fileSystem: { ...AMPLE, device: 1 } }),
  place("/s/b", MISSING, { fileSystem: { ...AMPLE, device: 1 } }),
  place("/usb/c", MISSING, { fileSystem: { ...AMPLE, device: 2 } }),
  device("/dev/sdb", "device 8:16"),
  device("/dev/sdc", "device 8:32"),
  device("/dev/sdd", "device 8:48"),
  device("/dev/sdd1", "device 8:49", "device 8:48"),
  device("/dev/sdd2", "device 8:50", "device 8:48"),
  place("/dev/none", MISSING, { fileSystem: undefined }),
]);

function found(...lines: string[]): string[] {
  return findSharedPorts(configOf("storage=/s", "[a]", "size=1MB", "[b]", "size=1MB", ...lines), SURVEY)
    .map(({ line, message }) => `${line}: ${message}`);
}

Deno.test("findSharedPorts() warns of disks that one worker serves, and of no others", () => {
  const advice = 'a disk that hangs stops both; give [c] its own "port"';
  assertEquals(found(), []);
  assertEquals(found("[c]", "size=1MB", "file=/usb/c", "port=3261"), []);
  assertEquals(found("[c]", "size=1MB", "file=/usb/c"), [
    `7: "/s/a" and "/usb/c" are on different disks and share port 3260: ${advice}`,
  ]);
  assertEquals(found("[c]", "size=1MB", "file=/dev/sdb"), [
    `7: "/s/a" and "/dev/sdb" are on different disks and share port 3260: ${advice}`,
  ]);
});

Deno.test("findSharedPorts() leaves out devices that this machine does not have", () => {
  assertEquals(found("[c]", "size=1MB", "file=/dev/none"), []);
});

Deno.test("findSharedPorts() takes partitions of a disk for one disk", () => {
  const lines = ["[c]", "size=1MB", "file=/dev/sdd1", "port=3261", "[d]", "size=1MB", "port=3261"];
  assertEquals(found(...lines, "file=/dev/sdd2"), []);
  assertEquals(found(...lines, "file=/dev/sdb").length, 1);
});

Deno.test("findSharedPorts() warns once for each port", () => {
  const lines = ["[c]", "size=1MB", "file=/usb/c", "[d]", "size=1MB", "file=/dev/sdb", "port=3261"];
  const more = ["[e]", "size=1MB", "file=/dev/sdc", "port=3261", "[f]", "size=1MB", "file=/dev/sdd"];
  assertEquals(found(...lines, ...more).map((line) => /\d+: .* port (\d+)/.exec(line)?.[1]), [
    "3260",
    "3261",
  ]);
});
