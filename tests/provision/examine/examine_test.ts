/** The examination of a logical unit: its file compared with its record. */
import { assertEquals } from "@std/assert";
import { type Examination, examine, type Problem } from "../../../lib/provision/examine/examine.ts";
import type { FileFormat } from "../../../lib/provision/examine/file_format.ts";
import type { RecordedIdentity } from "../../../lib/provision/identity/recorded_identity.ts";
import type { Entry, Survey } from "../../../lib/provision/survey.ts";
import { configOf, createdFile, identityNumber } from "../conf.ts";
import { disk, file, FOLDER, MB, MISSING, place } from "../disk.ts";

const FORMAT: FileFormat = { name: "a qcow2 image", unpack: "convert $1 $2" };
const EMPTY: Entry = file(0);

/** Records of the logical unit, from none to that of a file of 2 MB. */
const RECORDED = {
  nothing: undefined,
  pending: { ...identityNumber(1), created: null, sizeBytes: 2 * MB },
  disk: { ...identityNumber(1), ...createdFile(2 * MB) },
  /** By the version before, or a block device. */
  unknownFile: identityNumber(1),
} satisfies Record<string, RecordedIdentity | undefined>;

/** Examines a LUN of `size` at `/s/a`. */
function examineOne(
  { entry, recorded, size = "2MB", force = false, lines = [], changes = {} }: {
    readonly entry: Entry;
    readonly recorded: RecordedIdentity | undefined;
    readonly size?: string;
    readonly force?: boolean;
    readonly lines?: readonly string[];
    readonly changes?: Partial<Survey>;
  },
): Examination {
  const identities = new Map(recorded === undefined ? [] : [["a", recorded]]);
  const survey = disk([place("/s/a", entry)], { recorded: { kind: "recorded", identities }, ...changes });
  return examine(configOf("storage=/s", "[a]", `size=${size}`, ...lines), survey, { force });
}

/** The problem of a LUN of which nothing else is to be said. */
function problemOf(examination: Examination): Omit<Problem, "unit"> {
  assertEquals([examination.problems.length, examination.warnings, examination.backings.size], [1, [], 0]);
  const { unit, ...problem } = examination.problems[0]!;
  assertEquals(unit?.line, problem.line);
  return problem;
}

/** Returns the backing of a LUN without a problem, and the warnings. */
function backingOf({ problems, warnings, backings }: Examination): readonly [unknown, ...string[]] {
  assertEquals(problems, []);
  return [[...backings.values()][0], ...warnings.map(({ message }) => message)];
}

Deno.test("examine() accepts a recorded file, whatever its first bytes are", () => {
  for (const recorded of [RECORDED.disk, RECORDED.unknownFile]) {
    for (const format of [undefined, FORMAT]) {
      const entry = { ...file(2 * MB, 4096), ...(format && { format }) };
      assertEquals(backingOf(examineOne({ entry, recorded })), [{ state: "ready", allocatedBytes: 4096 }]);
      const short = { state: "short", fileBytes: 2 * MB, allocatedBytes: 4096 };
      assertEquals(backingOf(examineOne({ entry, recorded, size: "3MB" })), [short]);
    }
  }
});

Deno.test("examine() accepts files of an interrupted build, and missing files", () => {
  const { pending, nothing } = RECORDED;
  for (const recorded of [pending, nothing]) {
    assertEquals(backingOf(examineOne({ entry: MISSING, recorded })), [{ state: "missing" }]);
    assertEquals(backingOf(examineOne({ entry: file(2 * MB), recorded })), [{
      state: "ready",
      allocatedBytes: 0,
    }]);
  }
  for (const [entry, size] of [[EMPTY, "2MB"], [file(2 * MB), "3MB"]] as const) {
    const short = {
      state: "short",
      fileBytes: entry.kind === "file" ? entry.sizeBytes : 0,
      allocatedBytes: 0,
    };
    assertEquals(backingOf(examineOne({ entry, size, recorded: pending })), [short]);
  }
});

const FORCED_EMPTY = 'or run "iscsi build --force" to replace it with an empty disk that has a new identity';

