/** The examination of a logical unit: its place, its device, and the size that it has room for. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { type Examination, examine } from "../../../lib/provision/examine/examine.ts";
import type { RecordedIdentity } from "../../../lib/provision/identity/recorded_identity.ts";
import type { Entry, Place, Survey } from "../../../lib/provision/survey.ts";
import { configOf, createdFile, identityNumber } from "../conf.ts";
import { AMPLE, blockDevice, disk, file, FOLDER, GB, MB, MISSING, place, STATE_FOLDER } from "../disk.ts";

const RECORDED: RecordedIdentity = { ...identityNumber(1), ...createdFile(MB) };

/** Examines a LUN of 1 MB at a path. */
function examineAt(
  path: string,
  entry: Entry,
  { recorded, size = "1MB", around, changes }: {
    readonly recorded?: RecordedIdentity;
    readonly size?: string;
    readonly around?: Partial<Place>;
    readonly changes?: Partial<Survey>;
  } = {},
): Examination {
  const identities = new Map(recorded === undefined ? [] : [[path.replace("/s/", ""), recorded]]);
  const survey = disk([place(path, entry, around)], {
    recorded: { kind: "recorded", identities },
    ...changes,
  });
  return examine(configOf("storage=/s", "[a]", `file=${path}`, `size=${size}`), survey);
}

function messagesOf({ problems }: Examination): string[] {
  return problems.map(({ message }) => message);
}

Deno.test("examine() refuses a new disk in a folder of the operating system, and knows an old one", () => {
  const rows = [
    ["/etc/passwd", file(MB), "/etc"],
    ["/boot/disk", MISSING, "/boot"],
    ["/usr/bin/iscsi", file(10), "/usr/bin"],
    ["/usr/share/disk", MISSING, "/usr/share"],
    ["/proc/kcore", { kind: "unreadable", reason: "no access" }, "/proc"],
    ["/sys/power/x", file(4096), "/sys"],
  ] as const;
  for (const [path, entry, folder] of rows) {
    const { problems } = examineAt(path, entry);
    assertEquals(problems.map(({ message, isMistaken }) => [message, isMistaken]), [[
      `Cannot use "${path}" as a backing file: "${folder}" belongs to the operating system; ` +
      'set "file" to a path in "/s"',
      true,
    ]]);
  }
  assertEquals(messagesOf(examineAt("/etc/passwd", file(MB), { recorded: RECORDED })), []);
});

Deno.test("examine() takes disks elsewhere, and in a storage folder that was built among system files", () => {
  for (const path of ["/srv/a", "/usr/shares/iscsi/a", "/usr/local/a", "/var/lib/a", "/etcetera/a"]) {
    assertEquals(messagesOf(examineAt(path, MISSING)), [], path);
  }
  const changes = {
    storage: place("/s", FOLDER, { realPath: "/usr/share/iscsi" }),
    stateFolder: place("/s/.iscsi", STATE_FOLDER, { realPath: "/usr/share/iscsi/.iscsi" }),
  };
  const around = { realPath: "/usr/share/iscsi/a" };
  assertEquals(messagesOf(examineAt("/s/a", MISSING, { around, changes })), []);
});

Deno.test("examine() refuses a storage folder among system files before its first build, and the root always", () => {
  const storageAt = (realPath: string, state: Entry): string[] => {
    const changes = {
      storage: place("/s", FOLDER, { realPath }),
      stateFolder: place("/s/.iscsi", state, { realPath: `${realPath}/.iscsi`.replace("//", "/") }),
    };
    return messagesOf(examineAt("/x/a", MISSING, { changes }));
  };
  const use = 'Cannot use "/s" as a folder';
  const remedy = 'set "storage" to another folder';
  const belongs = `${use}: "/etc" belongs to the operating system; ${remedy}`;
  const root = `${use}: a symbolic link leads to "/", which contains every file; ${remedy}`;
  assertEquals(storageAt("/etc", MISSING), [belongs]);
  assertEquals(storageAt("/etc/iscsi", MISSING), [belongs]);
  assertEquals(storageAt("/etc/iscsi", STATE_FOLDER), []);
  assertEquals(storageAt("/", MISSING), [root]);
  assertEquals(storageAt("/", STATE_FOLDER), [root]);
  assertEquals(storageAt("/usr/shares/iscsi", MISSING), []);
});

