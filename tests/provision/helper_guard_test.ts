/** Programs that outlive the server that started them, with the real `flock`. */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { HelperGuard } from "../../lib/provision/helper_guard.ts";
import { ProvisionError } from "../../lib/provision/provision_error.ts";
import { helpersFolderOf } from "../../lib/provision/state_folder.ts";
import { testWithTools } from "../support/tools.ts";
import { snapshot, withScratch } from "./scratch.ts";
import { until } from "../support/until.ts";

/** The files of its links, in either order. */
const SUBJECT = `any of ("/data/disk", "/data/other"|"/data/other", "/data/disk")`;

/** Makes the folder and the lock of an earlier run, and returns the folder. */
function makeRun(storage: string): string {
  const run = `${helpersFolderOf(storage)}/earlier`;
  Deno.mkdirSync(run, { recursive: true });
  Deno.writeTextFileSync(`${run}/lock`, "");
  return run;
}

/** Starts a program as a killed server leaves it: under a lock of its run, until its input ends. */
async function leaveProgram(storage: string): Promise<{ end(): Promise<void>; readonly pid: number }> {
  const run = makeRun(storage);
  Deno.writeTextFileSync(`${run}/7%2Fdata%2Fdisk`, "a link");
  Deno.writeTextFileSync(`${run}/9%2Fdata%2Fdisk`, "another link to the same file");
  Deno.writeTextFileSync(`${run}/10%2Fdata%2Fother`, "a link");
  Deno.writeTextFileSync(`${run}/8`, "a link to a file whose path is too long for a name");
  const args = ["--shared", "--nonblock", "--no-fork", `${run}/lock`, "cat"];
  const child = new Deno.Command("flock", { args, stdin: "piped", stdout: "piped" }).spawn();
  const input = child.stdin.getWriter();
  const output = child.stdout.getReader();
  await input.write(Uint8Array.of(0x0a));
  await output.read();
  return {
    pid: child.pid,
    end: async () => {
      await input.close();
      await output.cancel();
      await child.status;
    },
  };
}

function silent(message: string): void {
  throw new Error(message);
}

testWithTools(
  "HelperGuard runs a program under a lock, and leaves nothing",
  ["fallocate", "flock"],
  () =>
    withScratch(async (storage) => {
      const path = `${storage}/disk`;
      Deno.writeFileSync(path, new Uint8Array(8192).fill(1));
      using guard = await HelperGuard.open(storage, silent);
      const args = ["--punch-hole", "--keep-size", "--offset", "0", "--length", "4096", path];
      assertEquals(guard.runNow("fallocate", args), { success: true, stdout: "", stderr: "" });
      assertEquals(Deno.readFileSync(path)[0], 0);
      assertEquals([...Deno.readDirSync(guard.folder)].map(({ name }) => name), ["lock"]);
      assertEquals(guard.runNow("fallocate", [...args.slice(0, -1), `${storage}/none`]).success, false);
      guard[Symbol.dispose]();
      assertEquals(snapshot(storage, ".iscsi"), { ".iscsi/helpers": "folder 700" });
    }),
);

Deno.test("HelperGuard without a folder runs no program, and throws the reason", () =>
  withScratch(async (storage) => {
    Deno.mkdirSync(`${storage}/.iscsi/helpers`, { recursive: true });
    const { mkdirSync } = Deno;
    Deno.mkdirSync = () => {
      throw new Error("No space left on device (os error 28)");
    };
    try {
      using guard = await HelperGuard.open(storage, silent);
      const message = `Cannot create folder "${guard.folder}": No space left`;
      assertThrows(() => guard.runNow("fallocate", []), ProvisionError, message);
      assertThrows(() => guard.startShell("exit", []), ProvisionError, message);
    } finally {
      Deno.mkdirSync = mkdirSync;
    }
  }));

testWithTools(
  "HelperGuard waits for a program of an earlier server, and reports that",
  ["flock"],
  () =>
    withScratch(async (storage) => {
      const program = await leaveProgram(storage);
      const messages: string[] = [];
      let isOpen = false;
      const opening = HelperGuard.open(storage, (message) => messages.push(message)).then((guard) => {
        isOpen = true;
        return guard;
      });
      await until(() => messages.length > 0, "it says what it waits for");
      assertMatch(
        messages[0]!,
        new RegExp(
          `^Waiting for ("cat" \\(process ${program.pid}\\)|a program) that an earlier server started: ` +
            `it may still change ${SUBJECT}; serving starts when it has ended$`,
        ),
      );
      assertEquals(isOpen, false);
      await program.end();
      using guard = await opening;
      assertEquals(messages.length, 1);
      assertEquals([...Deno.readDirSync(helpersFolderOf(storage))].length, 1);
      assert(Deno.statSync(guard.folder).isDirectory);
    }),
);

