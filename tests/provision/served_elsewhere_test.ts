import { assertEquals, assertStringIncludes } from "@std/assert";
import { provision } from "../../lib/provision/provision.ts";
import { stateFolderOf } from "../../lib/provision/state_folder.ts";
import { StorageLock } from "../../lib/provision/storage_lock.ts";
import { configOf } from "./conf.ts";
import { withNfsLocks } from "../support/nfs_locks.ts";
import { withScratch } from "./scratch.ts";

Deno.test("provision() grows no file that another server has locked, but one of its own server's", () =>
  withScratch(async (storage) => {
    const built = await provision(configOf(`storage=${storage}`, "[a]", "size=1MB"));
    assertEquals(built.errors, []);
    const larger = configOf(`storage=${storage}`, "[a]", "size=2MB");
    const path = `${storage}/a`;
    using server = Deno.openSync(path, { read: true, write: true });
    assertEquals(server.tryLockSync(true), true);
    assertStringIncludes((await provision(larger)).failure ?? "", `Cannot grow "${path}": `);
    assertEquals(Deno.statSync(path).size, 1024 ** 2);
    // What this process has locked, the server of the storage folder has: it is this process.
    const attempt = await StorageLock.acquire(stateFolderOf(storage), "serve");
    if (!("lock" in attempt)) throw new Error("somebody serves the scratch folder");
    using _lock = attempt.lock;
    assertEquals((await provision(larger)).errors, []);
    assertEquals(Deno.statSync(path).size, 2 * 1024 ** 2);
  }));

Deno.test("provision() sees the lock of another server on NFS", () =>
  withScratch((storage) =>
    withNfsLocks(async () => {
      assertEquals((await provision(configOf(`storage=${storage}`, "[a]", "size=1MB"))).errors, []);
      using server = Deno.openSync(`${storage}/a`, { read: true, write: true });
      assertEquals(server.tryLockSync(true), true);
      const larger = await provision(configOf(`storage=${storage}`, "[a]", "size=2MB"));
      assertStringIncludes(larger.failure ?? "", `Cannot grow "${storage}/a": `);
    })
  ));
