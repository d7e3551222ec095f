import { assertEquals } from "@std/assert";
import { identityNumber } from "../conf.ts";
import { blockDevice, GB } from "../disk.ts";
import { diskAt, doubtsOf } from "./_found.ts";

const LINES = ["[a]", "size=1GB", "file=/dev/vg/x"];
const RECORDED = identityNumber(1);

Deno.test("findDeviceContents() warns of content at the first export of a device", () => {
  const device = blockDevice(GB, { content: "ext4" });
  const message = '3: Block device "/dev/vg/x" has content (ext4): initiators can overwrite it';
  assertEquals(doubtsOf(LINES, diskAt("/dev/vg/x", device)), [message]);
  assertEquals(doubtsOf(LINES, diskAt("/dev/vg/x", device, RECORDED)), []);
  assertEquals(doubtsOf([...LINES, "readonly=y"], diskAt("/dev/vg/x", device)), []);
  assertEquals(doubtsOf(LINES, diskAt("/dev/vg/x", blockDevice(GB))), []);
});

Deno.test("findHeldDevices() warns of an exported device that this machine uses, too", () => {
  const device = blockDevice(GB, { holder: "vg0-data (lvm)" });
  assertEquals(doubtsOf(LINES, diskAt("/dev/vg/x", device, RECORDED)), [
    '3: Block device "/dev/vg/x" also holds vg0-data (lvm) on this machine, and writes of both destroy the data: ' +
    'exclude the device there, as with "global_filter" of lvm.conf',
  ]);
  // At the first export it is an error, which the examination reports.
  assertEquals(doubtsOf(LINES, diskAt("/dev/vg/x", device)), []);
  assertEquals(doubtsOf([...LINES, "readonly=y"], diskAt("/dev/vg/x", device, RECORDED)), []);
});
