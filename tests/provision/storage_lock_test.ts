import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { StorageLock } from "../../lib/provision/storage_lock.ts";
import { withScratch } from "./scratch.ts";

Deno.test("StorageLock has one holder at a time, whom others are told", async () => {
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

Deno.test("StorageLock means nothing when only its file is left", async () => {
  await withScratch(async (folder) => {
    Deno.writeTextFileSync(join(folder, "serve.lock"), "1\n");
    assertEquals(StorageLock.holder(folder, "serve"), undefined);
    const result = await StorageLock.acquire(folder, "serve");
    assert("lock" in result);
    assertEquals(Deno.readTextFileSync(join(folder, "serve.lock")), `${Deno.pid}\n`);
    result.lock.release();
  });
});

Deno.test("StorageLock is nobody's when the folder does not exist", async () => {
  await withScratch((folder) => {
    assertEquals(StorageLock.holder(join(folder, "none"), "serve"), undefined);
  });
});
