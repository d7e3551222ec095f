import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { ProvisionError } from "../../lib/provision/provision_error.ts";
import { lockPath, StorageLock } from "../../lib/provision/storage_lock.ts";
import { findMissing, runToolOk } from "../support/tools.ts";
import { testUnless } from "../support/obstacles.ts";
import { withScratch } from "./scratch.ts";

/** Takes the lock of a server, which is free. */
async function takeLock(folder: string): Promise<StorageLock> {
  const result = await StorageLock.acquire(folder, "serve");
  assert("lock" in result);
  return result.lock;
}

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
    assertMatch(
      Deno.readTextFileSync(join(folder, "serve.lock")),
      new RegExp(`^${Deno.pid}\nhost ${Deno.hostname()}\nsince \\d{4}-.*Z\n$`),
    );
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

/** Takes a lock, whose file then has the text of another process. */
async function holdAs(folder: string, text: string): Promise<StorageLock> {
  const result = await StorageLock.acquire(folder, "serve");
  assert("lock" in result);
  Deno.writeTextFileSync(lockPath(folder, "serve"), text);
  return result.lock;
}

Deno.test("StorageLock names the host of a holder elsewhere, and looks its number up nowhere here", () =>
  withScratch(async (folder) => {
    // The number of this process, which also holds the lock: on another host it would be another process.
    using _lock = await holdAs(folder, `${Deno.pid + 1}\nhost other\nsince 2026-11-30T12:00:00.000Z\n`);
    const holder = { holderPid: Deno.pid + 1, holderHost: "other" };
    assertEquals(StorageLock.holder(folder, "serve"), holder);
    assertEquals(await StorageLock.acquire(folder, "serve"), holder);
  }));

testUnless(
  findMissing(["lslocks"]),
  "StorageLock takes the number of a holder on this host from the kernel, which knows PID namespaces",
  () =>
    withScratch(async (folder) => {
      using _lock = await holdAs(folder, `1\nhost ${Deno.hostname()}\nsince 2026-11-30T12:00:00.000Z\n`);
      assertEquals(StorageLock.holder(folder, "serve"), { holderPid: Deno.pid });
    }),
);

testUnless(
  findMissing(["lslocks", "flock"]),
  "StorageLock has no number for a holder in a PID namespace that this process cannot see",
  () =>
    withScratch(async (folder) => {
      using _lock = await holdAs(folder, `1\nhost ${Deno.hostname()}\n`);
      const { Command } = Deno;
      Deno.Command = class extends Command {
        constructor(_program: string, options?: Deno.CommandOptions) {
          super("true", options);
        }
      };
      try {
        assertEquals(StorageLock.holder(folder, "serve"), { holderPid: undefined });
      } finally {
        Deno.Command = Command;
      }
    }),
);

Deno.test("StorageLock locks the file that has the name, not one that was removed meanwhile", () =>
  withScratch(async (folder) => {
    const path = lockPath(folder, "serve");
    const { openSync } = Deno;
    let isFirst = true;
    Deno.openSync = (name, options) => {
      const file = openSync(name, options);
      if (isFirst) Deno.removeSync(path);
      isFirst = false;
      return file;
    };
    try {
      const result = await StorageLock.acquire(folder, "serve");
      assert("lock" in result);
      using _lock = result.lock;
      assertEquals(StorageLock.holder(folder, "serve"), { holderPid: Deno.pid });
    } finally {
      Deno.openSync = openSync;
    }
  }));

Deno.test("StorageLock.findLoss() finds nothing while the lock is held, and leaves its file as it is", () =>
  withScratch(async (folder) => {
    using lock = await takeLock(folder);
    const text = Deno.readTextFileSync(lockPath(folder, "serve"));
    for (const reach of ["machine", "machines", "none"] as const) {
      assertEquals(await lock.findLoss(reach), undefined);
    }
    assertEquals(Deno.readTextFileSync(lockPath(folder, "serve")), text);
  }));

Deno.test("StorageLock.findLoss() finds that the file was removed, replaced or taken by another host", () =>
  withScratch(async (folder) => {
    const path = lockPath(folder, "serve");
    using lock = await takeLock(folder);
    const loss = (): Promise<string | undefined> => lock.findLoss("machines");
    Deno.writeTextFileSync(path, "7\nhost other\nsince 2026-11-30T12:00:00.000Z\n");
    assertEquals(await loss(), 'process 7 on host "other" has taken it at 2026-11-30T12:00:00.000Z');
    assertMatch(Deno.readTextFileSync(path), /^7\n/);
    Deno.writeTextFileSync(path, "");
    assertEquals(await loss(), "its file was changed");
    Deno.removeSync(path);
    assertEquals(await loss(), "its file was removed or replaced");
    assertEquals(await lock.findLoss("none"), "its file was removed");
    Deno.writeTextFileSync(path, "");
    assertEquals(await loss(), "its file was removed or replaced");
    assertEquals(await lock.findLoss("none"), "its file was changed");
  }));

Deno.test("StorageLock.findLoss() takes neither a text nor an error of a disk of this machine for a loss", () =>
  withScratch(async (folder) => {
    using lock = await takeLock(folder);
    // A backup restores the content of a file.
    Deno.writeTextFileSync(lockPath(folder, "serve"), "7\nhost other\nsince 2026-11-30T12:00:00.000Z\n");
    assertEquals(await lock.findLoss("machine"), undefined);
    const { stat, readTextFile } = Deno;
    const fail = () => Promise.reject(new Error("Input/output error (os error 5)"));
    [Deno.stat, Deno.readTextFile] = [fail, fail];
    try {
      assertEquals(await lock.findLoss("machine"), undefined);
      assertMatch(await lock.findLoss("machines") ?? "", /^the file system has taken it away/);
    } finally {
      [Deno.stat, Deno.readTextFile] = [stat, readTextFile];
    }
  }));

