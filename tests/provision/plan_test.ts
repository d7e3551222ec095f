import { assertEquals } from "@std/assert";
import { dirname } from "@std/path";
import { formatDiagnostic } from "../../lib/config/diagnostic.ts";
import type { BlockDevice } from "../../lib/provision/block_device.ts";
import { type Plan, plan } from "../../lib/provision/plan.ts";
import type { Entry, Place, Survey } from "../../lib/provision/survey.ts";
import { configOf, identityNumber, numberedIdentities } from "./conf.ts";

const KB = 2 ** 10;
const MB = 2 ** 20;
const GB = 2 ** 30;
const EXT4 = 0xef53;
const FAT = 0x4d44;

const FOLDER: Entry = { kind: "folder", mode: 0o755 };
const STATE_FOLDER: Entry = { kind: "folder", mode: 0o700 };
const MISSING: Entry = { kind: "missing" };
const AMPLE = { device: 1, type: EXT4, availableBytes: 1000 * GB };

/** A file; its inode becomes one of its own when it is put on a disk, unless it is given. */
function file(sizeBytes: number, allocatedBytes = 0, inode = 0): Entry & { kind: "file" } {
  return { kind: "file", sizeBytes, allocatedBytes, device: 1, inode };
}

/** A device of number 8:1 that nobody uses, unless `changes` say otherwise. */
function blockDevice(sizeBytes: number, changes: Partial<BlockDevice> = {}): Entry {
  const unused = { isWriteProtected: false, mountPoint: undefined };
  return { kind: "blockDevice", major: 8, minor: 1, sizeBytes, ...unused, ...changes };
}

/** A path with an ordinary folder around it, unless `changes` say otherwise. */
function place(path: string, entry: Entry, changes: Partial<Place> = {}): Place {
  const ancestor = { path: dirname(path), isFolder: true };
  return { path, entry, realPath: path, ancestor, fileSystem: AMPLE, ...changes };
}

/** A disk with a storage folder `/s` and everything in `places`. */
function disk(places: readonly Place[], changes: Partial<Survey> = {}): Survey {
  return {
    storage: place("/s", FOLDER),
    stateFolder: place("/s/.iscsi", STATE_FOLDER),
    recorded: { kind: "recorded", identities: new Map() },
    places: new Map(places.map((place, index) => [place.path, withInode(place, 100 + index)])),
    ...changes,
  };
}

function withInode(place: Place, inode: number): Place {
  const { entry } = place;
  return entry.kind === "file" && entry.inode === 0 ? { ...place, entry: { ...entry, inode } } : place;
}

function planOf(lines: readonly string[], survey: Survey): Plan {
  return plan(configOf("storage=/s", ...lines), survey, numberedIdentities());
}

Deno.test("plan() on an empty disk makes folders, identities and files, in this order", () => {
  const survey = disk([place("/s/a", MISSING), place("/s/a_1", MISSING)], {
    storage: place("/s", MISSING),
    stateFolder: place("/s/.iscsi", MISSING),
  });
  assertEquals(planOf(["[a]", "size=750GB 500MB"], survey), {
    steps: [
      { kind: "createFolder", path: "/s", mode: 0o755 },
      { kind: "createFolder", path: "/s/.iscsi", mode: 0o700 },
      {
        kind: "recordIdentities",
        path: "/s/.iscsi/identities.json",
        identities: new Map([["a", identityNumber(1)], ["a_1", identityNumber(2)]]),
        added: ["/s/a", "/s/a_1"],
      },
      { kind: "createFile", path: "/s/a", sizeBytes: 750 * GB },
      { kind: "createFile", path: "/s/a_1", sizeBytes: 500 * MB },
    ],
    errors: [],
    warnings: [],
  });
});

Deno.test("plan() keeps, grows and uses what is there, and names what is unused", () => {
  const survey = disk([
    place("/s/keep", file(GB, 4 * KB)),
    place("/s/grow", file(GB, 8 * KB)),
    place("/dev/disk1", blockDevice(3 * GB), { fileSystem: undefined }),
    place("/s/old", file(5 * GB, MB)),
    place("/s/gone", MISSING),
  ], {
    recorded: {
      kind: "recorded",
      identities: new Map(
        ["keep", "grow", "/dev/disk1", "old", "gone"].map((key, index) => [key, identityNumber(90 + index)]),
      ),
    },
  });
  const lines = ["[keep]", "size=1GB", "[grow]", "size=2GB", "[device]", "size=2GB", "file=/dev/disk1"];
  assertEquals(planOf(lines, survey), {
    steps: [
      { kind: "keepFile", path: "/s/keep", sizeBytes: GB, allocatedBytes: 4 * KB },
      { kind: "growFile", path: "/s/grow", fromBytes: GB, sizeBytes: 2 * GB, allocatedBytes: 8 * KB },
      { kind: "useDevice", path: "/dev/disk1", sizeBytes: 2 * GB, deviceBytes: 3 * GB },
      { kind: "keepUnusedFile", path: "/s/old", sizeBytes: 5 * GB, allocatedBytes: MB },
    ],
    errors: [],
    warnings: [],
  });
});