Deno.test("examine() refuses a size that no file of the file system can have", () => {
  const fileSystem = { ...AMPLE, fileBytesMax: 16 * 1024 * GB - 4096 };
  const around = { fileSystem };
  const excess = (action: string) =>
    `${action} with size 16 TB (17592186044416 bytes): files on its file system have at most 16 TB ` +
    '(17592186040320 bytes); lower "size" or use another file system, such as XFS';
  const { problems } = examineAt("/s/a", MISSING, { around, size: "16TB" });
  assertEquals(problems.map(({ message, isMistaken }) => [message, isMistaken]), [
    [excess('Cannot create "/s/a"'), true],
  ]);
  const grown = { around, size: "16TB", recorded: RECORDED };
  assertEquals(messagesOf(examineAt("/s/a", file(MB), grown)), [excess('Cannot grow "/s/a"')]);
  assertEquals(messagesOf(examineAt("/s/a", MISSING, { around, size: "15TB" })), []);
  assertEquals(messagesOf(examineAt("/s/a", MISSING, { around, size: "17592186040320" })), []);
});

Deno.test("examine() refuses a new device that this machine has made something of, and serves an old one", () => {
  const device = blockDevice(MB, { holder: "vg0-data (lvm)" });
  assertEquals(messagesOf(examineAt("/dev/sdx", device)), [
    'Cannot use block device "/dev/sdx": it, or a part of it, holds vg0-data (lvm); remove that or use another device',
  ]);
  assertEquals(messagesOf(examineAt("/dev/sdx", device, { recorded: identityNumber(1) })), []);
});

Deno.test("examine() lets no two LUNs have storage in common, in either order", () => {
  const onDisk = { belowKeys: ["device 8:0", "wwn 0x5", "inode 1:9"] };
  const disks = {
    "/dev/sdx": blockDevice(MB, { minor: 0, keys: ["device 8:0", "wwn 0x5"], belowKeys: ["inode 1:9"] }),
    "/dev/sdx1": blockDevice(MB, { minor: 1, ...onDisk }),
    "/dev/sdx2": blockDevice(MB, { minor: 2, ...onDisk }),
    // Another path to the same disk.
    "/dev/sdy": blockDevice(MB, { minor: 16, keys: ["device 8:16", "wwn 0x5"] }),
    "/dev/sdz": blockDevice(MB, { minor: 32 }),
    "/s/image": file(MB, 0, 9),
  };
  const problemsOf = (...paths: readonly (keyof typeof disks)[]): string[] => {
    const places = paths.map((path) => place(path, disks[path], { fileSystem: undefined }));
    const lines = paths.flatMap((path, index) => [`[t${index}]`, "size=1MB", `file=${path}`]);
    const { problems } = examine(configOf("storage=/s", ...lines), disk(places));
    assertEquals(problems.every(({ isMistaken }) => isMistaken), true);
    return problems.map(({ message }) => message);
  };
  const assertRefused = (path: keyof typeof disks, other: keyof typeof disks, relation: string): void => {
    const [problem = "", ...more] = problemsOf(other, path);
    assertEquals(more, []);
    assertStringIncludes(problem, `"${path}"`);
    assertStringIncludes(problem, relation);
    assertStringIncludes(problem, `"${other}" of line 3`);
  };
  const inCommon = "have blocks in common";
  for (const path of ["/dev/sdx1", "/s/image"] as const) {
    assertRefused(path, "/dev/sdx", inCommon);
    assertRefused("/dev/sdx", path, inCommon);
  }
  assertRefused("/dev/sdx1", "/s/image", inCommon);
  assertRefused("/s/image", "/dev/sdx1", inCommon);
  assertRefused("/dev/sdy", "/dev/sdx1", inCommon);
  assertRefused("/dev/sdy", "/dev/sdx", "it is the same device as");
  assertEquals(problemsOf("/dev/sdx1", "/dev/sdx2", "/dev/sdz"), []);
});

Deno.test("examine() refuses a path of a multipath device, and names the device", () => {
  const device = blockDevice(MB, { multipath: "mpatha" });
  const problem =
    'Cannot use block device "/dev/sdx": it is one path of multipath device "mpatha", and writes that ' +
    'bypass the others destroy data; set "file" to "/dev/mapper/mpatha"';
  for (const recorded of [undefined, identityNumber(1)]) {
    assertEquals(messagesOf(examineAt("/dev/sdx", device, recorded && { recorded })), [problem]);
  }
  const partition = blockDevice(MB, { multipath: "mpatha", disk: "/dev/sdx" });
  assertEquals(messagesOf(examineAt("/dev/sdx1", partition)), [
    'Cannot use block device "/dev/sdx1": its disk is one path of multipath device "mpatha", and writes that ' +
    'bypass the others destroy data; set "file" to the partition of "/dev/mapper/mpatha"',
  ]);
});
