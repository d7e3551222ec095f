import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { StoreError } from "../../lib/store/block_store.ts";
import { writeSynced } from "../../lib/store/stable_storage.ts";
import { formatState } from "../../lib/store/state_text.ts";
import { TwinFile } from "../../lib/store/twin_file.ts";
import { withScratch } from "../provision/scratch.ts";
import { WatchedDisk } from "../support/watched_disk.ts";

/** The size of a sector, which a disk writes as a whole. */
const SECTOR_BYTES = 512;

function textOf(value: string): string {
  return formatState({ version: 2, body: { value } });
}

/** Returns the value in a text of `textOf`. */
function valueIn(text: string | undefined): unknown {
  return text === undefined ? undefined : JSON.parse(text).value;
}

/** Writes the first `limit` bytes in place; then the power fails. */
function powerFor(limit: number): typeof writeSynced {
  let left = limit;
  return async (file, offset, bytes) => {
    const written = bytes.subarray(0, left);
    left -= written.length;
    await writeSynced(file, offset, written);
    if (written.length < bytes.length) throw new Error("power failure");
  };
}

Deno.test("TwinFile keeps the last text in a folder that it makes, and leaves no other file", () =>
  withScratch(async (folder) => {
    const path = join(folder, "state", "a.json");
    const file = new TwinFile(path);
    assertEquals(file.read(), { text: undefined, needsRewrite: false, isHalfDamaged: false });
    for (const value of ["one", "a longer one", "two"]) {
      await file.replace(textOf(value));
      const read = new TwinFile(path).read();
      assertEquals([valueIn(read.text), read.needsRewrite, read.isHalfDamaged], [value, false, false]);
    }
    assertEquals([...Deno.readDirSync(join(folder, "state"))].map(({ name }) => name), ["a.json"]);
    const { mode, size, blocks } = Deno.statSync(path);
    assertEquals([mode! & 0o777, size, blocks! * 512 >= size], [0o600, 8192, true]);
  }));

Deno.test("TwinFile.read() puts the file and its name on stable storage", () =>
  withScratch(async (folder) => {
    const path = join(folder, "a.json");
    await new TwinFile(path).replace(textOf("one"));
    using disk = new WatchedDisk();
    new TwinFile(path).read();
    assertEquals(disk.synced, [folder, path]);
  }));

Deno.test("TwinFile replaces a text in place if it fits, and else makes a larger file", () =>
  withScratch(async (folder) => {
    const path = join(folder, "a.json");
    const file = new TwinFile(path);
    await file.replace(textOf("x"));
    const { ino } = Deno.statSync(path);
    for (const length of [3000, 10, 4000, 0]) {
      await file.replace(textOf("y".repeat(length)));
      assertEquals([Deno.statSync(path).ino, Deno.statSync(path).size], [ino, 8192], String(length));
      assertEquals(valueIn(new TwinFile(path).read().text), "y".repeat(length));
    }
    await file.replace(textOf("z".repeat(9000)));
    assertEquals(Deno.statSync(path).size, 2 * 16384);
    assertEquals(valueIn(new TwinFile(path).read().text), "z".repeat(9000));
  }));

Deno.test("TwinFile holds the old or the new text after a loss of power at any point, and keeps it", () =>
  withScratch(async (folder) => {
    const path = join(folder, "a.json");
    // The two texts have the maximum length, so every sector counts.
    const [before, after] = ["b", "a"].map((value) => textOf(value.repeat(4000))) as [string, string];
    const whole = 8192;
    for (let limit = 0; limit <= whole; limit += SECTOR_BYTES) {
      const file = new TwinFile(path, { write: powerFor(limit) });
      await new TwinFile(path).replace(before);
      assertEquals(file.read().text, before.trimEnd());
      const replacing = file.replace(after);
      if (limit === whole) await replacing;
      else await assertRejects(() => replacing, StoreError, "power failure");
      const crashed = Deno.readFileSync(path);
      const told = new TwinFile(path).read().text;
      assertEquals(told, (limit < whole / 2 ? before : after).trimEnd(), `${limit} bytes`);
      // The file is repaired, and the power fails again: it must still hold this value.
      for (let again = 0; again <= whole; again += SECTOR_BYTES) {
        Deno.writeFileSync(path, crashed);
        const next = new TwinFile(path, { write: powerFor(again) });
        next.read();
        await next.replace(told!).catch(() => {});
        assertEquals(new TwinFile(path).read().text, told, `${limit} bytes, then ${again}`);
      }
      assertEquals(new TwinFile(path).read().needsRewrite, false);
    }
  }));

Deno.test("TwinFile detects a changed digit in either copy, and still returns the last text", () =>
  withScratch(async (folder) => {
    const path = join(folder, "a.json");
    const file = new TwinFile(path);
    await file.replace(textOf("before"));
    await file.replace(textOf("1234"));
    const whole = Deno.readFileSync(path);
    const at = new TextDecoder().decode(whole).indexOf("1234");
    for (const offset of [at, at + 4096]) {
      const damaged = Uint8Array.from(whole);
      damaged[offset] = "7".charCodeAt(0);
      Deno.writeFileSync(path, damaged);
      const found = new TwinFile(path);
      const { text, needsRewrite, isHalfDamaged } = found.read();
      assertEquals([valueIn(text), needsRewrite, isHalfDamaged], ["1234", true, true]);
      await found.replace(text!);
      assertEquals(new TwinFile(path).read(), { text, needsRewrite: false, isHalfDamaged: false });
    }
  }));

Deno.test("TwinFile returns the first of two damaged copies, and replaces both", () =>
  withScratch(async (folder) => {
    const path = join(folder, "a.json");
    await new TwinFile(path).replace(textOf("1234"));
    const text = Deno.readTextFileSync(path);
    const damaged = text.slice(0, text.length / 2).replace("1234", "1235");
    Deno.writeTextFileSync(path, damaged + text.slice(text.length / 2).replace("1234", "1236"));
    const file = new TwinFile(path);
    assertEquals(file.read(), { text: damaged, needsRewrite: true, isHalfDamaged: false });
    await file.replace(textOf("next"));
    assertEquals(valueIn(new TwinFile(path).read().text), "next");
  }));

Deno.test("TwinFile returns a file without an intact copy as a whole, and replaces it as a whole", () =>
  withScratch(async (folder) => {
    const path = join(folder, "a.json");
    for (const text of ['{"version":1}', `{"version":1}${" ".repeat(8192 - 13)}`, "{", ""]) {
      Deno.writeTextFileSync(path, text);
      const file = new TwinFile(path, {
        write: () => Promise.reject(new Error("nothing is changed in place")),
      });
      assertEquals(file.read(), { text, needsRewrite: true, isHalfDamaged: false });
      await file.replace(textOf("next"));
      assertEquals(valueIn(new TwinFile(path).read().text), "next");
    }
  }));

Deno.test("TwinFile names the file that it cannot replace or read, and keeps the old one", () =>
  withScratch(async (folder) => {
    const path = join(folder, "a.json");
    const file = new TwinFile(path);
    await file.replace(textOf("before"));
    Deno.mkdirSync(`${path}.new`);
    Deno.writeTextFileSync(`${path}.new/a`, "");
    await assertRejects(() => file.replace(textOf("a".repeat(9000))), StoreError, path);
    assertEquals(valueIn(new TwinFile(path).read().text), "before");
    await file.replace(textOf("next"));
    assert(Deno.statSync(`${path}.new`).isDirectory, "a change in place needs no other file");
    assertThrows(() => new TwinFile(folder).read(), StoreError, folder);
  }));
