import { assert, assertEquals, assertRejects } from "@std/assert";
import { dirname, join } from "@std/path";
import { applySteps } from "../../lib/provision/apply_steps.ts";
import { parseIdentities } from "../../lib/provision/identity/identities.ts";
import { ProvisionError } from "../../lib/provision/provision_error.ts";
import type { Step } from "../../lib/provision/step.ts";
import { identityNumber } from "./conf.ts";
import { withScratch } from "./scratch.ts";
import { WatchedDisk } from "../support/watched_disk.ts";

function createFiles(folder: string, count: number): Step[] {
  return Array.from({ length: count }, (_, index) => {
    return { kind: "createFile", path: join(folder, `f${index}`), sizeBytes: 512 } as const;
  });
}

Deno.test("applySteps() creates and grows only files that have not changed since the plan", async () => {
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

Deno.test("applySteps() fails when a file cannot be synced", async () => {
  await withScratch(async (folder) => {
    const [made, grown, kept] = ["made", "grown", "kept"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    for (const path of [grown, kept]) Deno.writeTextFileSync(path, "");
    const steps: readonly (readonly [Step, string])[] = [
      [{ kind: "createFile", path: made, sizeBytes: 512 }, `create "${made}"`],
      [{ kind: "growFile", path: grown, fromBytes: 0, sizeBytes: 512, allocatedBytes: 0 }, `grow "${grown}"`],
      [{ kind: "keepFile", path: kept, sizeBytes: 0, allocatedBytes: 0 }, `put "${kept}" on stable storage`],
    ];
    const { sync } = Deno.FsFile.prototype;
    Deno.FsFile.prototype.sync = () => Promise.reject(new Error("Input/output error (os error 5)"));
    try {
      for (const [step, action] of steps) {
        await assertRejects(
          () => Array.fromAsync(applySteps([step])),
          ProvisionError,
          `Cannot ${action}`,
        );
      }
    } finally {
      Deno.FsFile.prototype.sync = sync;
    }
  });
});

Deno.test("applySteps() makes one file as many ones, before what relies on it", async () => {
  await withScratch(async (folder) => {
    const path = join(folder, "identities.json");
    const steps: Step[] = [
      ...createFiles(folder, 1),
      { kind: "confirmFiles", path, identities: new Map(), files: [join(folder, "f0")] },
    ];
    assertEquals(await Array.fromAsync(applySteps(steps)), steps);
  });
});

Deno.test("applySteps() puts files that it finds on the disk, but those that are there for sure", async () => {
  await withScratch(async (folder) => {
    const paths = ["a", "b", "c"].map((name) => join(folder, name));
    for (const path of paths) Deno.writeTextFileSync(path, "x".repeat(512));
    const kept = paths.map((
      path,
    ) => ({ kind: "keepFile", path, sizeBytes: 512, allocatedBytes: 512 } as const));
    const [a, b, c] = paths as [string, string, string];
    const record = join(folder, "identities.json");
    const confirm = { kind: "confirmFiles", path: record, identities: new Map(), files: [b] } as const;
    const unused = { ...kept[2]!, kind: "keepUnusedFile" } as const;
    const rows:
      readonly (readonly [readonly Step[], ((path: string) => boolean) | undefined, readonly string[]])[] = [
        [kept, undefined, [folder, a, b, c]],
        [kept, (path) => path === a, [folder, b, c]],
        [kept, () => true, []],
        // Files that the record names are synced, even if they are reported as durable.
        [[...kept, confirm], () => true, [folder, b, `${record}.new`]],
        [[unused], undefined, []],
      ];
    for (const [steps, isDurable, expected] of rows) {
      using disk = new WatchedDisk();
      const done = await Array.fromAsync(applySteps(steps, { ...(isDurable && { isDurable }) }));
      assertEquals(done, steps);
      assertEquals(disk.synced, [...expected].sort());
    }
    Deno.removeSync(c);
    const message = `Cannot put "${c}" on stable storage: No such file or directory`;
    await assertRejects(() => Array.fromAsync(applySteps(kept)), ProvisionError, message);
  });
});

Deno.test("applySteps() puts folders on the disk, with those that they lacked, and their modes", async () => {
  await withScratch(async (folder) => {
    const path = join(folder, "a/b/c");
    using disk = new WatchedDisk();
    await Array.fromAsync(applySteps([{ kind: "createFolder", path, mode: 0o700 }]));
    assertEquals(disk.synced, [folder, join(folder, "a"), join(folder, "a/b")]);
    assertEquals([path, dirname(path)].map((path) => Deno.statSync(path).mode! & 0o777), [0o700, 0o755]);
    Deno.chmodSync(path, 0o755);
    await Array.fromAsync(applySteps([{ kind: "restrictFolder", path, mode: 0o700 }]));
    assertEquals([Deno.statSync(path).mode! & 0o777, disk.syncsOf(path)], [0o700, 1]);
    // What another process has made meanwhile is left as it is.
    await Array.fromAsync(applySteps([{ kind: "createFolder", path, mode: 0o755 }]));
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o700);
    Deno.writeTextFileSync(join(folder, "file"), "");
    const step = { kind: "createFolder", path: join(folder, "file/a"), mode: 0o755 } as const;
    const message = `Cannot create folder "${step.path}": `;
    await assertRejects(() => Array.fromAsync(applySteps([step])), ProvisionError, message);
  });
});

Deno.test("applySteps() replaces the identities, and nothing that a link in the way leads to", async () => {
  await withScratch(async (folder) => {
    const path = join(folder, "identities.json");
    const precious = join(folder, "precious");
    Deno.writeTextFileSync(precious, "text");
    for (const kind of ["recordIdentities", "confirmFiles"] as const) {
      Deno.symlinkSync(precious, `${path}.new`);
      const identities = new Map([["a", identityNumber(kind.length)]]);
      await Array.fromAsync(applySteps([{ kind, path, identities, added: [], files: [] }]));
      assertEquals(parseIdentities(Deno.readTextFileSync(path)), identities);
      assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
      assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
        "identities.json",
        "precious",
      ]);
    }
    assertEquals(Deno.readTextFileSync(precious), "text");
    Deno.mkdirSync(`${path}.new/full`, { recursive: true });
    const step = { kind: "confirmFiles", path, identities: new Map(), files: [] } as const;
    const message = `Cannot record in "${path}" that files were made: File exists`;
    await assertRejects(() => Array.fromAsync(applySteps([step])), ProvisionError, message);
  });
});

Deno.test("applySteps() yields steps that are on the disk, and makes files only after their identities", async () => {
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
