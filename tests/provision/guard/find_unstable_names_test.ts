import { assertEquals } from "@std/assert";
import { blockDevice, GB } from "../disk.ts";
import { diskAt, doubtsOf } from "./_found.ts";

Deno.test("findUnstableNames() warns of a name that may lead to another device, and names a stable one", () => {
  const warn = (path: string, stablePath?: string): string[] =>
    doubtsOf(["[a]", "size=1GB", `file=${path}`], diskAt(path, blockDevice(GB, { stablePath })));
  const doubt = '3: Block device "/dev/sdb" may be another one after a restart or on another machine: ';
  assertEquals(warn("/dev/sdb"), [`${doubt}use a name in /dev/disk or /dev/mapper`]);
  assertEquals(warn("/dev/sdb", "/dev/disk/by-id/wwn-0x5"), [
    `${doubt}set "file" to "/dev/disk/by-id/wwn-0x5" before initiators use it ` +
    "(a LUN at another path has another identity)",
  ]);
  assertEquals(warn("/dev/mapper/mpatha"), []);
});