Deno.test("plan() keeps every recorded identity, of used and of unused files, when it adds one", () => {
  const recorded = new Map([["old", identityNumber(50)], ["a", identityNumber(51)]]);
  const survey = disk([place("/s/old", file(GB)), place("/s/a", file(GB)), place("/s/b", MISSING)], {
    recorded: { kind: "recorded", identities: recorded },
  });
  const { steps } = planOf(["[a]", "size=1GB", "[b]", "size=1GB"], survey);
  assertEquals(steps[0], {
    kind: "recordIdentities",
    path: "/s/.iscsi/identities.json",
    identities: new Map([...recorded, ["b", identityNumber(1)]]),
    added: ["/s/b"],
  });
});

Deno.test("plan() finds an identity under the file's place in the storage folder, whatever name leads there", () => {
  const storage = place("/s", FOLDER, { realPath: "/mnt/disk" });
  const stateFolder = place("/s/.iscsi", STATE_FOLDER, { realPath: "/mnt/disk/.iscsi" });
  const recorded = { kind: "recorded", identities: new Map([["a", identityNumber(1)]]) } as const;
  for (const path of ["/s/a", "/mnt/disk/a"]) {
    const survey = disk([place(path, file(GB), { realPath: "/mnt/disk/a" }), place("/s/a", file(GB))], {
      storage,
      stateFolder,
      recorded,
    });
    const { steps } = planOf(["[x]", "size=1GB", `file=${path}`], survey);
    assertEquals(steps.filter((step) => step.kind !== "keepFile"), [], path);
  }
});

Deno.test("plan() makes missing folders below the storage folder, each once", () => {
  const ancestor = { path: "/s", isFolder: true };
  const survey = disk([
    place("/s/vm/a", MISSING, { ancestor }),
    place("/s/vm/b", MISSING, { ancestor }),
  ]);
  const { steps, errors } = planOf(["[a]", "size=1GB", "file=vm/a", "[b]", "size=1GB", "file=vm/b"], survey);
  assertEquals(errors, []);
  const folders = steps.filter((step) => step.kind === "createFolder");
  assertEquals(folders, [{ kind: "createFolder", path: "/s/vm", mode: 0o755 }]);
});

Deno.test("plan() takes the state folder from everybody but its owner", () => {
  const survey = disk([place("/s/a", MISSING)], {
    stateFolder: place("/s/.iscsi", { kind: "folder", mode: 0o750 }),
  });
  const { steps } = planOf(["[a]", "size=1GB"], survey);
  assertEquals(steps[0], { kind: "restrictFolder", path: "/s/.iscsi", mode: 0o700 });
});

Deno.test("plan() takes a device that cannot be written, or is mounted, for a target that is not written", () => {
  for (const state of [{ isWriteProtected: true }, { mountPoint: "/mnt/a" }]) {
    const survey = disk([place("/dev/sdx", blockDevice(GB, state), { fileSystem: undefined })]);
    const lines = ["[a]", "size=1GB", "file=/dev/sdx"];
    assertEquals(planOf(lines, survey).errors.map((error) => error.line), [3]);
    const { steps, errors } = planOf([...lines, "readonly=y"], survey);
    assertEquals(errors, []);
    assertEquals(steps.at(-1)?.kind, "useDevice");
  }
});

/** One logical unit of 1 GB at a path, what is there, and what is wrong with that. */
interface FaultCase {
  readonly name: string;
  readonly path: string;
  readonly entry: Entry;
  readonly around?: Partial<Place>;
  readonly message: string;
}

