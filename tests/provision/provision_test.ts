import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { Config } from "../../lib/config/config.ts";
import { formatDiagnostic } from "../../lib/config/diagnostic.ts";
import { applySteps } from "../../lib/provision/apply_steps.ts";
import { parseIdentities } from "../../lib/provision/identity/identities.ts";
import { plan } from "../../lib/provision/plan.ts";
import { provision } from "../../lib/provision/provision.ts";
import { randomIdentity } from "../../lib/provision/identity/random_identity.ts";
import { isChange, type Step } from "../../lib/provision/step.ts";
import { StorageLock } from "../../lib/provision/storage_lock.ts";
import { survey } from "../../lib/provision/survey.ts";
import type { Identity } from "../../lib/scsi/identity.ts";
import { formatState } from "../../lib/store/state_text.ts";
import { configOf, NOW } from "./conf.ts";
import { readAt, snapshot, withScratch, writeAt } from "./scratch.ts";
import { runToolOk } from "../support/tools.ts";
import { numberFromEnvironment, seededRandom } from "../support/seeded_random.ts";

const GB = 2 ** 30;
const MB = 2 ** 20;

function kinds(steps: readonly Step[]): string[] {
  return steps.map((step) => step.kind);
}

Deno.test("provision() makes the example of the documentation, which takes no space", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}/data/iscsi`, "[xenserver]", "size=750GB 500MB");
    const seen: Step[] = [];
    const report = await provision(config, { onStep: (step) => seen.push(step) });
    assertEquals(report.errors, []);
    assertEquals(kinds(report.steps), [
      "createFolder",
      "createFolder",
      "recordIdentities",
      "createFile",
      "createFile",
      "confirmFiles",
    ]);
    assertEquals(seen, report.steps);
    for (const [name, sizeBytes] of [["xenserver", 750 * GB], ["xenserver_1", 500 * MB]] as const) {
      const { size, blocks, mode } = Deno.statSync(join(folder, "data/iscsi", name));
      assertEquals(size, sizeBytes);
      assertLess(blocks!, 64, "a sparse file takes next to nothing");
      assertEquals(mode! & 0o777, 0o600);
    }
    assertEquals(Deno.statSync(join(folder, "data/iscsi/.iscsi")).mode! & 0o777, 0o700);
    assertEquals(Deno.statSync(join(folder, "data/iscsi/.iscsi/identities.json")).mode! & 0o777, 0o600);
  });
});

Deno.test("provision() the second time changes nothing", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}/s`, "[a]", "size=1GB 2GB", "[b]", "size=1MB");
    await provision(config);
    const before = snapshot(folder);
    const { steps } = await provision(config);
    assertEquals(kinds(steps), ["keepFile", "keepFile", "keepFile"]);
    assertEquals(snapshot(folder), before);
  });
});

Deno.test("provision() that is interrupted completes what it has begun, and the next one does the rest", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}/s`, "[a]", "size=1MB 1MB");
    const all = [
      ["createFolder"],
      ["createFolder"],
      ["recordIdentities"],
      ["createFile", "createFile"],
      ["confirmFiles"],
    ];
    for (const [index, together] of all.entries()) {
      const controller = new AbortController();
      const onStep = (step: Step): void => isChange(step) ? controller.abort() : undefined;
      const options = { signal: controller.signal, onStep };
      const changes = (await provision(config, options)).steps.filter(isChange);
      assertEquals([index, kinds(changes)], [index, together]);
    }
    assertEquals((await provision(config)).steps.some(isChange), false);
  });
});

Deno.test("provision() of a dry run reports all steps and changes nothing", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}/s`, "[a]", "size=1GB");
    const seen: (readonly [Step, number])[] = [];
    const dry = await provision(config, { dryRun: true, onStep: (step, left) => seen.push([step, left]) });
    assertEquals(snapshot(folder), {});
    assertEquals(seen, dry.steps.map((step, index) => [step, dry.steps.length - 1 - index]));
    const left: number[] = [];
    const real = await provision(config, { onStep: (_step, count) => left.push(count) });
    assertEquals(kinds(dry.steps), kinds(real.steps));
    // The state folder is made before the lock is taken that is in it, and the rest is planned under that.
    assertEquals(left, [1, 0, 2, 1, 0]);
  });
});

