import { assertEquals } from "@std/assert";
import { AMPLE, disk, FOLDER, GB, MISSING, place } from "../disk.ts";
import { diskWith, doubtsOf } from "./_found.ts";

Deno.test("findDoubts() has none about an ordinary conf", () => {
  assertEquals(doubtsOf(["[a]", "size=1GB 2GB"], diskWith({ a: GB, a_1: 2 * GB })), []);
  assertEquals(doubtsOf(["[a]", "size=1GB 2GB"], diskWith({}, ["a", "a_1"])), []);
});

Deno.test("findDoubts() leaves out the free space where the conf is only checked", () => {
  const fileSystem = { ...AMPLE, availableBytes: 0 };
  const survey = disk([place("/s/a", MISSING, { fileSystem })], {
    storage: place("/s", FOLDER, { fileSystem }),
  });
  assertEquals(doubtsOf(["[a]", "size=1GB"], survey, { isElsewhere: false }).length, 1);
  assertEquals(doubtsOf(["[a]", "size=1GB"], survey, { isElsewhere: true }), []);
});
