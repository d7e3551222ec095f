import { assertEquals } from "@std/assert";
import { formatDiagnostic } from "../../lib/config/diagnostic.ts";
import { type Plan, plan } from "../../lib/provision/plan.ts";
import type { RecordedIdentity } from "../../lib/provision/identity/recorded_identity.ts";
import type { Entry, Place, Survey } from "../../lib/provision/survey.ts";
import { configOf, createdFile, identityNumber, NOW, numberedIdentities } from "./conf.ts";
import {
  AMPLE,
  blockDevice,
  disk,
  FAT,
  file,
  FOLDER,
  GB,
  KB,
  MB,
  MISSING,
  place,
  STATE_FOLDER,
} from "./disk.ts";

function planOf(lines: readonly string[], survey: Survey, options: { readonly force?: boolean } = {}): Plan {
  const config = configOf("storage=/s", ...lines);
  return plan(config, survey, { makeIdentity: numberedIdentities(), now: NOW, ...options });
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
        identities: new Map([
          ["a", { ...identityNumber(1), created: null, sizeBytes: 750 * GB }],
          ["a_1", { ...identityNumber(2), created: null, sizeBytes: 500 * MB }],
        ]),
        added: ["/s/a", "/s/a_1"],
      },
      { kind: "createFile", path: "/s/a", sizeBytes: 750 * GB },
      { kind: "createFile", path: "/s/a_1", sizeBytes: 500 * MB },
      {
        kind: "confirmFiles",
        path: "/s/.iscsi/identities.json",
        identities: new Map([
          ["a", { ...identityNumber(1), ...createdFile(750 * GB) }],
          ["a_1", { ...identityNumber(2), ...createdFile(500 * MB) }],
        ]),
        files: ["/s/a", "/s/a_1"],
      },
    ],
    errors: [],
    warnings: [],
  });
});

