import { assertEquals, assertThrows } from "@std/assert";
import { openToLock, takeFileLock } from "../../lib/provision/file_lock.ts";
import { withNfsLocks } from "../support/nfs_locks.ts";
import { withScratch } from "./scratch.ts";

Deno.test("takeFileLock() sees the lock of a server on NFS, with any handle", () =>
  withScratch((folder) => {
    const path = `${folder}/a`;
    Deno.writeTextFileSync(path, "");
    return withNfsLocks(() => {
      using server = openToLock(path);
      assertEquals(takeFileLock(server), true);
      using other = openToLock(path);
      using reading = Deno.openSync(path, { read: true });
      assertEquals([takeFileLock(other), takeFileLock(reading)], [false, false]);
    });
  }));

Deno.test("takeFileLock() takes what it can get with a handle that only reads", () =>
  withScratch((folder) => {
    const path = `${folder}/a`;
    Deno.writeTextFileSync(path, "");
    return withNfsLocks(() => {
      using reading = Deno.openSync(path, { read: true });
      assertEquals(takeFileLock(reading), true);
      using server = openToLock(path);
      assertEquals(takeFileLock(server), false);
    });
  }));

Deno.test("openToLock() opens a file that may only be read, and none that is missing", () =>
  withScratch((folder) => {
    const path = `${folder}/a`;
    Deno.writeTextFileSync(path, "");
    const { openSync } = Deno;
    Deno.openSync = (path, options) => {
      if (options?.write === true) throw new Deno.errors.PermissionDenied("(os error 13)");
      return openSync(path, options);
    };
    try {
      openToLock(path).close();
    } finally {
      Deno.openSync = openSync;
    }
    assertThrows(() => openToLock(`${folder}/none`), Deno.errors.NotFound);
  }));