const FAULT_CASES: readonly FaultCase[] = [
  {
    name: "a folder",
    path: "/s/a",
    entry: FOLDER,
    message: 'Cannot use "/s/a" as a backing file: it is a folder; set "file" to the path of a file',
  },
  {
    name: "a socket",
    path: "/s/a",
    entry: { kind: "special", name: "a socket" },
    message: 'Cannot use "/s/a" as a backing file: it is a socket; set "file" to the path of a file',
  },
  {
    name: "a link to another place",
    path: "/s/a",
    entry: file(GB),
    around: { realPath: "/etc/shadow" },
    message: 'Cannot use "/s/a" as a backing file: a symbolic link leads from it to "/etc/shadow"; ' +
      'set "file" to that path or remove the link',
  },
  {
    name: "a link to another file of the storage folder",
    path: "/s/a",
    entry: file(GB),
    around: { realPath: "/s/b" },
    message: 'Cannot use "/s/a" as a backing file: a symbolic link leads from it to "/s/b"; ' +
      'set "file" to that path or remove the link',
  },
  {
    name: "a file to be, in a folder that is a link",
    path: "/s/vm/a",
    entry: MISSING,
    around: { realPath: "/etc/a" },
    message: 'Cannot use "/s/vm/a" as a backing file: a symbolic link leads from it to "/etc/a"; ' +
      'set "file" to that path or remove the link',
  },
  {
    name: "a device reached by a link outside /dev",
    path: "/s/a",
    entry: blockDevice(GB),
    around: { realPath: "/dev/sda" },
    message: 'Cannot use "/s/a" as a backing file: a symbolic link leads from it to "/dev/sda"; ' +
      'set "file" to that path or remove the link',
  },
  {
    name: "a link that leads nowhere",
    path: "/s/a",
    entry: { kind: "danglingLink", leadsTo: "/none" },
    message: 'Cannot use "/s/a" as a backing file: it is a symbolic link to "/none", which leads nowhere; ' +
      "remove the link",
  },
  {
    name: "a larger file",
    path: "/s/a",
    entry: file(GB + 512),
    message:
      'Cannot use "/s/a" for size 1 GB (1073741824 bytes): the file has 1 GB (1073742336 bytes), and ' +
      'files are never shrunk; raise "size" or set "file" to another one',
  },
  {
    name: "a smaller device",
    path: "/dev/sdx",
    entry: blockDevice(GB - 512),
    message: 'Cannot use block device "/dev/sdx" for size 1 GB (1073741824 bytes): it has only 1024 MB ' +
      '(1073741312 bytes); lower "size" or use a larger device',
  },
  {
    name: "a device that cannot be written",
    path: "/dev/sdx",
    entry: blockDevice(GB, { isWriteProtected: true }),
    message:
      'Cannot use block device "/dev/sdx": it is write-protected; set "readonly=y" or use another device',
  },
  {
    name: "a device that this machine uses itself",
    path: "/dev/sdx",
    entry: blockDevice(GB, { mountPoint: "/mnt/a" }),
    message:
      'Cannot use block device "/dev/sdx": it, or a part of it, is mounted at "/mnt/a"; unmount that or ' +
      "use another device",
  },
  {
    name: "a missing folder elsewhere",
    path: "/other/folder/a",
    entry: MISSING,
    around: { ancestor: { path: "/other", isFolder: true } },
    message: 'Cannot create "/other/folder/a": folder "/other/folder" does not exist; create it or mount it',
  },
  {
    name: "a folder that is a file",
    path: "/s/b/a",
    entry: MISSING,
    around: { ancestor: { path: "/s/b", isFolder: false } },
    message: 'Cannot create "/s/b/a": "/s/b" is not a folder; set "file" to another path',
  },
  {
    name: "something that cannot be looked at",
    path: "/s/a",
    entry: { kind: "unreadable", reason: "Permission denied (os error 13)" },
    message: 'Cannot look at "/s/a": Permission denied (os error 13)',
  },
  {
    name: "a file to be, without sparse files",
    path: "/s/a",
    entry: MISSING,
    around: { fileSystem: { ...AMPLE, type: FAT } },
    message:
      'Cannot create "/s/a": its file system (FAT) has no sparse files; use another one, such as ext4 ' +
      "or XFS",
  },
  {
    name: "a file to grow, without sparse files",
    path: "/s/a",
    entry: file(MB),
    around: { fileSystem: { ...AMPLE, type: FAT } },
    message: 'Cannot grow "/s/a": its file system (FAT) has no sparse files; use another one, such as ext4 ' +
      "or XFS",
  },
];