Deno.test("provision() grows a file and keeps its content", async () => {
  await withScratch(async (folder) => {
    await provision(configOf(`storage=${folder}`, "[a]", "size=1MB"));
    const path = join(folder, "a");
    writeAt(path, MB - 5, "hello");
    const identities = Deno.readTextFileSync(join(folder, ".iscsi/identities.json"));
    const { steps } = await provision(configOf(`storage=${folder}`, "[a]", "size=750GB"));
    assertEquals(kinds(steps), ["growFile", "confirmFiles"]);
    assertEquals(readAt(path, MB - 5, 6), "hello\0");
    const { size, blocks } = Deno.statSync(path);
    assertEquals(size, 750 * GB);
    assertLess(blocks!, 64);
    const grown = parseIdentities(Deno.readTextFileSync(join(folder, ".iscsi/identities.json")));
    assertEquals(grown.get("a"), { ...parseIdentities(identities).get("a")!, sizeBytes: 750 * GB });
  });
});

Deno.test("provision() keeps the file and the identity of a target that is removed and added again", async () => {
  await withScratch(async (folder) => {
    const both = configOf(`storage=${folder}`, "[a]", "size=1MB", "[b]", "size=1MB");
    await provision(both);
    writeAt(join(folder, "b"), 0, "precious");
    const before = snapshot(folder);
    const { steps } = await provision(configOf(`storage=${folder}`, "[a]", "size=1MB"));
    assertEquals(kinds(steps), ["keepFile", "keepUnusedFile"]);
    await provision(both);
    assertEquals(snapshot(folder), before);
    assertEquals(readAt(join(folder, "b"), 0, 8), "precious");
  });
});

Deno.test("provision() finds the same identities when the storage folder has moved", async () => {
  await withScratch(async (folder) => {
    await provision(configOf(`storage=${folder}/old`, "[a]", "size=1MB 2MB"));
    const identities = Deno.readTextFileSync(join(folder, "old/.iscsi/identities.json"));
    Deno.renameSync(join(folder, "old"), join(folder, "new"));
    const { steps } = await provision(configOf(`storage=${folder}/new`, "[a]", "size=1MB 2MB"));
    assertEquals(kinds(steps), ["keepFile", "keepFile"]);
    assertEquals(Deno.readTextFileSync(join(folder, "new/.iscsi/identities.json")), identities);
  });
});

Deno.test("provision() accepts a storage folder that is a link, and a file elsewhere", async () => {
  await withScratch(async (folder) => {
    Deno.mkdirSync(join(folder, "real"));
    Deno.mkdirSync(join(folder, "elsewhere"));
    Deno.symlinkSync(join(folder, "real"), join(folder, "s"));
    const lines = [`storage=${folder}/s`, "[a]", "size=1MB", "[b]", "size=1MB", `file=${folder}/elsewhere/b`];
    assertEquals((await provision(configOf(...lines))).errors, []);
    const names = Object.keys(snapshot(folder)).filter((name) => !name.includes(".iscsi"));
    assertEquals(names, ["elsewhere", "elsewhere/b", "real", "real/a", "s"]);
    assertEquals(kinds((await provision(configOf(...lines))).steps), ["keepFile", "keepFile"]);
  });
});

