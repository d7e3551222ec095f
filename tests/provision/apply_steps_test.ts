import { assert, assertEquals, assertRejects } from "@std/assert";
import { dirname, join } from "@std/path";
import { applySteps } from "../../lib/provision/apply_steps.ts";
import { ProvisionError } from "../../lib/provision/provision_error.ts";
import type { Step } from "../../lib/provision/step.ts";
import { withScratch } from "./scratch.ts";

function createFiles(folder: string, count: number): Step[] {
  return Array.from({ length: count }, (_, index) => {
    return { kind: "createFile", path: join(folder, `f${index}`), sizeBytes: 512 } as const;
  });
}

Deno.test("applySteps() creates and grows only what is as the plan saw it", async () => {
  await withScratch(async (folder) => {
    const path = join(folder, "a");
    Deno.writeTextFileSync(path, "x".repeat(1024));
    const grow = { kind: "growFile", path, allocatedBytes: 0 } as const;
    const refused: readonly Step[] = [
      { kind: "createFile", path, sizeBytes: 512 },
      { ...grow, fromBytes: 512, sizeBytes: 2048 },
      { ...grow, fromBytes: 1024, sizeBytes: 512 },
    ];
    for (const step of refused) {
      await assertRejects(() => Array.fromAsync(applySteps([step])), ProvisionError, "Cannot ");
      assertEquals(Deno.readTextFileSync(path), "x".repeat(1024), step.kind);
    }
  });
});

Deno.test("applySteps() yields the files made beside one that the disk refuses, and begins no more", async () => {
  await withScratch(async (folder) => {
    const steps = createFiles(folder, 200);
    Deno.writeTextFileSync(join(folder, "f3"), "mine");
    const done: string[] = [];
    await assertRejects(
      async () => {
        for await (const { path } of applySteps(steps)) done.push(path);
      },
      ProvisionError,
      `Cannot create "${folder}/f3" with 512 bytes`,
    );
    assertEquals(done.slice(0, 4), ["f0", "f1", "f2", "f4"].map((name) => join(folder, name)));
    assert(done.length < 199, "it went on after the failure");
    const found = [...Deno.readDirSync(folder)].map(({ name }) => join(folder, name)).sort();
    assertEquals(found, [...done, join(folder, "f3")].sort());
  });
});

Deno.test("applySteps() yields what is on the disk, and makes no file before identities are", async () => {
  await withScratch(async (folder) => {
    const files = createFiles(folder, 200);
    const record = join(folder, "identities.json");
    const steps: Step[] = [
      { kind: "recordIdentities", path: record, identities: new Map(), added: [] },
      ...files,
    ];
    using disk = new WatchedDisk();
    let yielded = 0;
    for await (const { path } of applySteps(steps)) {
      assert(disk.isSafe(path === record ? `${record}.new` : path), `${path} is not on the disk`);
      assert(disk.isSafe(dirname(path)), `the name of ${path} is not on the disk`);
      if (path === record) {
        assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["identities.json"]);
      }
      yielded++;
    }
    assertEquals(yielded, 201);
    assert(disk.syncsOf(folder) < 10, `the folder was put on the disk ${disk.syncsOf(folder)} times`);
  });
});

/** Watches which files and folders are put on the disk after they have been opened to be changed. */
class WatchedDisk {
  readonly #open = Deno.openSync;
  readonly #sync = Deno.FsFile.prototype.sync;
  readonly #syncSync = Deno.FsFile.prototype.syncSync;
  readonly #paths = new WeakMap<Deno.FsFile, string>();
  readonly #syncs = new Map<string, number>();
  readonly #unsafe = new Set<string>();

  constructor() {
    const open = this.#open;
    const [sync, syncSync] = [this.#sync, this.#syncSync];
    const onOpen = (path: string, file: Deno.FsFile, isNew: boolean): void => {
      this.#paths.set(file, path);
      if (isNew) this.#unsafe.add(path).add(dirname(path));
    };
    const onSynced = (file: Deno.FsFile): void => {
      const path = this.#paths.get(file)!;
      this.#unsafe.delete(path);
      this.#syncs.set(path, this.syncsOf(path) + 1);
    };
    Deno.openSync = function (path, options): Deno.FsFile {
      const file = open(path, options);
      onOpen(String(path), file, options?.write === true);
      return file;
    };
    Deno.FsFile.prototype.sync = async function (): Promise<void> {
      await sync.call(this);
      onSynced(this);
    };
    Deno.FsFile.prototype.syncSync = function (): void {
      syncSync.call(this);
      onSynced(this);
    };
  }

  isSafe(path: string): boolean {
    return !this.#unsafe.has(path);
  }

  syncsOf(path: string): number {
    return this.#syncs.get(path) ?? 0;
  }

  [Symbol.dispose](): void {
    Deno.openSync = this.#open;
    Deno.FsFile.prototype.sync = this.#sync;
    Deno.FsFile.prototype.syncSync = this.#syncSync;
  }
}