Deno.test("StorageLock.findLoss() locks the file of a disk of this machine again that was removed or replaced", () =>
  withScratch(async (folder) => {
    const path = lockPath(folder, "serve");
    using lock = await takeLock(folder);
    Deno.removeSync(path);
    assertEquals(await lock.findLoss("machine"), undefined);
    assertEquals(StorageLock.holder(folder, "serve"), { holderPid: Deno.pid });
    Deno.writeTextFileSync(`${path}.backup`, "4711\n");
    Deno.renameSync(`${path}.backup`, path);
    assertEquals(await lock.findLoss("machine"), undefined);
    assertEquals(StorageLock.holder(folder, "serve"), { holderPid: Deno.pid });
    // A folder that was moved, or that is below a mount: the lock has gone with it.
    Deno.renameSync(folder, `${folder}-moved`);
    assertEquals(await lock.findLoss("machine"), undefined);
    assertEquals(StorageLock.holder(`${folder}-moved`, "serve"), { holderPid: Deno.pid });
    Deno.renameSync(`${folder}-moved`, folder);
  }));

Deno.test("StorageLock.findLoss() names the process that has locked the new file", () =>
  withScratch(async (folder) => {
    using lock = await takeLock(folder);
    Deno.removeSync(lockPath(folder, "serve"));
    using _other = await holdAs(folder, "7\nhost other\nsince 2002-11-30T12:00:00.000Z\n");
    const reason = 'its file was replaced, and process 7 on host "other" has locked the new one';
    assertEquals(await lock.findLoss("machine"), reason);
  }));

Deno.test("StorageLock.findLoss() names the process that has had the new file, and may have changed other files", () =>
  withScratch(async (folder) => {
    const path = lockPath(folder, "serve");
    using lock = await takeLock(folder);
    Deno.removeSync(path);
    Deno.writeTextFileSync(path, "7\nhost other\nsince 2099-11-30T12:00:00.000Z\n");
    const reason = 'process 7 on host "other" has taken it at 2099-11-30T12:00:00.000Z';
    assertEquals(await lock.findLoss("machine"), reason);
    // A backup is older.
    Deno.writeTextFileSync(path, "7\nhost other\nsince 2002-11-30T12:00:00.000Z\n");
    assertEquals(await lock.findLoss("machine"), undefined);
    assertEquals(StorageLock.holder(folder, "serve"), { holderPid: Deno.pid });
  }));

Deno.test("StorageLock.findLoss() leaves nothing locked when the lock is released meanwhile", () =>
  withScratch(async (folder) => {
    const result = await StorageLock.acquire(folder, "serve");
    assert("lock" in result);
    Deno.removeSync(lockPath(folder, "serve"));
    const { stat } = Deno;
    Deno.stat = (path) => {
      result.lock.release();
      return stat(path);
    };
    try {
      assertEquals(await result.lock.findLoss("machine"), undefined);
    } finally {
      Deno.stat = stat;
    }
    assertEquals(StorageLock.holder(folder, "serve"), undefined);
  }));

Deno.test("StorageLock.findLoss() takes only the errors of a file system that revokes locks for a loss", () =>
  withScratch(async (folder) => {
    const { prototype } = Deno.FsFile;
    const { write } = prototype;
    using lock = await takeLock(folder);
    const lossAfter = async (errno: number): Promise<string | undefined> => {
      prototype.write = () => Promise.reject(new Error(`failed (os error ${errno})`));
      try {
        return await lock.findLoss("machines");
      } finally {
        prototype.write = write;
      }
    };
    for (const errno of [5, 116, 108]) {
      assertEquals(await lossAfter(errno), `the file system has taken it away (failed (os error ${errno}))`);
    }
    assertEquals(await lossAfter(28), undefined);
  }));

Deno.test("StorageLock has a holder also where its file cannot be read", () =>
  withScratch(async (folder) => {
    using _lock = await holdAs(folder, `${Deno.pid}\n`);
    const { readTextFileSync } = Deno;
    Deno.readTextFileSync = () => {
      throw new Error("Input/output error (os error 5)");
    };
    try {
      assert(StorageLock.holder(folder, "serve") !== undefined);
      assert("holderPid" in await StorageLock.acquire(folder, "serve"));
    } finally {
      Deno.readTextFileSync = readTextFileSync;
    }
  }));

Deno.test("StorageLock reports a file system without locks, with the remedy", () =>
  withScratch(async (folder) => {
    const { prototype } = Deno.FsFile;
    const { tryLockSync, close } = prototype;
    let closedCount = 0;
    prototype.tryLockSync = () => {
      throw new Error("No locks available (os error 37)");
    };
    prototype.close = function (this: Deno.FsFile): void {
      closedCount++;
      close.call(this);
    };
    try {
      await assertRejects(
        () => StorageLock.acquire(folder, "serve"),
        ProvisionError,
        `Cannot lock "${
          lockPath(folder, "serve")
        }": No locks available (os error 37); put the storage folder on a ` +
          "file system with locks",
      );
      assertEquals(closedCount, 1);
    } finally {
      Object.assign(prototype, { tryLockSync, close });
    }
  }));