Deno.test("provision() refuses every kind of wrong path, all at once, and changes nothing", async () => {
  await withScratch(async (folder) => {
    const s = join(folder, "s");
    Deno.mkdirSync(join(s, "folder"), { recursive: true });
    Deno.mkdirSync(join(folder, "other"));
    Deno.writeTextFileSync(join(folder, "other/secret"), "x".repeat(MB));
    Deno.symlinkSync(join(folder, "other/secret"), join(s, "link"));
    Deno.symlinkSync(join(folder, "other"), join(s, "linked"));
    Deno.symlinkSync("nothing", join(s, "dangling"));
    Deno.symlinkSync("loop", join(s, "loop"));
    Deno.writeTextFileSync(join(s, "large"), "x".repeat(2 * MB));
    Deno.writeTextFileSync(join(s, "twin"), "x".repeat(MB));
    Deno.linkSync(join(s, "twin"), join(s, "twin2"));
    const before = snapshot(folder);
    const names = ["good", "folder", "link", "dangling", "loop", "large", "twin", "twin2"];
    const files = [...names, "linked/new", "linked/secret", `${folder}/none/a`, "large/below"];
    const lines = files.flatMap((file, index) => [`[t${index}]`, "size=1MB", `file=${file}`]);
    const { steps, errors } = await provision(configOf(`storage=${s}`, ...lines.slice(0, -3)));
    assertEquals(steps, []);
    assertEquals(errors.map(formatDiagnostic), [
      `conf:6: Cannot use "${s}/folder" as a backing file: it is a folder; set "file" to the path of a file`,
      `conf:9: Cannot use "${s}/link" as a backing file: a symbolic link leads to "${folder}/other/secret"; ` +
      'set "file" to that path or remove the link',
      `conf:12: Cannot use "${s}/dangling" as a backing file: it is a broken symbolic link, to "nothing"; ` +
      "remove the link",
      `conf:15: Cannot use "${s}/loop" as a backing file: it is a broken symbolic link, to "loop"; ` +
      "remove the link",
      `conf:18: Cannot use "${s}/large" for size 1 MB (1048576 bytes): the file has 2 MB (2097152 bytes), and files ` +
      'are never shrunk; raise "size" or set "file" to another one',
      `conf:24: Cannot use "${s}/twin2" as a backing file: it is the same file as "${s}/twin" of line 21, and two ` +
      'LUNs on one file destroy each other\'s data; set "file" to another path',
      `conf:27: Cannot use "${s}/linked/new" as a backing file: a symbolic link leads to ` +
      `"${folder}/other/new"; set "file" to that path or remove the link`,
      `conf:30: Cannot use "${s}/linked/secret" as a backing file: a symbolic link leads to ` +
      `"${folder}/other/secret"; set "file" to that path or remove the link`,
      `conf:33: Cannot create "${folder}/none/a": folder "${folder}/none" does not exist; create it or mount it`,
    ]);
    assertEquals(snapshot(folder), before);
  });
});

/** Corrupt identities files, each with its problem. */
const CORRUPT_IDENTITIES: readonly (readonly [string, string])[] = [
  ["", "it is not JSON; "],
  ['{"version":1,"logicalUnits":{"a":{"naa":"3', "it is not JSON; "],
  ["\x1b[2J\n", "it is not JSON; "],
  ["[]", "it is not a JSON object"],
  ['{"version":"1","logicalUnits":{}}', 'its version is "1"'],
  ['{"version":2,"logicalUnits":{}}', "it has no checksum"],
  ['{"version":2,"checksum":"00000000","logicalUnits":{}}', "its checksum does not match its content"],
  ['{"version":1}', 'it has no object "logicalUnits"'],
  ['{"version":1,"logicalUnits":{"a":7}}', '"a" has no string "naa"'],
  ['{"version":1,"logicalUnits":{"a":{"naa":"3000000000000001"}}}', '"a" has no string "serialNumber"'],
  [
    '{"version":1,"logicalUnits":{"a":{"naa":"5000000000000001","serialNumber":"x"}}}',
    '"a" has an invalid identity',
  ],
  [
    '{"version":1,"logicalUnits":{"a":{"naa":"3000000000000001","serialNumber":"x"},' +
    '"b":{"naa":"3000000000000001","serialNumber":"y"}}}',
    '"a" and "b" share 3000000000000001',
  ],
];

Deno.test("provision() neither uses nor replaces a corrupt identities file", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB");
    await provision(config);
    const path = join(folder, ".iscsi/identities.json");
    for (const [text, problem] of CORRUPT_IDENTITIES) {
      Deno.writeTextFileSync(path, text);
      const { errors, steps } = await provision(config);
      assertEquals(steps, []);
      assertEquals(errors.length, 1);
      assert(errors[0]!.message.includes(problem), errors[0]!.message);
      assert(errors[0]!.message.startsWith(`Cannot read "${path}": `), errors[0]!.message);
      assert(errors[0]!.message.includes("; restore it from a backup"), errors[0]!.message);
      assertEquals(Deno.readTextFileSync(path), text);
    }
  });
});

