import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { BackingLocks } from "../../lib/provision/backing_locks.ts";
import { findLockOwner, parseLocks } from "../../lib/provision/lock_owner.ts";
import type { BackingExport } from "../../lib/provision/worker_links.ts";
import { testWithTools } from "../support/tools.ts";
import { withScratch } from "./scratch.ts";

function file(path: string, readOnly = false): BackingExport {
  return { path, readOnly };
}

function noWarning(message: string): never {
  throw new Error(message);
}

function makeFile(path: string): string {
  Deno.writeTextFileSync(path, "");
  return path;
}

/** Reports whether another handle, as another process would have, gets a lock of a file. */
function isFree(path: string, isExclusive: boolean): boolean {
  using other = Deno.openSync(path, { read: true });
  return other.tryLockSync(isExclusive);
}

Deno.test("BackingLocks has a file for itself, or with others who only read it", () =>
  withScratch(async (folder) => {
    const [a, b] = [makeFile(`${folder}/a`), makeFile(`${folder}/b`)];
    await using locks = new BackingLocks(noWarning);
    assertEquals(await locks.renew([file(a), file(b, true)]), new Map());
    assertEquals([isFree(a, false), isFree(b, false), isFree(b, true)], [false, true, false]);
    await using other = new BackingLocks(noWarning);
    assertEquals(await other.renew([file(b, true)]), new Map());
    assertEquals([...(await other.extend([file(a, true)])).keys()], [a]);
    assertEquals([...(await other.extend([file(b)])).keys()], [b]);
    assertEquals(isFree(b, true), false);
  }));

Deno.test("BackingLocks keeps its locks, and releases those of files that are not served", () =>
  withScratch(async (folder) => {
    const [a, b] = [makeFile(`${folder}/a`), makeFile(`${folder}/b`)];
    const locks = new BackingLocks(noWarning);
    await locks.renew([file(a)]);
    assertEquals(await locks.extend([file(a), file(b)]), new Map());
    await locks.retain([b]);
    assertEquals([isFree(a, true), isFree(b, true)], [true, false]);
    assertEquals(await locks.renew([file(a)]), new Map());
    assertEquals([isFree(a, true), isFree(b, true)], [false, true]);
    await locks[Symbol.asyncDispose]();
    assertEquals(isFree(a, true), true);
  }));

Deno.test("BackingLocks makes a shared lock exclusive when the file becomes writable, or keeps it", () =>
  withScratch(async (folder) => {
    const path = makeFile(`${folder}/a`);
    await using locks = new BackingLocks(noWarning);
    await locks.renew([file(path, true)]);
    {
      using other = Deno.openSync(path, { read: true });
      assertEquals(other.tryLockSync(false), true);
      assertEquals((await locks.extend([file(path)])).size, 1);
    }
    assertEquals(isFree(path, true), false);
    assertEquals((await locks.extend([file(path)])).size, 0);
    assertEquals(isFree(path, false), false);
  }));

Deno.test("BackingLocks knows a file by itself, whatever it is called", () =>
  withScratch(async (folder) => {
    const path = makeFile(`${folder}/a`);
    await using locks = new BackingLocks(noWarning);
    await locks.renew([file(path)]);
    Deno.renameSync(path, `${folder}/b`);
    makeFile(path);
    assertEquals(await locks.extend([file(path), file(`${folder}/b`)]), new Map());
    await locks.retain([`${folder}/b`]);
    assertEquals([isFree(path, true), isFree(`${folder}/b`, true)], [true, false]);
  }));

Deno.test("BackingLocks names a missing file", () =>
  withScratch(async (folder) => {
    await using locks = new BackingLocks(noWarning);
    const faults = await locks.renew([file(`${folder}/none`), file(folder)]);
    assertMatch(faults.get(`${folder}/none`)!, /^Cannot open ".*\/none": No such file/);
    assertEquals(faults.get(folder), `Cannot open "${folder}": it is not a file`);
  }));

