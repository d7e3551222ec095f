import { assertEquals } from "@std/assert";
import {
  findLockOwner,
  findLockOwnerOf,
  type ListedLock,
  lookUpLockOwner,
} from "../../lib/provision/lock_owner.ts";
import { withHelperOutput } from "../support/helper_output.ts";

/** A line of `lslocks` for a lock of inode 7. */
function lineOf(lock: Pick<ListedLock, "pid" | "device">): string {
  return `${lock.pid} FLOCK WRITE ${lock.device} 7 server /tmp/${lock.pid}\n`;
}

Deno.test("findLockOwner() distinguishes files of one inode by the numbers of their file systems (makedev(3))", () => {
  const devices: readonly (readonly [text: string, dev: number])[] = [
    ["0:0", 0],
    ["8:1", 0x801],
    ["254:0", 0xfe00],
    ["8:256", 0x10_0800],
    ["259:1048575", 0xfff1_03ff],
    ["4660:5", 0x1000_0002_3405],
  ];
  const locks = devices.map(([device], index) => ({ pid: index + 1, device }));
  withHelperOutput({ stdout: locks.map(lineOf).join("") }, () => {
    for (const [index, [device, dev]] of devices.entries()) {
      assertEquals(findLockOwner({ dev, ino: 7 })?.pid, index + 1, device);
    }
    assertEquals(findLockOwner({ dev: 0x801, ino: 8 }), undefined);
  });
});

Deno.test("findLockOwner() takes a lock of the inode alone where no number matches, as on btrfs", () => {
  withHelperOutput({ stdout: lineOf({ pid: 1, device: "0:40" }) }, () => {
    assertEquals(findLockOwner({ dev: 0x29, ino: 7 })?.pid, 1);
  });
});

Deno.test("lookUpLockOwner() takes no lock of the same inode on another disk for that of a hidden process", () => {
  for (const [device, dev] of [["8:17", 0x801], ["0:40", 0x801], ["8:17", 0x29]] as const) {
    withHelperOutput({ stdout: lineOf({ pid: 1, device }) }, () => {
      assertEquals(lookUpLockOwner({ dev, ino: 7 }), "hidden");
    });
  }
});

Deno.test("findLockOwnerOf() finds a lock by the path that is locked", () => {
  withHelperOutput({ stdout: [1, 2, 3].map((pid) => lineOf({ pid, device: "0:6" })).join("") }, () => {
    assertEquals(findLockOwnerOf("/tmp/2")?.pid, 2);
    assertEquals(findLockOwnerOf("/tmp/4"), undefined);
  });
});