Deno.test("provision() reads identities of version 1, and writes the new form with the next ones", async () => {
  await withScratch(async (folder) => {
    const lines = [`storage=${folder}`, "[a]", "size=1MB"];
    await provision(configOf(...lines));
    const path = join(folder, ".iscsi/identities.json");
    const { checksum: _, ...before } = JSON.parse(Deno.readTextFileSync(path));
    const old = JSON.stringify({ ...before, version: 1 });
    Deno.writeTextFileSync(path, old);
    assertEquals((await provision(configOf(...lines))).steps.filter(isChange), []);
    assertEquals(Deno.readTextFileSync(path), old);
    await provision(configOf(...lines, "[b]", "size=1MB"));
    const { version, logicalUnits } = JSON.parse(Deno.readTextFileSync(path));
    assertEquals([version, logicalUnits.a], [2, before.logicalUnits.a]);
  });
});

Deno.test("provision() leaves the identities of a newer version alone, and names the program to use", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB");
    await provision(config);
    const path = join(folder, ".iscsi/identities.json");
    const newer = formatState({ version: 9, body: { logicalUnits: [] } });
    Deno.writeTextFileSync(path, newer);
    assertEquals((await provision(config)).errors.map(({ message }) => message), [
      `Cannot read "${path}": it has version 9, and this program supports versions up to 2; ` +
      "use the version of the program that wrote it",
    ]);
    assertEquals(Deno.readTextFileSync(path), newer);
  });
});

Deno.test("provision() does not wait for a pipe in place of the identities file", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB");
    await provision(config);
    const path = join(folder, ".iscsi/identities.json");
    Deno.removeSync(path);
    await runToolOk("mkfifo", [path]);
    const { errors, steps } = await provision(config);
    assertEquals(steps, []);
    assertEquals(errors.map(({ message }) => message), [
      `Cannot read "${path}": it is not a file; move it away`,
    ]);
  });
});

Deno.test("provision() restricts a state folder that others may enter", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB");
    await provision(config);
    Deno.chmodSync(join(folder, ".iscsi"), 0o755);
    assertEquals(kinds((await provision(config)).steps), ["restrictFolder", "keepFile"]);
    assertEquals(Deno.statSync(join(folder, ".iscsi")).mode! & 0o777, 0o700);
  });
});

Deno.test("provision() is refused while another one has the lock, and names it", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB");
    const stateFolder = join(folder, ".iscsi");
    Deno.mkdirSync(stateFolder, { mode: 0o700 });
    const held = await StorageLock.acquire(stateFolder, "build");
    assert("lock" in held);
    assertStringIncludes((await provision(config)).failure ?? "", `(pid ${Deno.pid}); wait for it`);
    assertEquals(Object.keys(snapshot(folder)), [".iscsi"]);
    held.lock.release();
    assertEquals(kinds((await provision(config)).steps), ["recordIdentities", "createFile", "confirmFiles"]);
  });
});

Deno.test("provision() changes nothing more when what it finds under the lock is wrong", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB");
    await provision(config);
    const mark = Deno.readTextFileSync(join(folder, ".iscsi/built"));
    const larger = configOf(`storage=${folder}`, "[a]", "size=2MB", "[b]", "size=1MB");
    let looks = 0;
    const now = (): string => {
      // The first plan is made; another process puts a folder in the way before the second one.
      if (++looks === 1) Deno.mkdirSync(join(folder, "b"));
      return NOW;
    };
    const { steps, errors, failure } = await provision(larger, { now });
    assertEquals([looks, steps, errors.length, failure], [2, [], 1, undefined]);
    assertStringIncludes(errors[0]!.message, `"${folder}/b" as a backing file: it is a folder`);
    assertEquals(Deno.statSync(join(folder, "a")).size, MB);
    assertEquals(Deno.readTextFileSync(join(folder, ".iscsi/built")), mark);
  });
});

Deno.test("provision() takes no lock for a conf with errors", async () => {
  await withScratch(async (folder) => {
    await provision(configOf(`storage=${folder}`, "[a]", "size=1MB"));
    Deno.removeSync(join(folder, ".iscsi/build.lock"));
    const { errors } = await provision(configOf(`storage=${folder}`, "[a]", "size=512", "[b]", "size=1MB"));
    assertEquals(errors.length, 1);
    assertEquals([...Deno.readDirSync(join(folder, ".iscsi"))].map(({ name }) => name).sort(), [
      "built",
      "identities.json",
    ]);
  });
});

