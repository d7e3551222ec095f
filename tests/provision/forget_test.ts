import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { Config } from "../../lib/config/config.ts";
import { BuildMark } from "../../lib/provision/build_mark.ts";
import { forget } from "../../lib/provision/forget.ts";
import { parseIdentities } from "../../lib/provision/identity/identities.ts";
import { provision } from "../../lib/provision/provision.ts";
import {
  atomicJournalOf,
  reservationsFileOf,
  sanitizeFileOf,
  workerPlaceOf,
} from "../../lib/provision/state_folder.ts";
import { keptJournalOf } from "../../lib/store/atomic_recovery.ts";
import { StorageLock } from "../../lib/provision/storage_lock.ts";
import { configOf } from "./conf.ts";
import { snapshot, withScratch } from "./scratch.ts";

/** A storage folder with the LUNs of [a] and [b], and the conf without [b]. */
interface Scene {
  readonly storage: string;
  readonly config: Config;
  /** The state of the LUNs of [b], and a file of [a] that has a similar name. */
  readonly state: readonly string[];
  readonly kept: string;
}

async function makeScene(folder: string): Promise<Scene> {
  const storage = join(folder, "s");
  const head = `storage=${storage}`;
  const report = await provision(configOf(head, "[a]", "size=1MB", "[b]", "size=1MB 2MB"));
  assertEquals([report.errors, report.failure], [[], undefined]);
  const identities = readIdentities(storage);
  // The worker of a port of its own has served one of them.
  const places = [["b", workerPlaceOf(storage)], ["b_1", workerPlaceOf(storage, 3261)]] as const;
  const state = places.flatMap(([key, place]) => {
    const { naa } = identities.get(key)!;
    const journal = atomicJournalOf(place, naa);
    return [journal, keptJournalOf(journal), reservationsFileOf(place, naa), sanitizeFileOf(place, naa)];
  });
  const kept = reservationsFileOf(workerPlaceOf(storage), identities.get("a")!.naa);
  for (const path of [...state, kept]) {
    Deno.mkdirSync(join(path, ".."), { recursive: true });
    Deno.writeTextFileSync(path, "{}");
  }
  return { storage, config: configOf(head, "[a]", "size=1MB"), state, kept };
}

function readIdentities(storage: string): ReturnType<typeof parseIdentities> {
  return parseIdentities(Deno.readTextFileSync(join(storage, ".iscsi/identities.json")));
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

Deno.test("forget() deletes files with their state and identities, and nothing else", () =>
  withScratch(async (folder) => {
    const { storage, config, state, kept } = await makeScene(folder);
    await provision(config);
    assert(new BuildMark(config).coversAll());
    const { files, failure } = await forget(config, ["b", join(storage, "b_1")]);
    assertEquals(failure, undefined);
    assertEquals(files.map(({ path, sizeBytes }) => [path, sizeBytes]), [
      [join(storage, "b"), 2 ** 20],
      [join(storage, "b_1"), 2 ** 21],
    ]);
    assertEquals([...state, join(storage, "b"), join(storage, "b_1")].filter(exists), []);
    assertEquals([...readIdentities(storage).keys()], ["a"]);
    assert(exists(kept) && exists(join(storage, "a")));
    // The next build has nothing to sync.
    assert(new BuildMark(config).coversAll());
    assertEquals((await provision(config)).steps.map(({ kind }) => kind), ["keepFile"]);
  }));

Deno.test("forget() can be run again after an end at any point, and gives the same result", () =>
  withScratch(async (folder) => {
    const original = Deno.removeSync;
    for (let calls = 0, isComplete = false; !isComplete; calls++) {
      const place = join(folder, String(calls));
      Deno.mkdirSync(place);
      const { storage, config, state } = await makeScene(place);
      let left = calls;
      Deno.removeSync = (path, options): void => {
        if (left-- === 0) throw new Error("stopped here");
        original(path, options);
      };
      const first = await forget(config, ["b", "b_1"]).finally(() => Deno.removeSync = original);
      isComplete = first.failure === undefined;
      if (!isComplete) {
        assertStringIncludes(first.failure!, "stopped here");
        assertEquals([...readIdentities(storage).keys()], ["a", "b", "b_1"], "the identities are last");
        assertEquals((await forget(config, ["b", "b_1"])).failure, undefined);
      }
      assertEquals([...state, join(storage, "b"), join(storage, "b_1")].filter(exists), []);
      assertEquals([...readIdentities(storage).keys()], ["a"]);
    }
  }));

Deno.test("forget() deletes hard links that a server that was killed has left in the state folder", () =>
  withScratch(async (folder) => {
    const { storage, config } = await makeScene(folder);
    const links = join(storage, ".iscsi/links/read-write");
    Deno.mkdirSync(links, { recursive: true });
    Deno.linkSync(join(storage, "b"), join(links, "7"));
    Deno.linkSync(join(storage, "a"), join(links, "8"));
    assertEquals((await forget(config, ["b"])).failure, undefined);
    assertEquals([...Deno.readDirSync(links)].map(({ name }) => name), ["8"]);
  }));

Deno.test("forget() deletes nothing when one of the files must stay", () =>
  withScratch(async (folder) => {
    const { storage, config } = await makeScene(folder);
    const before = snapshot(storage);
    const { files, failure } = await forget(config, ["b", "a"]);
    assertEquals(files, []);
    assertEquals(
      failure,
      `Cannot forget "${join(storage, "a")}": it is LUN 0 of [a]; remove that from the conf first`,
    );
    assertEquals(snapshot(storage), before);
  }));

Deno.test("forget() waits for no build, and says so", () =>
  withScratch(async (folder) => {
    const { storage, config } = await makeScene(folder);
    const held = await StorageLock.acquire(join(storage, ".iscsi"), "build");
    assert("lock" in held);
    using _lock = held.lock;
    const { failure } = await forget(config, ["b"]);
    assertEquals(
      failure,
      `Cannot delete files: another "iscsi build" or "iscsi forget" is running (pid ${Deno.pid}); wait for it`,
    );
    assert(exists(join(storage, "b")));
  }));
