import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { StoreError } from "../../lib/store/block_store.ts";
import { DurableFile } from "../../lib/store/durable_file.ts";
import { runToolOk } from "../support/tools.ts";

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "iscsi-" });
  try {
    await test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("DurableFile keeps the last text in a folder that it makes, and leaves no other file", () =>
  withFolder(async (folder) => {
    const path = join(folder, "state", "a.json");
    const file = new DurableFile(path);
    assertEquals(file.read(), undefined);
    await file.replace("one");
    await file.replace("a longer one");
    await file.replace("two");
    assertEquals(new DurableFile(path).read(), "two");
    assertEquals([...Deno.readDirSync(join(folder, "state"))].map(({ name }) => name), ["a.json"]);
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    assertEquals(Deno.statSync(join(folder, "state")).mode! & 0o777, 0o700);
  }));

Deno.test("DurableFile ignores a half-written file of a killed server", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a.json");
    const file = new DurableFile(path);
    await file.replace("whole");
    Deno.writeTextFileSync(`${path}.new`, "hal");
    assertEquals(file.read(), "whole");
    await file.replace("next");
    assertEquals(file.read(), "next");
  }));

Deno.test("DurableFile names the file that it cannot replace or read, and keeps the old one", () =>
  withFolder(async (folder) => {
    const path = join(folder, "a.json");
    const file = new DurableFile(path);
    await file.replace("before");
    Deno.mkdirSync(`${path}.new`);
    await assertRejects(() => file.replace("after"), StoreError, path);
    assertEquals(file.read(), "before");
    assertThrows(() => new DurableFile(folder).read(), StoreError, folder);
    const pipe = join(folder, "pipe");
    await runToolOk("mkfifo", [pipe]);
    assertThrows(() => new DurableFile(pipe).read(), StoreError, `"${pipe}": it is not a file`);
  }));

Deno.test("DurableFile syncs the text, its name and that of a new folder, in this order", () =>
  withFolder(async (folder) => {
    const path = join(folder, "state", "a.json");
    const file = new DurableFile(path);
    const order: string[] = [];
    const paths = new WeakMap<Deno.FsFile, string>();
    const { open } = Deno;
    const { sync } = Deno.FsFile.prototype;
    Deno.open = async (path, options) => {
      const opened = await open(path, options);
      paths.set(opened, String(path));
      return opened;
    };
    Deno.FsFile.prototype.sync = async function (): Promise<void> {
      await sync.call(this);
      order.push(paths.get(this)!);
    };
    try {
      await file.replace("one");
      await file.replace("two");
    } finally {
      Deno.open = open;
      Deno.FsFile.prototype.sync = sync;
    }
    const state = join(folder, "state");
    assertEquals(order, [`${path}.new`, state, folder, `${path}.new`, state]);
  }));

Deno.test("DurableFile fails when the text or a name cannot be synced", () =>
  withFolder(async (folder) => {
    // The text, its name, and the name of the folder that is made for it.
    for (let refused = 0; refused < 3; refused++) {
      const file = new DurableFile(join(folder, String(refused), "a.json"));
      const { sync } = Deno.FsFile.prototype;
      let left = refused;
      Deno.FsFile.prototype.sync = async function (): Promise<void> {
        if (left-- === 0) throw new Error("Input/output error (os error 5)");
        await sync.call(this);
      };
      try {
        const error = await assertRejects(() => file.replace("text"), StoreError, "Input/output error");
        assertEquals(error.kind, "writeFailed");
      } finally {
        Deno.FsFile.prototype.sync = sync;
      }
    }
  }));
