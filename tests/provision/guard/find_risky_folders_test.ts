import { assertEquals } from "@std/assert";
import { AMPLE, disk, GB, MISSING, place } from "../disk.ts";
import { diskWith, doubtsOf } from "./_found.ts";

const LINES = ["[a]", "size=1GB"];
const IN_MEMORY = "is in memory, and its disks are lost at the next boot; use a file system on a disk";
const ON_NETWORK =
  "is on a network file system: every LUN hangs when the network does; use a disk of this machine";

Deno.test("findRiskyFileSystems() warns once of each file system that is no place for disks", () => {
  const rows = [
    [0x01021994, `(tmpfs) ${IN_MEMORY}`],
    [0x6969, `(NFS) ${ON_NETWORK}`],
    [0xff534d42, `(CIFS) ${ON_NETWORK}`],
  ] as const;
  for (const [type, expected] of rows) {
    const fileSystem = { ...AMPLE, type };
    const storage = place("/s", { kind: "folder", mode: 0o755 }, { fileSystem });
    const survey = disk([place("/s/a", MISSING, { fileSystem })], { storage });
    assertEquals(doubtsOf(LINES, survey), [`1: Storage folder "/s" ${expected}`]);
  }
  const fileSystem = { ...AMPLE, device: 2, type: 0x6969 };
  assertEquals(doubtsOf([...LINES, "file=/nfs/a"], disk([place("/nfs/a", MISSING, { fileSystem })])), [
    `3: "/nfs/a" (NFS) ${ON_NETWORK}`,
  ]);
});

Deno.test("findRiskyFileSystems() is silent about temporary folders", () => {
  const fileSystem = { ...AMPLE, type: 0x01021994 };
  for (const realPath of ["/tmp/s", "/var/tmp/x/s"]) {
    const storage = place("/s", { kind: "folder", mode: 0o755 }, { fileSystem, realPath });
    const unit = place("/s/a", MISSING, { fileSystem, realPath: `${realPath}/a` });
    assertEquals(doubtsOf(LINES, disk([unit], { storage })), []);
  }
});

Deno.test("findStrangeFolder() warns of a folder that others use", () => {
  const found = (...strangers: string[]) => doubtsOf(LINES, diskWith({}, ["a"], { strangers }));
  const remedy = "use a folder for the disks alone";
  assertEquals(found(), []);
  assertEquals(found("bob"), [`1: Storage folder "/s" has other files ("bob"): ${remedy}`]);
  assertEquals(found("\x1b[2Jb\n"), [`1: Storage folder "/s" has other files ("\\u001b[2Jb\\n"): ${remedy}`]);
  assertEquals(found("alice", "bob", "carl"), [
    `1: Storage folder "/s" has other files ("alice" and 2 more): ${remedy}`,
  ]);
});

Deno.test("findExposedFolder() warns of a folder that everyone can write", () => {
  for (const [mode, text] of [[0o777, "0777"], [0o1777, "1777"], [0o702, "0702"]] as const) {
    const storage = place("/s", { kind: "folder", mode });
    assertEquals(doubtsOf(LINES, diskWith({}, ["a"], { storage })), [
      `1: The mode of storage folder "/s" is ${text}, so every user can put a file in the place of a disk: ` +
      'run "chmod o-w" on it',
    ]);
  }
  for (const mode of [0o755, 0o775, 0o700]) {
    assertEquals(
      doubtsOf(LINES, diskWith({}, ["a"], { storage: place("/s", { kind: "folder", mode }) })),
      [],
    );
  }
});

Deno.test("findUnmountedFolders() refuses new disks where another file system should be mounted", () => {
  const unmounted = ["/s"];
  const message = (folder: string, path: string) =>
    `Folder "${folder}" of /etc/fstab is not mounted, so "${path}" would be on another file system: run ` +
    `"mount ${folder}", or "iscsi build --force" to use the folder as it is`;
  const survey = diskWith({}, ["a"], { unmounted });
  assertEquals(doubtsOf(LINES, survey), [`1: error: ${message("/s", "/s/a")}`]);
  assertEquals(doubtsOf(LINES, survey, { force: true }), [`1: ${message("/s", "/s/a")}`]);
  const elsewhere = diskWith({}, ["/mnt/a"], { unmounted: ["/mnt"] });
  assertEquals(doubtsOf([...LINES, "file=/mnt/a"], elsewhere), [`3: error: ${message("/mnt", "/mnt/a")}`]);
  // Disks that are there were made there.
  assertEquals(doubtsOf(LINES, diskWith({ a: GB }, [], { unmounted })), []);
});

Deno.test("findUntrustedLocks() warns of a folder in which another machine may not see a lock", () => {
  assertEquals(doubtsOf(LINES, diskWith({}, ["a"], { lockFault: '9p, mounted with "rw"; use NFSv4' })), [
    '1: Storage folder "/s": a server on another machine may not see its lock, and would write to the same disks ' +
    '(file system 9p, mounted with "rw"; use NFSv4); "iscsi serve" takes --force there',
  ]);
});