Deno.test("HelperGuard names links by the paths of their files, if these fit into a name", () =>
  withScratch(async (storage) => {
    using guard = await HelperGuard.open(storage, silent);
    // The number and the escaped slash take four bytes of the 255.
    const longest = `/${"x".repeat(251)}`;
    assertEquals(guard.linkTo(longest), `${guard.folder}/1%2F${"x".repeat(251)}`);
    assertEquals(guard.linkTo(`${longest}x`), `${guard.folder}/2`);
  }));

Deno.test("HelperGuard keeps locks of earlier runs until it ends, and then releases all", () =>
  withScratch(async (storage) => {
    const run = makeRun(storage);
    using earlier = Deno.openSync(`${run}/lock`, { read: true });
    const guard = await HelperGuard.open(storage, silent);
    using own = Deno.openSync(`${guard.folder}/lock`, { read: true });
    assertEquals(earlier.tryLockSync(true), false);
    guard[Symbol.dispose]();
    assertEquals([earlier.tryLockSync(true), own.tryLockSync(true)], [true, true]);
  }));

Deno.test("HelperGuard that cannot remove an earlier run releases its lock", () =>
  withScratch(async (storage) => {
    const run = makeRun(storage);
    using lock = Deno.openSync(`${run}/lock`, { read: true });
    const { removeSync } = Deno;
    Deno.removeSync = () => {
      throw new Error("Input/output error (os error 5)");
    };
    try {
      await assertRejects(
        () => HelperGuard.open(storage, silent),
        ProvisionError,
        `Cannot remove folder "${run}.ended": Input/output error`,
      );
    } finally {
      Deno.removeSync = removeSync;
    }
    assertEquals(lock.tryLockSync(true), true);
  }));

Deno.test("HelperGuard takes a run that another process removes for removed", () =>
  withScratch(async (storage) => {
    const run = `${helpersFolderOf(storage)}/earlier`;
    Deno.mkdirSync(run, { recursive: true });
    const { removeSync } = Deno;
    let attempts = 0;
    Deno.removeSync = (path) => {
      assertEquals([path, ++attempts], [`${run}.ended`, 1]);
      removeSync(path);
      throw new Deno.errors.NotFound("No such file or directory (os error 2)");
    };
    try {
      const guard = await HelperGuard.open(storage, silent);
      Deno.removeSync = removeSync;
      guard[Symbol.dispose]();
    } finally {
      Deno.removeSync = removeSync;
    }
    assertEquals(attempts, 1);
  }));

Deno.test("HelperGuard leaves the lock that NFS keeps while it is open to the next server", () =>
  withScratch(async (storage) => {
    const run = makeRun(storage);
    const { removeSync } = Deno;
    // NFS renames a file that is removed while it is open, and refuses to remove it again.
    Deno.removeSync = (path, options) => {
      if (!String(path).startsWith(run)) return removeSync(path, options);
      for (const { name } of Deno.readDirSync(path)) {
        if (name === "lock") Deno.renameSync(`${path}/lock`, `${path}/.nfs000000000000001500000001`);
      }
      throw new Error("Device or resource busy (os error 16)");
    };
    try {
      using _guard = await HelperGuard.open(storage, silent);
      assertThrows(() => Deno.statSync(run), Deno.errors.NotFound);
    } finally {
      Deno.removeSync = removeSync;
    }
    using _next = await HelperGuard.open(storage, silent);
    assertEquals([...Deno.readDirSync(helpersFolderOf(storage))].length, 1);
  }));

testWithTools(
  "HelperGuard prevents programs of an earlier server from starting",
  ["flock"],
  () =>
    withScratch(async (storage) => {
      const run = makeRun(storage);
      // A `flock` that has opened its lock and not taken it yet, and one that has not come so far.
      using opened = Deno.openSync(`${run}/lock`, { read: true });
      using _guard = await HelperGuard.open(storage, silent);
      assertEquals(opened.tryLockSync(false), false);
      const args = ["--shared", "--nonblock", "--no-fork", `${run}/lock`, "true"];
      const late = await new Deno.Command("flock", { args, stderr: "null" }).output();
      assertEquals(late.success, false);
    }),
);

testWithTools(
  "HelperGuard that ends while a program runs leaves its lock to the next server",
  ["flock"],
  () =>
    withScratch(async (storage) => {
      const first = await HelperGuard.open(storage, silent);
      // What the shell runs has the lock, too, and ends with its input.
      const shell = first.startShell("cat; :", []);
      const input = shell.stdin.getWriter();
      await input.write(Uint8Array.of(0x0a));
      const output = shell.stdout.getReader();
      await output.read();
      shell.kill("SIGKILL");
      await shell.status;
      first[Symbol.dispose]();
      assert(Deno.statSync(first.folder).isDirectory);
      await input.close();
      await Promise.all([output.cancel(), new Response(shell.stderr).text()]);
      using _second = await HelperGuard.open(storage, silent);
      assertEquals([...Deno.readDirSync(helpersFolderOf(storage))].length, 1);
    }),
);
