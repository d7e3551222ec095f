/** The durability that a build guarantees for the files of earlier builds. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dirname, join } from "@std/path";
import type { Config } from "../../lib/config/config.ts";
import { applySteps } from "../../lib/provision/apply_steps.ts";
import { plan } from "../../lib/provision/plan.ts";
import { provision } from "../../lib/provision/provision.ts";
import { isChange } from "../../lib/provision/step.ts";
import { survey } from "../../lib/provision/survey.ts";
import { configOf, NOW, numberedIdentities } from "./conf.ts";
import { withScratch } from "./scratch.ts";
import { WatchedDisk } from "../support/watched_disk.ts";

/** A conf with files in the storage folder, in a folder of it and elsewhere. */
function confIn(folder: string): Config {
  Deno.mkdirSync(join(folder, "elsewhere"), { recursive: true });
  const files = ["[deep]", "size=1MB", "file=vm/deep", "[far]", "size=1MB", `file=${folder}/elsewhere/far`];
  return configOf(`storage=${folder}/data/s`, "[a]", "size=1MB 2MB", ...files);
}

function pathsOf({ targets }: Config): string[] {
  return targets.flatMap(({ logicalUnits }) => logicalUnits.map(({ path }) => path));
}

/** Returns everything that a build syncs that finds all files but no mark. */
function everything(config: Config): string[] {
  const paths = [...pathsOf(config), join(config.storage, ".iscsi/identities.json")];
  const above: string[] = [];
  for (let folder = config.storage; folder !== "/"; folder = dirname(folder)) above.push(dirname(folder));
  return [...new Set([...paths, ...paths.map(dirname), config.storage, ...above])].sort();
}

/** Builds, and returns what was put on the disk under its name then or later, but for the mark of the build itself. */
async function syncedBy(config: Config, options = {}): Promise<string[]> {
  using disk = new WatchedDisk();
  assertEquals((await provision(config, options)).failure, undefined);
  return disk.synced.map((path) => path.replace(/\.new$/, "")).filter((path) => path !== markOf(config));
}

function markOf({ storage }: Config): string {
  return join(storage, ".iscsi/built");
}

function hasMark(config: Config): boolean {
  try {
    return Deno.statSync(markOf(config)).isFile;
  } catch {
    return false;
  }
}

Deno.test("provision() puts all that it finds on the disk after a build that was killed at any step", async () => {
  const stepCount = 9;
  for (let done = 0; done <= stepCount; done++) {
    await withScratch(async (folder) => {
      const config = confIn(folder);
      const { steps } = plan(config, survey(config), { makeIdentity: numberedIdentities(), now: NOW });
      assertEquals(steps.length, stepCount);
      await Array.fromAsync(applySteps(steps.slice(0, done)));
      const synced = new Set(await syncedBy(config));
      assertEquals(everything(config).filter((path) => !synced.has(path)), [], `killed after ${done} steps`);
      assertEquals(await syncedBy(config), []);
    });
  }
});

Deno.test("provision() syncs nothing that the mark of a completed build covers", async () => {
  await withScratch(async (folder) => {
    const config = confIn(folder);
    await provision(config);
    assertEquals(await syncedBy(config), []);
    const more = configOf(`storage=${config.storage}`, "[a]", "size=1MB 2MB", "[b]", "size=1MB");
    const synced = await syncedBy(more);
    assertEquals(synced.filter((path) => pathsOf(config).includes(path)), []);
    assert(synced.includes(join(config.storage, "b")));
    assertEquals(await syncedBy(more), []);
  });
});

Deno.test("provision() syncs files that have changed since the last build", async () => {
  await withScratch(async (folder) => {
    const config = confIn(folder);
    const path = join(config.storage, "a");
    await provision(config);
    // A copy that was put back: another file of the same size.
    Deno.copyFileSync(path, `${path}.copy`);
    Deno.renameSync(`${path}.copy`, path);
    const synced = await syncedBy(config);
    for (const expected of [path, config.storage, "/"]) assert(synced.includes(expected), expected);
    assert(!synced.includes(join(config.storage, "a_1")));
    const identities = join(config.storage, ".iscsi/identities.json");
    Deno.writeTextFileSync(identities, `${Deno.readTextFileSync(identities)}\n`);
    const restored = await syncedBy(config);
    assert(restored.includes(identities));
    assertEquals(restored.filter((path) => pathsOf(config).includes(path)), []);
    assertEquals(await syncedBy(config), []);
  });
});

