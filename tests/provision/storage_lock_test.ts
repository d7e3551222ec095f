import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { ProvisionError } from "../../lib/provision/provision_error.ts";
import { StorageLock } from "../../lib/provision/storage_lock.ts";
import { runToolOk } from "../support/tools.ts";
import { withScratch } from "./scratch.ts";

Deno.test("StorageLock has one holder at a time, which others can read", async () => {
  await withScratch(async (folder) => {
    assertEquals(StorageLock.holder(folder, "serve"), undefined);
    const first = await StorageLock.acquire(folder, "serve");
    assert("lock" in first);
    assertEquals(StorageLock.holder(folder, "serve"), { holderPid: Deno.pid });
    assertEquals(await StorageLock.acquire(folder, "serve"), { holderPid: Deno.pid });
    assertEquals(StorageLock.holder(folder, "build"), undefined);
    first.lock.release();
    assertEquals(StorageLock.holder(folder, "serve"), undefined);
    const second = await StorageLock.acquire(folder, "serve");
    assert("lock" in second);
    second.lock.release();
  });
});

Deno.test("StorageLock does not take a process that only checks it for its holder", async () => {
  await withScratch((folder) => {
    const path = join(folder, "serve.lock");
    Deno.writeTextFileSync(path, "1\n");
    using looking = Deno.openSync(path, { read: true });
    assert(looking.tryLockSync(false));
    assertEquals(StorageLock.holder(folder, "serve"), undefined);
  });
});

Deno.test("StorageLock means nothing when only its file is left", async () => {
  await withScratch(async (folder) => {
    Deno.writeTextFileSync(join(folder, "serve.lock"), "99999999999999\n");
    assertEquals(StorageLock.holder(folder, "serve"), undefined);
    const result = await StorageLock.acquire(folder, "serve");
    assert("lock" in result);
    assertEquals(Deno.readTextFileSync(join(folder, "serve.lock")), `${Deno.pid}\n`);
    result.lock.release();
  });
});

Deno.test("StorageLock touches nothing that a link leads to, and waits for no pipe", async () => {
  await withScratch(async (folder) => {
    const precious = join(folder, "precious");
    Deno.writeTextFileSync(precious, "text");
    Deno.symlinkSync(precious, join(folder, "build.lock"));
    await runToolOk("mkfifo", [join(folder, "serve.lock")]);
    for (const name of ["build", "serve"] as const) {
      const message = `Cannot open lock "${join(folder, name)}.lock": it is not a file; remove it`;
      await assertRejects(() => StorageLock.acquire(folder, name), ProvisionError, message);
      assertThrows(() => StorageLock.holder(folder, name), ProvisionError, message);
    }
    assertEquals(Deno.readTextFileSync(precious), "text");
  });
});

Deno.test("StorageLock has no holder when the folder does not exist", async () => {
  await withScratch((folder) => {
    assertEquals(StorageLock.holder(join(folder, "none"), "serve"), undefined);
  });
});

Deno.test("StorageLock makes a file that only its owner may read and write", async () => {
  await withScratch(async (folder) => {
    const result = await StorageLock.acquire(folder, "build");
    assert("lock" in result);
    using _lock = result.lock;
    assertEquals(Deno.statSync(join(folder, "build.lock")).mode! & 0o777, 0o600);
  });
});