testWithTools(
  "BackingLocks names the process that has a file",
  ["flock", "lslocks"],
  () =>
    withScratch(async (folder) => {
      const path = makeFile(`${folder}/a`);
      const child = new Deno.Command("flock", {
        args: ["--no-fork", path, "cat"],
        stdin: "piped",
        stdout: "piped",
      })
        .spawn();
      const input = child.stdin.getWriter();
      const output = child.stdout.getReader();
      await input.write(Uint8Array.of(0x0a));
      await output.read();
      await using locks = new BackingLocks(noWarning);
      const expected =
        `Cannot serve "${path}": process ${child.pid} (cat) has locked it, probably another server; stop it ` +
        "or set another path";
      assertEquals([...await locks.renew([file(path)])], [[path, expected]]);
      await input.close();
      await output.cancel();
      await child.status;
      assertEquals(findLockOwner(Deno.statSync(path)), undefined);
      assertEquals(await locks.renew([file(path)]), new Map());
    }),
);

testWithTools(
  "BackingLocks seldom looks for the process that has a file and keeps it",
  ["lslocks"],
  () =>
    withScratch(async (folder) => {
      const [path, other] = [makeFile(`${folder}/a`), makeFile(`${folder}/b`)];
      using held = Deno.openSync(path, { read: true });
      held.lockSync(true);
      await using locks = new BackingLocks(noWarning);
      const programs: string[] = [];
      const { Command } = Deno;
      Deno.Command = class extends Command {
        constructor(program: string, options?: Deno.CommandOptions) {
          super(program, options);
          programs.push(program);
        }
      };
      try {
        const faults = new Set<string | undefined>();
        for (let attempt = 1; attempt <= 10; attempt++) {
          faults.add((await locks.extend([file(path), file(other)])).get(path));
        }
        assertEquals(faults.size, 1);
        // At the attempts 1, 2, 4 and 8.
        assertEquals(programs, Array(4).fill("lslocks"));
        held.unlockSync();
        assertEquals(await locks.extend([file(path)]), new Map());
        // What is taken again is a conflict of its own.
        await locks.retain([other]);
        held.lockSync(true);
        assertEquals((await locks.extend([file(path)])).size, 1);
        assertEquals(programs.length, 5);
      } finally {
        Deno.Command = Command;
      }
    }),
);

/** Returns an export that is locked like a device: by a program, at the node itself. A file works as well. */
function device(path: string, readOnly = false): BackingExport {
  return { path, readOnly, device: { number: "7:0", layers: [] } };
}

testWithTools(
  "BackingLocks has a device for itself, or with others who only read it",
  ["flock"],
  () =>
    withScratch(async (folder) => {
      const [a, b] = [makeFile(`${folder}/a`), makeFile(`${folder}/b`)];
      await using locks = new BackingLocks(noWarning);
      assertEquals(await locks.renew([device(a), device(b, true)]), new Map());
      assertEquals([isFree(a, false), isFree(b, false), isFree(b, true)], [false, true, false]);
      await using other = new BackingLocks(noWarning);
      const faults = await other.extend([device(a, true), device(b, true)]);
      assertEquals([...faults.keys()], [a]);
      await other.retain([]);
      await locks.retain([b]);
      assertEquals([isFree(a, true), isFree(b, true)], [true, false]);
      await locks.retain([]);
      assertEquals(isFree(b, true), true);
    }),
);

testWithTools(
  "BackingLocks shares what a device lies on with other parts of it, but with no one who writes all of it",
  ["flock"],
  () =>
    withScratch(async (folder) => {
      const [disk, one, two] = ["disk", "one", "two"].map((name) => makeFile(`${folder}/${name}`));
      const partOf = (path: string): BackingExport => {
        return {
          path,
          readOnly: false,
          device: { number: "7:1", layers: [{ path: disk!, isDevice: true }] },
        };
      };
      const onFile = {
        path: two!,
        readOnly: false,
        device: { number: "7:2", layers: [{ path: disk!, isDevice: false }] },
      };
      await using locks = new BackingLocks(noWarning);
      await using others = new BackingLocks(noWarning);
      assertEquals(await locks.extend([partOf(one!)]), new Map());
      assertEquals(await others.extend([partOf(two!)]), new Map());
      await others.retain([]);
      assertEquals(await others.extend([onFile]), new Map());
      await others.retain([]);
      const faults = await others.extend([file(disk!)]);
      assertMatch(
        faults.get(disk!)!,
        /^Cannot serve ".*disk": process \d+ \(.*\) has locked it, probably another/,
      );
      await locks.retain([]);
      assertEquals(await others.extend([file(disk!)]), new Map());
      const [[path, fault] = ["", ""]] = await locks.extend([partOf(one!)]);
      assertEquals(path, one);
      assertMatch(fault, /has locked ".*disk", which has blocks in common with it, probably another server/);
      // Another server may take the part now.
      assertEquals(isFree(one!, false), true);
    }),
);