for (const { name, path, entry, around, message } of FAULT_CASES) {
  Deno.test(`plan() refuses ${name}, and changes nothing else either`, () => {
    const survey = disk([place("/s/good", MISSING), place(path, entry, around)]);
    const { steps, errors } = planOf(["[good]", "size=1GB", "[bad]", `file=${path}`, "size=1GB"], survey);
    assertEquals(errors.map(formatDiagnostic), [`conf:6: ${message}`]);
    assertEquals(steps, []);
  });
}

Deno.test("plan() reports all errors at once, by line", () => {
  const survey = disk([
    place("/s/a", FOLDER),
    place("/s/b", file(2 * GB)),
    place("/s/c", MISSING),
    place("/x/d", MISSING, { ancestor: { path: "/", isFolder: true } }),
  ]);
  const lines = ["[a]", "size=1GB", "[b]", "size=1GB", "[c]", "size=1GB", "[d]", "size=1GB", "file=/x/d"];
  assertEquals(planOf(lines, survey).errors.map((error) => error.line), [3, 5, 9]);
});

Deno.test("plan() refuses two LUNs on one file, be it by hard links", () => {
  const shared = file(GB, 0, 7);
  const survey = disk([place("/s/a", shared), place("/s/b", shared)]);
  const { errors } = planOf(["[a]", "size=1GB", "[b]", "size=1GB"], survey);
  assertEquals(errors.map(formatDiagnostic), [
    'conf:5: Cannot use "/s/b" as a backing file: it is the same file as "/s/a" of line 3, and two LUNs on one ' +
    'file destroy each other\'s data; set "file" to another path',
  ]);
});

Deno.test("plan() refuses two LUNs on one device, be it by two names", () => {
  const survey = disk([
    place("/dev/dm-0", blockDevice(GB), { fileSystem: undefined }),
    place("/dev/mapper/x", blockDevice(GB), { fileSystem: undefined }),
  ]);
  const lines = ["[a]", "size=1GB", "file=/dev/dm-0", "[b]", "size=1GB", "file=/dev/mapper/x"];
  assertEquals(planOf(lines, survey).errors.map((error) => error.line), [6]);
});

Deno.test("plan() refuses two LUNs on one file that is yet to be, by two names of the storage folder", () => {
  const survey = disk([
    place("/s/a", MISSING, { realPath: "/mnt/a" }),
    place("/mnt/a", MISSING),
  ], {
    storage: place("/s", FOLDER, { realPath: "/mnt" }),
    stateFolder: place("/s/.iscsi", STATE_FOLDER, { realPath: "/mnt/.iscsi" }),
  });
  const { errors } = planOf(["[a]", "size=1GB", "[b]", "size=1GB", "file=/mnt/a"], survey);
  assertEquals(errors.map((error) => error.line), [5]);
});

/** What the conf cannot know: `/s` is a link to `/mnt/s`. */
const LINKED_STORAGE_CASES: readonly (readonly [string, Entry, string])[] = [
  ["/mnt/s", FOLDER, 'the storage folder is "/mnt/s"; set "file" to the path of a file'],
  [
    "/mnt/s/.iscsi/identities.json",
    file(GB),
    '"/mnt/s/.iscsi" is for the program\'s own files; set "file" to another path',
  ],
  ["/mnt/s/good/b", MISSING, '"/s/good" of line 3 is a file, not a folder; set "file" to another path'],
];

for (const [path, entry, problem] of LINKED_STORAGE_CASES) {
  Deno.test(`plan() refuses ${path} when the storage folder is a link to /mnt/s`, () => {
    const survey = disk([place("/s/good", file(GB), { realPath: "/mnt/s/good" }), place(path, entry)], {
      storage: place("/s", FOLDER, { realPath: "/mnt/s" }),
      stateFolder: place("/s/.iscsi", STATE_FOLDER, { realPath: "/mnt/s/.iscsi" }),
    });
    const { errors } = planOf(["[good]", "size=1GB", "[bad]", `file=${path}`, "size=1GB"], survey);
    const message = `Cannot use "${path}" as a backing file: ${problem}`;
    assertEquals(errors.map(formatDiagnostic), [`conf:6: ${message}`]);
  });
}

