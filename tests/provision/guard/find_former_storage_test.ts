import { assertEquals } from "@std/assert";
import { GB } from "../disk.ts";
import { diskWith, doubtsOf } from "./_found.ts";

Deno.test("findFormerStorage() names the folder that has the disks of the conf", () => {
  const formerStorages = [
    { path: "/little", files: ["a"] },
    { path: "/old", files: ["a", "b", "c", "d", "unknown"] },
  ];
  const names = ["a", "b", "c", "d"];
  const lines = names.flatMap((name) => [`[${name}]`, "size=1GB"]);
  assertEquals(doubtsOf(lines, diskWith({}, names, { formerStorages })), [
    '1: Storage folder "/s" gets empty disks, but "/old" has "a", "b", "c" and 1 more: to keep their data, ' +
    'set "storage=/old", or move that folder before the build',
  ]);
});

Deno.test("findFormerStorage() is silent when the disks are in their place, or have other names", () => {
  const formerStorages = [{ path: "/old", files: ["a"] }];
  assertEquals(doubtsOf(["[b]", "size=1GB"], diskWith({}, ["b"], { formerStorages })), []);
  assertEquals(doubtsOf(["[a]", "size=1GB"], diskWith({ a: GB }, [], { formerStorages })), []);
});