testWithTools(
  "BackingLocks makes the shared lock of a device exclusive when it becomes writable, or keeps it",
  ["flock"],
  () =>
    withScratch(async (folder) => {
      const path = makeFile(`${folder}/a`);
      await using locks = new BackingLocks(noWarning);
      await locks.renew([device(path, true)]);
      {
        using other = Deno.openSync(path, { read: true });
        assertEquals(other.tryLockSync(false), true);
        assertEquals([...(await locks.extend([device(path)])).keys()], [path]);
      }
      assertEquals([isFree(path, false), isFree(path, true)], [true, false]);
      assertEquals(await locks.extend([device(path)]), new Map());
      assertEquals(isFree(path, false), false);
    }),
);

testWithTools(
  "BackingLocks does not give back the lock of a device that it needs again",
  ["flock"],
  () =>
    withScratch(async (folder) => {
      const [a, b] = [makeFile(`${folder}/a`), makeFile(`${folder}/b`)];
      await using locks = new BackingLocks(noWarning);
      await locks.renew([device(a), device(b, true)]);
      const { Command } = Deno;
      Deno.Command = class {
        constructor() {
          throw new Error("no program is to be run");
        }
      } as unknown as typeof Deno.Command;
      try {
        assertEquals(await locks.extend([device(a), device(a, true), device(b, true)]), new Map());
      } finally {
        Deno.Command = Command;
      }
      assertEquals([isFree(a, false), isFree(b, true)], [false, false]);
    }),
);

testWithTools(
  "BackingLocks warns of a device that cannot be locked, and lets it be served",
  ["flock"],
  () =>
    withScratch(async (folder) => {
      const warnings: string[] = [];
      await using locks = new BackingLocks((message) => warnings.push(message));
      assertEquals(await locks.extend([device(`${folder}/none/device`)]), new Map());
      assertEquals(warnings.length, 1);
      assertStringIncludes(
        warnings[0]!,
        `Cannot lock "${folder}/none/device", so another server that uses it is not detected: flock: `,
      );
    }),
);

Deno.test("parseLocks() takes the locks of flock that are held", () => {
  const text = `14773 FLOCK READ 254:0 2146813 sleep /tmp/a\\x20b
-1 FLOCK WRITE 254:0 7 (unknown)${" "}
15 FLOCK WRITE* 254:0 8 flock /tmp/b
16 POSIX WRITE 254:0 9 cron /run/c
17 FLOCK WRITE 0:5 10 cat${" "}
`;
  assertEquals(parseLocks(text), [
    { pid: 14773, device: "254:0", inode: 2146813, command: "sleep", path: "/tmp/a\\x20b" },
    { pid: 17, device: "0:5", inode: 10, command: "cat", path: "" },
  ]);
});

Deno.test("BackingLocks locks the file that is there when another one was replaced while it waited", () =>
  withScratch(async (folder) => {
    const path = makeFile(`${folder}/a`);
    const former = Deno.openSync(path, { read: true, write: true });
    former.lockSync(true);
    await using locks = new BackingLocks(noWarning);
    const locked = locks.renew([file(path)]);
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    // It has opened the former file, and waits for its lock.
    Deno.renameSync(makeFile(`${folder}/new`), path);
    former.close();
    assertEquals(await locked, new Map());
    assertEquals(isFree(path, true), false);
  }));
