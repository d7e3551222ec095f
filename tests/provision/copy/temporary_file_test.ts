import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { isTemporary, removeIfLeft, TemporaryFile } from "../../../lib/provision/copy/temporary_file.ts";
import { ProvisionError } from "../../../lib/provision/provision_error.ts";
import { withNfsLocks } from "../../support/nfs_locks.ts";
import { withScratch } from "../scratch.ts";

function namesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

Deno.test("TemporaryFile is removed unless it was placed", async () => {
  await withScratch(async (folder) => {
    {
      using temporary = TemporaryFile.create(`${folder}/copy`, 4096);
      assertEquals(Deno.statSync(temporary.path).size, 4096);
      assertEquals(isTemporary(temporary.path), true);
    }
    assertEquals(namesIn(folder), []);
    {
      using temporary = TemporaryFile.create(`${folder}/copy`, 4096);
      await temporary.place(false);
    }
    assertEquals(namesIn(folder), ["copy"]);
    assertEquals(Deno.statSync(`${folder}/copy`).mode! & 0o777, 0o600);
  });
});

Deno.test("TemporaryFile.place() replaces a file only on request", async () => {
  await withScratch(async (folder) => {
    Deno.writeTextFileSync(`${folder}/copy`, "old");
    {
      using temporary = TemporaryFile.create(`${folder}/copy`, 1);
      const error = await assertRejects(() => temporary.place(false), ProvisionError);
      assertEquals(error.message.startsWith(`Cannot create "${folder}/copy": `), true, error.message);
    }
    assertEquals([namesIn(folder), Deno.readTextFileSync(`${folder}/copy`)], [["copy"], "old"]);
    using temporary = TemporaryFile.create(`${folder}/copy`, 1);
    await temporary.place(true);
    assertEquals([namesIn(folder), Deno.readFileSync(`${folder}/copy`)], [["copy"], Uint8Array.of(0)]);
  });
});

Deno.test("TemporaryFile.create() removes those of commands that were killed, and none that is in use", async () => {
  await withScratch((folder) => {
    const left = `${folder}/.iscsi-copy-0123456789abcdef`;
    for (const path of [left, `${folder}/.iscsi-copy-other`]) Deno.writeTextFileSync(path, "x");
    using used = TemporaryFile.create(`${folder}/a`, 1);
    using more = TemporaryFile.create(`${folder}/b`, 1);
    removeIfLeft(used.path);
    const names = [used.path, more.path].map((path) => path.slice(folder.length + 1));
    assertEquals(namesIn(folder), [...names, ".iscsi-copy-other"].sort());
  });
});

Deno.test("TemporaryFile.create() reports a folder that it cannot write", async () => {
  await withScratch((folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "");
    assertThrows(() => TemporaryFile.create(`${folder}/file/copy`, 1), ProvisionError, "Cannot");
  });
});

Deno.test("TemporaryFile.create() removes none that is in use on NFS, where only a writer gets the lock", () =>
  withScratch((folder) =>
    withNfsLocks(() => {
      using used = TemporaryFile.create(`${folder}/a`, 1);
      using more = TemporaryFile.create(`${folder}/b`, 1);
      removeIfLeft(used.path);
      assertEquals(namesIn(folder).length, 2, more.path);
    })
  ));
