import { assertEquals } from "@std/assert";
import { GB, MB } from "../disk.ts";
import { diskWith, doubtsOf } from "./_found.ts";

Deno.test("findRenamedTargets() names the line that keeps the data of a renamed target", () => {
  const old = { old: 750 * GB, old_1: 500 * MB };
  assertEquals(doubtsOf(["[new]", "size=750GB 500MB"], diskWith(old, ["new", "new_1"])), [
    '2: [new] gets empty disks, but unused "old", "old_1" have the same sizes: to keep the data, ' +
    'set "file=old" in [new]',
  ]);
  // A LUN was added at the end by the same edit.
  assertEquals(doubtsOf(["[new]", "size=750GB 500MB 1GB"], diskWith(old, ["new", "new_1", "new_2"])), [
    '2: [new] gets empty disks, but unused "old", "old_1" have the same sizes: to keep the data, ' +
    'set "file=old" in [new]',
  ]);
  // One target became two.
  assertEquals(doubtsOf(["[p]", "size=750GB", "[q]", "size=500MB"], diskWith(old, ["p", "q"])), [
    '2: [p] gets an empty disk, but unused "old" has the same size: to keep the data, set "file=old" in [p]',
    '4: [q] gets an empty disk, but unused "old_1" has the same size: to keep the data, set "file=old_1" in [q]',
  ]);
});

Deno.test("findRenamedTargets() knows files elsewhere, and a changed option file", () => {
  assertEquals(doubtsOf(["[a]", "size=1GB"], diskWith({ "/mnt/my disk": GB }, ["a"])), [
    '2: [a] gets an empty disk, but unused "/mnt/my disk" has the same size: to keep the data, ' +
    'set file="/mnt/my disk" in [a]',
  ]);
  assertEquals(doubtsOf(["[a]", "size=1GB", "file=sub/b"], diskWith({ a: GB }, ["sub/b"])), [
    '2: [a] gets an empty disk, but unused "a" has the same size: to keep the data, set "file=a" in [a]',
  ]);
});

Deno.test("findRenamedTargets() names all files that fit, the likest first, and three at most", () => {
  const old = { "vm-b": GB, "vm-a": GB, other: 2 * GB };
  const both = (first: string, second: string, name: string) =>
    `[${name}] gets an empty disk, but unused "${first}", "${second}" have the same size: ` +
    `to keep the data of one, set "file=${first}" or "file=${second}" in [${name}]`;
  const lines = ["[prod-a]", "size=1GB", "[prod-b]", "size=1GB"];
  assertEquals(doubtsOf(lines, diskWith(old, ["prod-a", "prod-b"])), [
    `2: ${both("vm-a", "vm-b", "prod-a")}`,
    `4: ${both("vm-b", "vm-a", "prod-b")}`,
  ]);
  const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`t${index}`, GB]));
  assertEquals(doubtsOf(["[x]", "size=1GB"], diskWith(many, ["x"])), [
    '2: [x] gets an empty disk, but unused "t0", "t1", "t2" (50 in all) have the same size: ' +
    'to keep the data of one, set "file=t0" or "file=t1" or "file=t2" in [x]',
  ]);
});

Deno.test("findRenamedTargets() finds a target that was renamed and made larger, by its name or another LUN", () => {
  assertEquals(doubtsOf(["[xen2]", "size=2GB"], diskWith({ xen: GB }, ["xen2"])), [
    '2: [xen2] gets an empty disk, but unused "xen" has no larger size: to keep the data, set "file=xen" in [xen2]',
  ]);
  assertEquals(doubtsOf(["[b]", "size=2GB 1GB"], diskWith({ a: GB, a_1: GB }, ["b", "b_1"])), [
    '2: [b] gets empty disks, but unused "a", "a_1" have no larger sizes: to keep the data, set "file=a" in [b]',
  ]);
  // The same size is a better fit than a smaller one.
  assertEquals(doubtsOf(["[xen2]", "size=2GB"], diskWith({ xen: GB, data: 2 * GB }, ["xen2"])), [
    '2: [xen2] gets an empty disk, but unused "data" has the same size: to keep the data, set "file=data" in [xen2]',
  ]);
});

Deno.test("findRenamedTargets() is silent about other targets", () => {
  const rows = [
    // Another size, and neither name is like the other.
    [["[b]", "size=2GB"], diskWith({ a: GB }, ["b"])],
    // A smaller size: the file would not be accepted.
    [["[ab]", "size=512MB"], diskWith({ a: GB }, ["ab"])],
    // Both are used.
    [["[a]", "size=1GB", "[b]", "size=1GB"], diskWith({ a: GB }, ["b"])],
    // The target has a file.
    [["[b]", "size=1GB"], diskWith({ a: GB, b: GB })],
    [["[b]", "size=1GB 1GB"], diskWith({ a: GB, b: GB }, ["b_1"])],
    // The unused file has gone.
    [["[b]", "size=1GB"], diskWith({}, ["b", "a"])],
  ] as const;
  for (const [lines, survey] of rows) assertEquals(doubtsOf(lines, survey), []);
});
