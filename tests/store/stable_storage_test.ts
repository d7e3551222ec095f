import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { makeFolder, openIfPresent, replaceFile, syncPathNow } from "../../lib/store/stable_storage.ts";
import { withScratch } from "../provision/scratch.ts";
import { WatchedDisk } from "../support/watched_disk.ts";

Deno.test("replaceFile() puts the new content and its name on stable storage, and leaves nothing else", () =>
  withScratch(async (folder) => {
    const path = join(folder, "a");
    using disk = new WatchedDisk();
    await replaceFile(path, "first");
    await replaceFile(path, new TextEncoder().encode("second"));
    assertEquals(Deno.readTextFileSync(path), "second");
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["a"]);
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    assertEquals([disk.syncsOf(`${path}.new`), disk.syncsOf(folder)], [2, 2]);
    assert(disk.isSafe(`${path}.new`) && disk.isSafe(folder));
  }));

Deno.test("replaceFile() replaces a leftover that is a link, and not the file that it leads to", () =>
  withScratch(async (folder) => {
    const [path, victim] = [join(folder, "a"), join(folder, "victim")];
    Deno.writeTextFileSync(victim, "untouched");
    Deno.symlinkSync(victim, `${path}.new`);
    await replaceFile(path, "new");
    assertEquals([Deno.readTextFileSync(path), Deno.readTextFileSync(victim)], ["new", "untouched"]);
    assert(Deno.lstatSync(path).isFile);
  }));

Deno.test("replaceFile() that fails leaves the old file and no new one", () =>
  withScratch(async (folder) => {
    const path = join(folder, "a");
    Deno.mkdirSync(join(path, "in the way"), { recursive: true });
    await assertRejects(() => replaceFile(path, "new"), Error);
    assert(Deno.statSync(join(path, "in the way")).isDirectory);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["a"]);
  }));

Deno.test("makeFolder() makes what is missing, returns the folders with a new name, and leaves what exists", () =>
  withScratch(async (folder) => {
    const path = join(folder, "a", "b");
    assertEquals(await makeFolder(path, 0o700, 0o755), [folder, join(folder, "a")]);
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o700);
    assertEquals(Deno.statSync(join(folder, "a")).mode! & 0o777, 0o755);
    assertEquals(await makeFolder(path, 0o777), []);
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o700);
    Deno.writeTextFileSync(join(folder, "file"), "");
    await assertRejects(() => makeFolder(join(folder, "file"), 0o700), Deno.errors.AlreadyExists);
  }));

Deno.test("syncPathNow() synchronizes a file and a folder", () =>
  withScratch((folder) => {
    const path = join(folder, "a");
    Deno.writeTextFileSync(path, "");
    using disk = new WatchedDisk();
    for (const each of [path, folder]) syncPathNow(each);
    assertEquals(disk.synced, [folder, path]);
    return Promise.resolve();
  }));

Deno.test("openIfPresent() opens a file, returns undefined for none, and rejects for a folder", () =>
  withScratch(async (folder) => {
    const path = join(folder, "a");
    assertEquals(await openIfPresent(path), undefined);
    Deno.writeTextFileSync(path, "text");
    {
      using file = await openIfPresent(path);
      assert(file !== undefined);
      assertEquals(file.statSync().size, 4);
    }
    await assertRejects(() => openIfPresent(folder), Error);
  }));