Deno.test("provision() twice at a time makes one set of identities", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}/s`, "[a]", "size=1MB 2MB 3MB");
    const results = await Promise.all([provision(config), provision(config), provision(config)]);
    assertGreater(results.filter(({ failure }) => failure === undefined).length, 0);
    const before = snapshot(folder);
    assertEquals(kinds((await provision(config)).steps), ["keepFile", "keepFile", "keepFile"]);
    assertEquals(snapshot(folder), before);
  });
});

Deno.test("provision() reports a failure of the disk with its remedy, and completes afterwards", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1GB");
    const original = Deno.FsFile.prototype.truncateSync;
    try {
      Deno.FsFile.prototype.truncateSync = function (length): void {
        if (length === GB) throw new Error("File too large (os error 27)");
        original.call(this, length);
      };
      const { steps, failure } = await provision(config);
      assertEquals(kinds(steps), ["createFolder", "recordIdentities"]);
      assertEquals(
        failure,
        `Cannot create "${folder}/a" with 1 GB: File too large (os error 27); the file system cannot hold a file ` +
          "this large; lower the size or use another file system, such as XFS",
      );
    } finally {
      Deno.FsFile.prototype.truncateSync = original;
    }
    assertEquals(kinds((await provision(config)).steps), ["growFile", "confirmFiles"]);
    assertEquals(Deno.statSync(join(folder, "a")).size, GB);
  });
});

/** Brings a folder into the state in which the conf of the crash tests finds it. */
async function prepareForCrash(folder: string): Promise<Config> {
  const s = join(folder, "s");
  await provision(configOf(`storage=${s}`, "[grown]", "size=1MB"), { now: () => NOW });
  writeAt(join(s, "grown"), 0, "old data");
  Deno.writeTextFileSync(join(s, "kept"), "x".repeat(512));
  return configOf(
    ...[`storage=${s}`, "[a]", "size=1GB 2GB", "[grown]", "size=2MB", "[kept]", "size=512"],
    ...["[deep]", "file=folder/deep", "size=1MB"],
  );
}

/** Takes a snapshot in which all identities, times and checksums look the same. */
function snapshotButIdentities(folder: string): unknown {
  return JSON.parse(
    JSON.stringify(snapshot(folder)).replace(/\b3[0-9a-f]{15}\b|\b[0-9a-z]{20}\b|\b[0-9a-f]{8}\b/g, "random")
      .replace(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, "date"),
  );
}

/** Returns the identities recorded in a storage folder, without the states of their files. */
function identitiesIn(storage: string): Record<string, string> {
  const { logicalUnits } = JSON.parse(Deno.readTextFileSync(join(storage, ".iscsi/identities.json")));
  return Object.fromEntries(
    Object.entries<Identity>(logicalUnits).map((
      [key, { naa, serialNumber }],
    ) => [key, `${naa} ${serialNumber}`]),
  );
}

/** Builds the conf of the crash tests, and returns a snapshot and the number of steps. */
async function buildOfCrashTests(): Promise<{ expected: unknown; stepCount: number }> {
  let [expected, stepCount]: [unknown, number] = [undefined, 0];
  await withScratch(async (folder) => {
    stepCount = (await provision(await prepareForCrash(folder))).steps.length;
    expected = snapshotButIdentities(folder);
  });
  return { expected, stepCount };
}

Deno.test("provision() interrupted after any step is completed by the next run", async () => {
  const { expected, stepCount } = await buildOfCrashTests();
  assertEquals(stepCount, 8);
  for (let done = 0; done <= stepCount; done++) {
    await withScratch(async (folder) => {
      const config = await prepareForCrash(folder);
      const first = plan(config, survey(config), { makeIdentity: randomIdentity, now: NOW });
      await Array.fromAsync(applySteps(first.steps.slice(0, done)));
      const recorded = identitiesIn(config.storage);
      const { errors } = await provision(config);
      assertEquals(errors, []);
      assertEquals(snapshotButIdentities(folder), expected, `interrupted after ${done} steps`);
      const now = identitiesIn(config.storage);
      assertEquals({ ...now, ...recorded }, now);
      assertEquals(readAt(join(folder, "s/grown"), 0, 8), "old data");
      assertEquals((await provision(config)).steps.filter(isChange), []);
    });
  }
});

Deno.test("provision() interrupted in the middle of a step is completed by the next run", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1GB");
    const { steps } = plan(config, survey(config), { makeIdentity: randomIdentity, now: NOW });
    await Array.fromAsync(applySteps(steps.slice(0, 2)));
    // A file that was created and had not got its size yet, and identities that were not in their place yet.
    Deno.writeTextFileSync(join(folder, ".iscsi/identities.json.new"), '{"version":1,"logical');
    Deno.writeTextFileSync(join(folder, "a"), "");
    const recorded = identitiesIn(folder);
    assertEquals(kinds((await provision(config)).steps), ["growFile", "confirmFiles"]);
    assertEquals(Deno.statSync(join(folder, "a")).size, GB);
    assertEquals(identitiesIn(folder), recorded);
    assertEquals((await provision(config)).steps.filter(isChange), []);
  });
});

Deno.test("provision() takes no byte and no name away, whatever confs follow one another", async () => {
  const seed = numberFromEnvironment("FUZZ_SEED", 20070101);
  const random = seededRandom(seed);
  await withScratch(async (folder) => {
    const contents = new Map<string, string>();
    const identities = new Map<string, string>();
    for (let round = 0; round < 40; round++) {
      const names = ["a", "b", "c", "d", "e"].filter(() => random(3) > 0);
      const lines = names.flatMap((name) => [`[${name}]`, `size=${(1 + random(64)) * 512}`]);
      await provision(configOf(`storage=${folder}`, ...lines));
      for (const [name, content] of contents) {
        const now = Deno.readTextFileSync(join(folder, name));
        assertEquals(
          now.slice(0, content.length),
          content,
          `FUZZ_SEED=${seed}, round ${round}, file ${name}`,
        );
      }
      for (const { name, isFile } of Deno.readDirSync(folder)) {
        if (!isFile) continue;
        const path = join(folder, name);
        writeAt(path, random(Deno.statSync(path).size), `round ${round}`);
        contents.set(name, Deno.readTextFileSync(path));
      }
      const recorded = identitiesIn(folder);
      for (const [name, identity] of identities) assertEquals(recorded[name], identity);
      for (const [name, identity] of Object.entries(recorded)) identities.set(name, identity);
    }
    assertGreater(contents.size, 2, `FUZZ_SEED=${seed}`);
  });
});

/**
 * The sizes that files of `prepareForCrash` may have after a power failure while they were made together: any of them
 * may have come onto the disk, with its size or without, and any may not (undefined).
 */
const SIZES_FOUND: Readonly<Record<string, readonly (number | undefined)[]>> = {
  "a": [undefined, 0, GB],
  "a_1": [undefined, 0, 2 * GB],
  "grown": [MB, 2 * MB],
  "folder/deep": [undefined, 0, MB],
};

/** Every way to take one value of each list. */
function product<T>(...[first, ...rest]: readonly (readonly T[])[]): T[][] {
  if (first === undefined) return [[]];
  return first.flatMap((value) => product(...rest).map((values) => [value, ...values]));
}

/** Gives a file a size, and makes it if there is none. */
function setSize(path: string, sizeBytes: number): void {
  using file = Deno.openSync(path, { write: true, create: true, mode: 0o600 });
  file.truncateSync(sizeBytes);
}

Deno.test("provision() after a power failure while files were made is completed by the next run", async () => {
  const { expected } = await buildOfCrashTests();
  for (const sizes of product(...Object.values(SIZES_FOUND))) {
    await withScratch(async (folder) => {
      const config = await prepareForCrash(folder);
      const { steps } = plan(config, survey(config), { makeIdentity: randomIdentity, now: NOW });
      const ofFiles: readonly Step["kind"][] = ["createFile", "growFile", "confirmFiles"];
      await Array.fromAsync(applySteps(steps.filter(({ kind }) => !ofFiles.includes(kind))));
      for (const [index, name] of Object.keys(SIZES_FOUND).entries()) {
        const size = sizes[index];
        if (size !== undefined) setSize(join(folder, "s", name), size);
      }
      const recorded = identitiesIn(config.storage);
      assertEquals((await provision(config)).errors, []);
      assertEquals(snapshotButIdentities(folder), expected, `sizes ${sizes}`);
      assertEquals(identitiesIn(config.storage), recorded);
      assertEquals(readAt(join(folder, "s/grown"), 0, 8), "old data");
      assertEquals((await provision(config)).steps.filter(isChange), []);
    });
  }
});