Deno.test("plan() keeps, grows and uses existing files, and lists unused ones", () => {
  const survey = disk([
    place("/s/keep", file(GB, 4 * KB)),
    place("/s/grow", file(GB, 8 * KB)),
    place("/dev/disk1", blockDevice(3 * GB), { fileSystem: undefined }),
    place("/s/old", file(5 * GB, MB)),
    place("/s/gone", MISSING),
  ], {
    recorded: {
      kind: "recorded",
      identities: new Map([
        ["keep", { ...identityNumber(90), ...createdFile(GB) }],
        ["grow", { ...identityNumber(91), ...createdFile(GB) }],
        ["/dev/disk1", identityNumber(92)],
        ["old", identityNumber(93)],
        ["gone", identityNumber(94)],
      ]),
    },
  });
  const lines = ["[keep]", "size=1GB", "[grow]", "size=2GB", "[device]", "size=2GB", "file=/dev/disk1"];
  assertEquals(planOf(lines, survey), {
    steps: [
      { kind: "keepFile", path: "/s/keep", sizeBytes: GB, allocatedBytes: 4 * KB },
      { kind: "growFile", path: "/s/grow", fromBytes: GB, sizeBytes: 2 * GB, allocatedBytes: 8 * KB },
      { kind: "useDevice", path: "/dev/disk1", sizeBytes: 2 * GB, deviceBytes: 3 * GB },
      {
        kind: "confirmFiles",
        path: "/s/.iscsi/identities.json",
        identities: new Map([
          ["keep", { ...identityNumber(90), ...createdFile(GB) }],
          ["grow", { ...identityNumber(91), ...createdFile(2 * GB) }],
          ["/dev/disk1", identityNumber(92)],
          ["old", identityNumber(93)],
          ["gone", identityNumber(94)],
        ]),
        files: ["/s/grow"],
      },
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
    identities: new Map<string, RecordedIdentity>([...recorded, ["b", {
      ...identityNumber(1),
      created: null,
      sizeBytes: GB,
    }]]),
    added: ["/s/b"],
  });
});

/** The identities that the steps of a plan write down, in their order. */
function recordsOf(
  { steps }: Plan,
): (readonly [string, readonly string[], Record<string, RecordedIdentity>])[] {
  return steps.flatMap((step) => {
    if (step.kind !== "recordIdentities" && step.kind !== "confirmFiles") return [];
    const paths = step.kind === "confirmFiles" ? step.files : step.added;
    return [[step.kind, paths, Object.fromEntries(step.identities)] as const];
  });
}

/** A disk on which identities are recorded. */
function diskWith(identities: Record<string, RecordedIdentity>, ...places: readonly Place[]): Survey {
  return disk(places, { recorded: { kind: "recorded", identities: new Map(Object.entries(identities)) } });
}

Deno.test("plan() gives a block device its identity at once, because nothing has to be made for it", () => {
  const survey = disk([place("/dev/sdx", blockDevice(GB), { fileSystem: undefined })]);
  const planned = planOf(["[a]", "size=1GB", "file=/dev/sdx"], survey);
  assertEquals(recordsOf(planned), [["recordIdentities", ["/dev/sdx"], { "/dev/sdx": identityNumber(1) }]]);
  const again = diskWith(
    { "/dev/sdx": identityNumber(1) },
    place("/dev/sdx", blockDevice(GB), { fileSystem: undefined }),
  );
  assertEquals(planOf(["[a]", "size=1GB", "file=/dev/sdx"], again).steps.map(({ kind }) => kind), [
    "useDevice",
  ]);
});

Deno.test("plan() records of a file that it was there, when it was there before that was recorded", () => {
  const recorded = {
    a: identityNumber(1),
    b: { ...identityNumber(2), created: null, sizeBytes: GB },
    c: { ...identityNumber(3), created: "2020-01-01T00:00:00Z", sizeBytes: MB },
    old: identityNumber(4),
  };
  const survey = diskWith(recorded, ...["a", "b", "c", "old"].map((name) => place(`/s/${name}`, file(GB))));
  const lines = ["[a]", "size=1GB", "[b]", "size=1GB", "[c]", "size=1GB"];
  const after = {
    a: { ...identityNumber(1), ...createdFile(GB) },
    b: { ...identityNumber(2), ...createdFile(GB) },
    c: { ...identityNumber(3), created: "2020-01-01T00:00:00Z", sizeBytes: GB },
    old: identityNumber(4),
  };
  assertEquals(recordsOf(planOf(lines, survey)), [["confirmFiles", ["/s/a", "/s/b", "/s/c"], after]]);
});

Deno.test("plan() never gives an empty file the identity of a disk that was lost", () => {
  const recorded = {
    gone: { ...identityNumber(50), ...createdFile(GB) },
    empty: { ...identityNumber(51), ...createdFile(GB) },
    kept: { ...identityNumber(52), ...createdFile(GB) },
  };
  const survey = diskWith(
    recorded,
    place("/s/gone", MISSING),
    place("/s/empty", file(0)),
    place("/s/kept", file(GB)),
  );
  const lines = ["[gone]", "size=1GB", "[empty]", "size=2GB", "[kept]", "size=1GB"];
  const refused = planOf(lines, survey);
  assertEquals([refused.steps, refused.errors.map(({ line }) => line)], [[], [3, 5]]);
  const forced = planOf(lines, survey, { force: true });
  assertEquals([forced.errors, forced.warnings.map(({ line }) => line)], [[], [3, 5]]);
  const { kept } = recorded;
  assertEquals(recordsOf(forced), [
    ["recordIdentities", ["/s/gone", "/s/empty"], {
      gone: { ...identityNumber(1), created: null, sizeBytes: GB },
      empty: { ...identityNumber(2), created: null, sizeBytes: 2 * GB },
      kept,
    }],
    ["confirmFiles", ["/s/gone", "/s/empty"], {
      gone: { ...identityNumber(1), ...createdFile(GB) },
      empty: { ...identityNumber(2), ...createdFile(2 * GB) },
      kept,
    }],
  ]);
  assertEquals(forced.steps.map(({ kind }) => kind), [
    "recordIdentities",
    "createFile",
    "growFile",
    "keepFile",
    "confirmFiles",
  ]);
});

Deno.test("plan() finds an identity under the file's place in the storage folder, whatever name leads there", () => {
  const storage = place("/s", FOLDER, { realPath: "/mnt/disk" });
  const stateFolder = place("/s/.iscsi", STATE_FOLDER, { realPath: "/mnt/disk/.iscsi" });
  const identities = new Map([["a", { ...identityNumber(1), ...createdFile(GB) }]]);
  const recorded = { kind: "recorded", identities } as const;
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
    message: 'Cannot use "/s/a" as a backing file: a symbolic link leads to "/etc/shadow"; ' +
      'set "file" to that path or remove the link',
  },
  {
    name: "a link to another file of the storage folder",
    path: "/s/a",
    entry: file(GB),
    around: { realPath: "/s/b" },
    message: 'Cannot use "/s/a" as a backing file: a symbolic link leads to "/s/b"; ' +
      'set "file" to that path or remove the link',
  },
  {
    name: "a file to be, in a folder that is a link",
    path: "/s/vm/a",
    entry: MISSING,
    around: { realPath: "/etc/a" },
    message: 'Cannot use "/s/vm/a" as a backing file: a symbolic link leads to "/etc/a"; ' +
      'set "file" to that path or remove the link',
  },
  {
    name: "a device reached by a link outside /dev",
    path: "/s/a",
    entry: blockDevice(GB),
    around: { realPath: "/dev/sda" },
    message: 'Cannot use "/s/a" as a backing file: a symbolic link leads to "/dev/sda"; ' +
      'set "file" to that path or remove the link',
  },
  {
    name: "a broken link",
    path: "/s/a",
    entry: { kind: "danglingLink", leadsTo: "/none" },
    message: 'Cannot use "/s/a" as a backing file: it is a broken symbolic link, to "/none"; ' +
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
      'Cannot use block device "/dev/sdx": it, or a part of it, is mounted at "/mnt/a"; unmount it or ' +
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
    message: 'Cannot access "/s/a": Permission denied (os error 13)',
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

/** Paths that conflict only because `/s` is a link to `/mnt/s`. */
const LINKED_STORAGE_CASES: readonly (readonly [string, Entry, string])[] = [
  ["/mnt/s", FOLDER, 'the storage folder is "/mnt/s"; set "file" to the path of a file'],
  [
    "/mnt/s/.iscsi/identities.json",
    file(GB),
    '"/mnt/s/.iscsi" is reserved for this program; set "file" to another path',
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
    'Cannot use "/s" as a folder: it is not a folder; set "storage" to the path of a folder',
  ],
  [
    "a storage folder below a file",
    { storage: place("/s", MISSING, { ancestor: { path: "/file", isFolder: false } }) },
    'Cannot use "/s" as a folder: "/file" is not a folder; set "storage" to the path of a folder',
  ],
  [
    "a storage folder that is a link to nowhere",
    { storage: place("/s", { kind: "danglingLink", leadsTo: "/none" }) },
    'Cannot use "/s" as a folder: it is a broken symbolic link, to "/none"; set "storage" to the ' +
    "path of a folder",
  ],
  [
    "a storage folder that cannot be looked at",
    { storage: place("/s", { kind: "unreadable", reason: "Input/output error (os error 5)" }) },
    'Cannot access "/s": Input/output error (os error 5)',
  ],
  [
    "a state folder that is a file",
    { stateFolder: place("/s/.iscsi", file(512)) },
    'Cannot use "/s/.iscsi" as a folder: it is not a folder; move it away',
  ],
  [
    "a state folder that is a link",
    { stateFolder: place("/s/.iscsi", STATE_FOLDER, { realPath: "/tmp/.iscsi" }) },
    'Cannot use "/s/.iscsi" as a folder: a symbolic link leads to "/tmp/.iscsi"; move it away',
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

Deno.test("plan() still examines files elsewhere when the storage folder is unusable", () => {
  const survey = disk([place("/s/a", FOLDER), place("/x/b", FOLDER)], { storage: place("/s", file(512)) });
  const { errors } = planOf(["[a]", "size=1GB", "[b]", "size=1GB", "file=/x/b"], survey);
  assertEquals(errors.map((error) => error.line), [1, 5]);
});

Deno.test("plan() warns of each file system that is overcommitted", () => {
  const small = { ...AMPLE, device: 2, availableBytes: 3 * GB };
  const survey = disk([
    place("/s/a", file(4 * GB, 3 * GB), { fileSystem: small }),
    place("/s/b", MISSING, { fileSystem: small }),
    place("/s/c", MISSING, { fileSystem: small }),
    place("/x/d", MISSING, { fileSystem: { ...small, device: 3 } }),
  ]);
  const sized = ["[a]", "size=4GB", "[b]", "size=2GB", "[c]", "size=1.5GB", "[d]", "size=3GB", "file=/x/d"];
  const { warnings, errors, steps } = planOf(sized, survey);
  assertEquals(errors, []);
  assertEquals(steps.length, 6);
  // a may take 1 GB more, b 2 GB, which is what is free; c is the one too many.
  assertEquals(warnings.map(formatDiagnostic), [
    "conf:7: warning: Overcommitted: LUNs may take 4.5 GB, 3 GB free (thin provisioning)",
  ]);
});

Deno.test("plan() warns of one byte that is promised too much, and of none that is there", () => {
  const units = ["[a]", "size=1GB", "[b]", "size=1GB"];
  for (const lackingBytes of [0, 1]) {
    const fileSystem = { ...AMPLE, device: 2, availableBytes: 2 * GB - lackingBytes };
    const places = ["/s/a", "/s/b"].map((path) => place(path, MISSING, { fileSystem }));
    const { warnings } = planOf(units, disk(places));
    assertEquals(warnings.map(({ line }) => line), lackingBytes === 0 ? [] : [5]);
  }
});

Deno.test("plan() does not count as missing what a file has allocated beyond its size, nor what a device has", () => {
  const full = { ...AMPLE, device: 2, availableBytes: 0 };
  const survey = disk([
    place("/s/a", file(GB, GB + 4 * KB), { fileSystem: full }),
    place("/dev/vg/x", blockDevice(GB), { fileSystem: undefined }),
  ]);
  const { warnings } = planOf(["[a]", "size=1GB", "[b]", "size=1GB", "file=/dev/vg/x"], survey);
  assertEquals(warnings, []);
});