Deno.test("provision() puts on the disk what it takes over, and its name", async () => {
  await withScratch(async (folder) => {
    await provision(configOf(`storage=${folder}/s`, "[a]", "size=1MB"));
    Deno.mkdirSync(join(folder, "far"));
    Deno.writeFileSync(join(folder, "far/b"), new Uint8Array(512));
    const config = configOf(
      `storage=${folder}/s`,
      "[a]",
      "size=1MB",
      "[b]",
      "size=512",
      `file=${folder}/far/b`,
    );
    const synced = await syncedBy(config);
    for (const path of [join(folder, "far/b"), join(folder, "far")]) assert(synced.includes(path), path);
  });
});

Deno.test("provision() has no mark from its first change to the end of its last", async () => {
  await withScratch(async (folder) => {
    const config = confIn(folder);
    await provision(config);
    assert(hasMark(config));
    const more = configOf(`storage=${config.storage}`, "[a]", "size=2MB 2MB", "[b]", "size=1MB");
    using disk = new WatchedDisk();
    const marks: boolean[] = [];
    const onStep = (): void => {
      marks.push(hasMark(config));
    };
    const { steps } = await provision(more, { onStep });
    assertEquals(steps.some(isChange), true);
    assertEquals(marks, steps.map(() => false));
    assert(disk.syncsOf(dirname(markOf(config))) > 0);
    assert(hasMark(config));
  });
});

Deno.test("provision() sets no mark when it is interrupted, fails, or only plans", async () => {
  await withScratch(async (folder) => {
    const config = confIn(folder);
    await provision(config);
    const more = configOf(`storage=${config.storage}`, "[a]", "size=1MB 2MB", "[b]", "size=1MB");
    await provision(more, { dryRun: true });
    assert(hasMark(config));
    const controller = new AbortController();
    await provision(more, { signal: controller.signal, onStep: () => controller.abort() });
    assertEquals(hasMark(config), false);
    await provision(more);
    assert(hasMark(config));
    Deno.removeSync(markOf(config));
    const original = Deno.FsFile.prototype.sync;
    try {
      Deno.FsFile.prototype.sync = () => Promise.reject(new Error("Input/output error (os error 5)"));
      const { failure = "" } = await provision(more);
      assertMatch(failure, /^Cannot put ".*" on stable storage: Input\/output error \(os error 5\)$/);
      assertEquals(hasMark(config), false);
    } finally {
      Deno.FsFile.prototype.sync = original;
    }
  });
});

Deno.test("provision() ignores an unreadable mark, and replaces nothing else with one", async () => {
  await withScratch(async (folder) => {
    const config = confIn(folder);
    await provision(config);
    const mark = markOf(config);
    const text = Deno.readTextFileSync(mark);
    for (const wrong of ["", "{}", "null", '{"identities":7,"files":{}}', text.replace("{", "[")]) {
      Deno.writeTextFileSync(mark, wrong);
      const synced = new Set(await syncedBy(config));
      assertEquals(everything(config).filter((path) => !synced.has(path)), [], wrong);
      assertEquals(Deno.readTextFileSync(mark), text);
    }
    // A link would lead the new text elsewhere.
    const precious = join(folder, "precious");
    Deno.writeTextFileSync(precious, "text");
    Deno.removeSync(mark);
    Deno.symlinkSync(precious, mark);
    Deno.symlinkSync(precious, `${mark}.new`);
    assert((await syncedBy(config)).length > 0);
    assertEquals([Deno.readTextFileSync(precious), Deno.readTextFileSync(mark)], ["text", text]);
    assert(Deno.lstatSync(mark).isFile);
    Deno.removeSync(mark);
    Deno.mkdirSync(`${mark}/full`, { recursive: true });
    const { failure } = await provision(config);
    assertEquals(failure?.split(" (")[0], `Cannot remove "${mark}": Directory not empty`);
  });
});

Deno.test("provision() waits for no lock when the build mark covers all", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB");
    await provision(config);
    const opened: string[] = [];
    const original = Deno.openSync;
    try {
      Deno.openSync = function (path, options): Deno.FsFile {
        opened.push(String(path));
        return original(path, options);
      };
      await provision(config);
    } finally {
      Deno.openSync = original;
    }
    assertEquals(opened, []);
  });
});
