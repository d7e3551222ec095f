import { assertEquals } from "@std/assert";
import { GB } from "../disk.ts";
import { diskWith, doubtsOf } from "./_found.ts";

Deno.test("findTwinStorage() names the folder whose disks have the same identities", () => {
  const twinStorages = [{ path: "/old", files: ["a", "b", "c"] }];
  assertEquals(doubtsOf(["[a]", "size=1GB"], diskWith({ a: GB }, [], { twinStorages })), [
    '1: Disks of "/s" have the identity of those of "/old" ("a" and 2 more), as after a copy, and initiators take ' +
    'both for one disk: serve only one of the two folders, or move "/s/.iscsi/identities.json" away and run ' +
    '"iscsi build" to give the disks here new identities',
  ]);
});