Deno.test("examine() reports a missing file as a lost disk, which only force replaces", () => {
  const there = "on 2026-10-14 it had 2 MB (2097152 bytes)";
  for (
    const [recorded, record] of [[RECORDED.disk, there], [
      RECORDED.unknownFile,
      "its identity is recorded",
    ]] as const
  ) {
    assertEquals(problemOf(examineOne({ entry: MISSING, recorded })), {
      line: 3,
      message:
        `Disk "/s/a" is lost: the file does not exist, but ${record}; mount its file system or restore the file, ` +
        FORCED_EMPTY,
      isMistaken: true,
    });
    assertEquals(backingOf(examineOne({ entry: MISSING, recorded, force: true })), [
      { state: "missing", isLost: true },
      'Disk "/s/a" is lost; an empty disk with a new identity replaces it',
    ]);
  }
});

Deno.test("examine() reports an emptied file as a lost disk, which only force replaces", () => {
  for (const recorded of [RECORDED.disk, RECORDED.unknownFile]) {
    const { message, isMistaken } = problemOf(examineOne({ entry: EMPTY, recorded }));
    assertEquals(isMistaken, true);
    assertEquals(message.split(", but ")[0], 'Disk "/s/a" is lost: the file is empty');
    assertEquals(message.split("; ")[1], `restore the file, ${FORCED_EMPTY}`);
    assertEquals(backingOf(examineOne({ entry: EMPTY, recorded, force: true })), [
      { state: "short", fileBytes: 0, allocatedBytes: 0, isLost: true },
      'Disk "/s/a" is lost; an empty disk with a new identity replaces it',
    ]);
  }
});

Deno.test("examine() refuses a truncated disk, whatever its size in the conf", () => {
  const warning =
    'Disk "/s/a" is truncated: only the first 1 MB (1048576 bytes) of 2 MB (2097152 bytes) are left';
  const rows = [
    ["2MB", { state: "short", fileBytes: MB, allocatedBytes: 0 }],
    ["1MB", { state: "ready", allocatedBytes: 0 }],
  ] as const;
  for (const [size, backing] of rows) {
    const options = { entry: file(MB), recorded: RECORDED.disk, size };
    assertEquals(problemOf(examineOne(options)), {
      line: 3,
      message:
        'Disk "/s/a" is truncated: the file has 1 MB (1048576 bytes), but on 2026-10-14 it had 2 MB (2097152 ' +
        'bytes); restore the file, or run "iscsi build --force" to replace the lost data with zeros',
      isMistaken: true,
    });
    assertEquals(backingOf(examineOne({ ...options, force: true })), [backing, warning]);
  }
});

Deno.test("examine() grows a file that no build has created only by force", () => {
  const rows = [
    [file(MB), 'set "size" to 1048576 to export it as it is'],
    [EMPTY, "remove it"],
  ] as const;
  for (const [entry, remedy] of rows) {
    const size = entry.kind === "file" && entry.sizeBytes > 0 ? "1 MB (1048576 bytes)" : "0 bytes";
    assertEquals(problemOf(examineOne({ entry, recorded: undefined })), {
      line: 3,
      message:
        `Cannot grow "/s/a" from ${size} to 2 MB (2097152 bytes): "iscsi build" did not create it; ${remedy}, or run ` +
        '"iscsi build --force" to grow it',
      isMistaken: true,
    });
    const [backing, warning] = backingOf(examineOne({ entry, recorded: undefined, force: true }));
    assertEquals(backing, {
      state: "short",
      fileBytes: entry.kind === "file" ? entry.sizeBytes : 0,
      allocatedBytes: 0,
    });
    assertEquals(warning, `File "/s/a", which "iscsi build" did not create, grows from ${size}`);
  }
  // Neither empty nor of the size that the build was about to make: another program has made it.
  assertEquals(problemOf(examineOne({ entry: file(MB), recorded: RECORDED.pending })).isMistaken, true);
});

Deno.test("examine() refuses a file that is not a multiple of the block size, even by force", () => {
  const rows = [
    [2 * MB - 1, [], "its 2097151 bytes are not a multiple of 512", 2 * MB],
    [1000, [], "its 1000 bytes are not a multiple of 512", 1024],
    [MB + 512, ["blocksize=4096"], "its 1049088 bytes are not a multiple of 4096", MB + 4096],
  ] as const;
  for (const [sizeBytes, lines, problem, wholeBytes] of rows) {
    for (const force of [false, true]) {
      assertEquals(problemOf(examineOne({ entry: file(sizeBytes), recorded: undefined, lines, force })), {
        line: 3,
        message:
          `Cannot use "/s/a" as a backing file: "iscsi build" did not create it, and ${problem}; set "file" to ` +
          `another path, or run "truncate --size=${wholeBytes}" on it if it is a disk`,
        isMistaken: true,
      });
    }
  }
});

