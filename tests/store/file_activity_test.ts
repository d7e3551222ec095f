import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { AtomicJournalFile } from "../../lib/store/atomic_journal.ts";
import { StoreError } from "../../lib/store/block_store.ts";
import { DurableFile } from "../../lib/store/durable_file.ts";
import { FileActivity } from "../../lib/store/file_activity.ts";
import { FileStore } from "../../lib/store/file_store.ts";
import { TwinFile } from "../../lib/store/twin_file.ts";
import { withScratch } from "../provision/scratch.ts";

const BYTES = 8192;

/** A store that is always durable. */
const SYNCED = { flush: () => Promise.resolve() };

Deno.test("FileActivity is idle when every operation has ended", async () => {
  const activity = new FileActivity();
  await activity.idle();
  activity.begin("/a");
  activity.begin("/a");
  activity.begin("/b");
  let isIdle = false;
  const idle = activity.idle().then(() => isIdle = true);
  activity.end("/a");
  activity.end("/b");
  await Promise.resolve();
  assertEquals([isIdle, activity.paths], [false, ["/a"]]);
  activity.end("/a");
  await idle;
  assertEquals(activity.paths, []);
});

Deno.test("FileActivity.idle() resolves for all callers", async () => {
  const activity = new FileActivity();
  activity.begin("/a");
  let count = 0;
  const waiting = [1, 2].map(() => activity.idle().then(() => count++));
  activity.end("/a");
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  assertEquals(count, 2);
  await Promise.all(waiting);
});

Deno.test("FileActivity that is closed refuses new operations, and waits for those under way", async () => {
  const activity = new FileActivity();
  const gate = Promise.withResolvers<void>();
  const work = activity.during("/a", () => gate.promise);
  activity.close();
  assertThrows(() => activity.begin("/a"), StoreError, 'Cannot write "/a"');
  await assertRejects(() => activity.during("/a", () => Promise.resolve()), StoreError, 'Cannot write "/a"');
  gate.resolve();
  await work;
  await activity.idle();
});

Deno.test("FileActivity counts operations of stores, journals and state files off the event loop", () =>
  withScratch(async (folder) => {
    const activity = new FileActivity();
    const [disk, journal, text, twins] = ["disk", "journal", "text", "twins"].map((name) =>
      `${folder}/${name}`
    );
    Deno.writeFileSync(disk!, new Uint8Array(BYTES));
    const store = FileStore.open(disk!, { sizeBytes: BYTES, readOnly: false, activity });
    const owner = "3000000000000001";
    const atomic = new AtomicJournalFile(journal!, { store: SYNCED, owner, roomBytes: BYTES, activity });
    const durable = new DurableFile(text!, activity);
    const twin = new TwinFile(twins!, { activity });
    const bytes = new Uint8Array(BYTES).fill(1);
    const replacement = { offset: 0, old: new Uint8Array(BYTES), fresh: bytes };
    const begin: readonly (readonly [path: string, work: () => Promise<void>])[] = [
      [disk!, () => store.write(0, bytes)],
      [disk!, () => store.flush()],
      [journal!, () => atomic.protect(replacement, () => Promise.resolve(undefined))],
      [journal!, () => atomic.flush()],
      [journal!, () => atomic.erase()],
      [text!, () => durable.replace("text")],
      [twins!, () => twin.replace("text")],
    ];
    for (const [path, work] of begin) {
      const done = work();
      // A flush begins when others have had the time to share it.
      for (let turn = 0; turn < 10 && activity.paths.length === 0; turn++) await Promise.resolve();
      assertEquals(activity.paths, [path]);
      await done;
      assertEquals(activity.paths, []);
    }
    activity.close();
    let hasBegun = false;
    const refused: readonly (() => Promise<void>)[] = [
      () => store.write(0, bytes),
      () => store.flush(),
      () => {
        return atomic.protect(replacement, () => {
          hasBegun = true;
          return Promise.resolve(undefined);
        });
      },
      () => durable.replace("other"),
      () => twin.replace("other"),
    ];
    for (const work of refused) await assertRejects(work, StoreError);
    assertEquals([hasBegun, Deno.readTextFileSync(text!)], [false, "text"]);
    for (const open of [store, atomic]) open.close();
  }));

Deno.test("FileStore opened by a link reports its own path, and is empty only if the file is", () =>
  withScratch((folder) => {
    const [path, at] = [`${folder}/disk`, `${folder}/link`];
    Deno.writeTextFileSync(path, "");
    Deno.truncateSync(path, BYTES);
    Deno.symlinkSync(path, at);
    const options = { sizeBytes: BYTES, readOnly: false, at };
    const store = FileStore.open(path, options);
    assertEquals(store.isEmpty, true);
    assertThrows(() => FileStore.open(path, { ...options, sizeBytes: BYTES + 1 }), StoreError, `"${path}"`);
    store.writeNow(0, new Uint8Array(BYTES).fill(1));
    const other = `${folder}/other`;
    Deno.writeTextFileSync(other, "");
    Deno.removeSync(at);
    Deno.symlinkSync(other, at);
    assertEquals(store.isEmpty, false);
    assertThrows(() => store.reopen(at, true), StoreError, "another file has replaced it");
    store.close();
  }));