/** The storage folder, its state folder or the identities, and what is wrong with them. */
const STORAGE_CASES: readonly (readonly [string, Partial<Survey>, string])[] = [
  [
    "a storage folder that is a file",
    { storage: place("/s", file(512)) },
    'Cannot use "/s" as a folder: it is something else; set "storage" to the path of a folder',
  ],
  [
    "a storage folder below a file",
    { storage: place("/s", MISSING, { ancestor: { path: "/file", isFolder: false } }) },
    'Cannot use "/s" as a folder: "/file" is not a folder; set "storage" to the path of a folder',
  ],
  [
    "a storage folder that is a link to nowhere",
    { storage: place("/s", { kind: "danglingLink", leadsTo: "/none" }) },
    'Cannot use "/s" as a folder: it is a symbolic link to "/none", which leads nowhere; set "storage" to the ' +
    "path of a folder",
  ],
  [
    "a storage folder that cannot be looked at",
    { storage: place("/s", { kind: "unreadable", reason: "Input/output error (os error 5)" }) },
    'Cannot look at "/s": Input/output error (os error 5)',
  ],
  [
    "a state folder that is a file",
    { stateFolder: place("/s/.iscsi", file(512)) },
    'Cannot use "/s/.iscsi" as a folder: it is something else; move it away',
  ],
  [
    "a state folder that is a link",
    { stateFolder: place("/s/.iscsi", STATE_FOLDER, { realPath: "/tmp/.iscsi" }) },
    'Cannot use "/s/.iscsi" as a folder: a symbolic link leads from it to "/tmp/.iscsi"; move it away',
  ],
  [
    "identities that cannot be had",
    { recorded: { kind: "unreadable", reason: "Permission denied (os error 13); run it as root" } },
    'Cannot read "/s/.iscsi/identities.json": Permission denied (os error 13); run it as root',
  ],
  [
    "identities that are corrupt",
    { recorded: { kind: "corrupt", reason: "its version is 2, not 1" } },
    'Cannot read "/s/.iscsi/identities.json": its version is 2, not 1; restore it from a backup, or move it away ' +
    'and run "iscsi build" to give every LUN a new identity (initiators will take them for new disks)',
  ],
];

for (const [name, changes, message] of STORAGE_CASES) {
  Deno.test(`plan() refuses ${name}, and says it once`, () => {
    const survey = disk([place("/s/a", MISSING), place("/s/b", MISSING)], changes);
    const { steps, errors } = planOf(["[a]", "size=1GB", "[b]", "size=1GB"], survey);
    assertEquals(errors.map(formatDiagnostic), [`conf:1: ${message}`]);
    assertEquals(steps, []);
  });
}

Deno.test("plan() goes on looking at files elsewhere when the storage folder is unfit", () => {
  const survey = disk([place("/s/a", MISSING), place("/x/b", FOLDER)], { storage: place("/s", file(512)) });
  const { errors } = planOf(["[a]", "size=1GB", "[b]", "size=1GB", "file=/x/b"], survey);
  assertEquals(errors.map((error) => error.line), [1, 5]);
});

Deno.test("plan() warns of each file system of which more is promised than it has", () => {
  const small = { device: 2, type: EXT4, availableBytes: 3 * GB };
  const survey = disk([
    place("/s/a", file(4 * GB, 3 * GB), { fileSystem: small }),
    place("/s/b", MISSING, { fileSystem: small }),
    place("/s/c", MISSING, { fileSystem: small }),
    place("/x/d", MISSING, { fileSystem: { ...small, device: 3 } }),
  ]);
  const sized = ["[a]", "size=4GB", "[b]", "size=2GB", "[c]", "size=1.5GB", "[d]", "size=3GB", "file=/x/d"];
  const { warnings, errors, steps } = planOf(sized, survey);
  assertEquals(errors, []);
  assertEquals(steps.length, 5);
  // a may take 1 GB more, b 2 GB, which is what is free; c is the one too many.
  assertEquals(warnings.map(formatDiagnostic), [
    'conf:7: warning: More is promised than the file system of "/s/c" has: its LUNs may yet take 4.5 GB, and ' +
    "3 GB are free",
  ]);
});

Deno.test("plan() does not count as missing what a file has allocated beyond its size, nor what a device has", () => {
  const full = { device: 2, type: EXT4, availableBytes: 0 };
  const survey = disk([
    place("/s/a", file(GB, GB + 4 * KB), { fileSystem: full }),
    place("/dev/sdx", blockDevice(GB), { fileSystem: undefined }),
  ]);
  const { warnings } = planOf(["[a]", "size=1GB", "[b]", "size=1GB", "file=/dev/sdx"], survey);
  assertEquals(warnings, []);
});