Deno.test("examine() refuses an image, but accepts one of exactly the size of the disk by force", () => {
  const refusal =
    'Cannot use "/s/a" as a backing file: it is a qcow2 image, and initiators would see it instead of the ' +
    'disk in it; run "convert /s/a /s/a.raw" and set "file" to "/s/a.raw"';
  for (const recorded of [RECORDED.nothing, RECORDED.pending]) {
    for (const sizeBytes of [MB, 3 * MB, 1000]) {
      for (const force of [false, true]) {
        const entry = { ...file(sizeBytes), format: FORMAT };
        assertEquals(problemOf(examineOne({ entry, recorded, force })), {
          line: 3,
          message: refusal,
          isMistaken: true,
        });
      }
    }
    const entry = { ...file(2 * MB), format: FORMAT };
    const message = `${refusal}; or run "iscsi build --force" to export it as it is`;
    assertEquals(problemOf(examineOne({ entry, recorded })), { line: 3, message, isMistaken: true });
    assertEquals(backingOf(examineOne({ entry, recorded, force: true })), [
      { state: "ready", allocatedBytes: 0 },
      'File "/s/a" is a qcow2 image, and is exported as it is',
    ]);
  }
});

Deno.test("examine() refuses the program's own files, whatever is recorded of them", () => {
  const changes = { ownFiles: new Map([["1:7", "the conf"]]) };
  for (const recorded of Object.values(RECORDED)) {
    for (const force of [false, true]) {
      assertEquals(problemOf(examineOne({ entry: file(2 * MB, 0, 7), recorded, force, changes })), {
        line: 3,
        message: 'Cannot use "/s/a" as a backing file: it is the conf; set "file" to another path',
        isMistaken: true,
      });
    }
  }
  const others = { ownFiles: new Map([["1:8", "the conf"], ["2:7", "the conf"]]) };
  const options = { entry: file(2 * MB, 0, 7), recorded: RECORDED.disk, changes: others };
  assertEquals(backingOf(examineOne(options)), [{ state: "ready", allocatedBytes: 0 }]);
});

Deno.test("examine() refuses no file because of records that it cannot read", () => {
  const changes = { recorded: { kind: "unreadable", reason: "denied" } } as const;
  for (const entry of [MISSING, EMPTY, file(MB), file(1000), file(2 * MB)]) {
    const { problems, warnings } = examineOne({ entry, recorded: undefined, changes });
    assertEquals([problems.map(({ line }) => line), warnings], [[1], []]);
  }
});

Deno.test("examine() does not count other problems with a path as mistaken files", () => {
  for (const entry of [FOLDER, file(3 * MB)]) {
    assertEquals(
      problemOf(examineOne({ entry, recorded: RECORDED.disk, force: true })).isMistaken,
      undefined,
    );
  }
});

Deno.test("examine() lets two LUNs share no file that is only taken by force", () => {
  const shared = file(MB, 0, 7);
  const survey = disk([place("/s/a", shared), place("/s/b", shared)]);
  const config = configOf("storage=/s", "[a]", "size=2MB", "[b]", "size=2MB");
  const { problems, backings } = examine(config, survey, { force: true });
  assertEquals([problems.map(({ line }) => line), backings.size], [[5], 1]);
});

Deno.test("examine() reports a broken link, in a folder that is a link too", () => {
  const dangling: Entry = { kind: "danglingLink", leadsTo: "/none" };
  const unreadable: Entry = { kind: "unreadable", reason: "Permission denied (os error 13)" };
  const rows = [
    [
      dangling,
      'Cannot use "/s/vm/a" as a backing file: it is a broken symbolic link, to "/none"; remove the ' +
      "link",
    ],
    [unreadable, 'Cannot access "/s/vm/a": Permission denied (os error 13)'],
    [
      MISSING,
      'Cannot use "/s/vm/a" as a backing file: a symbolic link leads to "/other/a"; set "file" to that ' +
      "path or remove the link",
    ],
  ] as const;
  for (const [entry, message] of rows) {
    const survey = disk([place("/s/vm/a", entry, { realPath: "/other/a" })]);
    const config = configOf("storage=/s", "[a]", "size=2MB", "file=vm/a");
    assertEquals(problemOf(examine(config, survey)), { line: 3, message });
  }
});
