/** The shell that makes holes, with the real `fallocate` and with stand-ins. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { delay } from "../../lib/base/delay.ts";
import { HelperGuard } from "../../lib/provision/helper_guard.ts";
import { HoleShell } from "../../lib/provision/hole_shell.ts";
import { testWithTools } from "../support/tools.ts";
import { exists, guardWith, guardWithOnly, guardWithPath, startShell } from "./fallocate_stand_in.ts";
import { withScratch } from "./scratch.ts";
import { until } from "../support/until.ts";

const BLOCK = 4096;
const RANGE = { offset: BLOCK, lengthBytes: BLOCK };

/** Every other block, so that no two holes are one. */
const RANGES = Array.from({ length: 128 }, (_, index) => ({ offset: 2 * index * BLOCK, lengthBytes: BLOCK }));

/** Names that a shell could take for something else, and one that is not ASCII. */
const ODD_NAMES = ["plain", " a \\b 'c' \"d\" $(e) `f` *? ~ ", "-n", "\u0101\u0085\u00ff", "end\\"];

async function punchOnce(shell: HoleShell): Promise<string | undefined> {
  try {
    return await shell.punch("/nowhere", [RANGE]);
  } finally {
    await shell.end();
  }
}

testWithTools(
  "HoleShell makes holes in files of any name",
  ["fallocate", "flock"],
  () =>
    withScratch(async (storage) => {
      using guard = await HelperGuard.open(storage, () => {});
      const shell = new HoleShell(guard);
      for (const name of ODD_NAMES) {
        const path = `${storage}/${name}`;
        Deno.writeFileSync(path, new Uint8Array(16 * 1024).fill(1));
        assertEquals(await shell.punch(path, [RANGE]), undefined, name);
        const content = Deno.readFileSync(path);
        assertEquals(content.findIndex((byte) => byte === 0), RANGE.offset, name);
        assertEquals(content.filter((byte) => byte === 0).length, RANGE.lengthBytes, name);
        const fault = `fallocate: cannot open ${path}.none: No such file or directory`;
        assertEquals(await shell.punch(`${path}.none`, [RANGE]), fault);
      }
      assertEquals(shell.isOver, false);
      await shell.end();
      assert(shell.isOver);
    }),
);

/** The programs that make holes in files, each with those that a shell must find to choose it. */
const PROGRAMS = [
  ["perl", ["perl"]],
  ["xfs_io", ["xfs_io"]],
  ["fallocate", ["fallocate"]],
] as const;

for (const [program, names] of PROGRAMS) {
  /** Runs a test in a folder with a full file and a shell that finds only this program. */
  const withShell = (test: (shell: HoleShell, path: string) => Promise<void>): Promise<void> =>
    withScratch(async (folder) => {
      const path = `${folder}/ $disk"`;
      Deno.writeFileSync(path, new Uint8Array(RANGES.length * 2 * BLOCK).fill(1));
      const shell = new HoleShell(guardWithOnly(folder, names));
      await test(shell, path);
      await shell.end();
    });

  testWithTools(
    `HoleShell makes many holes in one request by ${program}`,
    [program],
    () =>
      withShell(async (shell, path) => {
        const whole = Deno.statSync(path).blocks!;
        assertEquals(await shell.punch(path, RANGES), undefined);
        const content = Deno.readFileSync(path);
        for (const [index] of RANGES.entries()) {
          const at = 2 * index * BLOCK;
          assert(content.subarray(at, at + BLOCK).every((byte) => byte === 0), `hole ${index}`);
          assert(content.subarray(at + BLOCK, at + 2 * BLOCK).every((byte) => byte === 1), `behind ${index}`);
        }
        assertEquals(content.length, RANGES.length * 2 * BLOCK);
        // The file system may take a block of its own.
        assert(Deno.statSync(path).blocks! < whole * 0.6);
      }),
  );

  testWithTools(
    `HoleShell returns the fault of one hole of many by ${program}, and goes on`,
    [program],
    () =>
      withShell(async (shell, path) => {
        const refused = RANGES.with(20, { offset: 40 * BLOCK, lengthBytes: 0 });
        assertMatch((await shell.punch(path, refused))!, /Invalid argument|invalid length/);
        const content = Deno.readFileSync(path);
        assertEquals([content[38 * BLOCK], content[40 * BLOCK]], [0, 1]);
        assertMatch((await shell.punch(`${path}.none`, RANGES))!, /none: No such file or directory$/);
        assertEquals(await shell.punch(path, RANGES), undefined);
        assertEquals(Deno.readFileSync(path)[40 * BLOCK], 0);
      }),
  );

  testWithTools(
    `HoleShell with ${program} begins no request that was cut off`,
    [program],
    () =>
      withScratch(async (folder) => {
        const path = `${folder}/disk`;
        const request = `1 ${BLOCK} ${BLOCK}\n${path}`;
        for (const length of [request.length, request.indexOf("\n"), request.indexOf("\n") - 2]) {
          Deno.writeFileSync(path, new Uint8Array(16 * BLOCK).fill(1));
          // The shell ends in the middle of the request, as if the server had been killed.
          const guard = guardWithOnly(folder, names);
          const cut: Pick<HelperGuard, "startShell"> = {
            startShell(script, args): Deno.ChildProcess {
              const process = guard.startShell(script, args);
              const { writable, readable } = new TransformStream<Uint8Array, Uint8Array>({
                transform: (chunk, controller) => {
                  controller.enqueue(chunk.subarray(0, length));
                  controller.terminate();
                },
              });
              readable.pipeTo(process.stdin);
              return Object.defineProperty(process, "stdin", { value: writable });
            },
          };
          const shell = new HoleShell(cut);
          assertEquals(
            await shell.punch(path, [{ offset: BLOCK, lengthBytes: BLOCK }]),
            "the program that makes holes was killed",
          );
          assert(Deno.readFileSync(path).every((byte) => byte === 1), `${length} bytes`);
          await shell.end();
        }
      }),
  );
}

for (
  const [what, config] of [
    ["an integer has 32 bits", { archname: "x86_64-linux", ivsize: 4, longsize: 8 }],
    // Such a Perl may be named after the kernel that it was built under.
    ["a long has 32 bits", { archname: "x86_64-linux", ivsize: 8, longsize: 4 }],
    ["the machine is another", { archname: "ppc64le-linux-gnu", ivsize: 8, longsize: 8 }],
  ] as const
) {
  testWithTools(
    `HoleShell does not use a Perl in which ${what}`,
    ["perl"],
    () =>
      withScratch(async (folder) => {
        const { archname, ivsize, longsize } = config;
        const values = `archname => "${archname}", ivsize => ${ivsize}, longsize => ${longsize}`;
        const module =
          `package Config; our %Config = (${values}); sub import { *main::Config = \\%Config } 1;`;
        Deno.writeTextFileSync(`${folder}/Config.pm`, module);
        const guard = guardWith(folder, "echo none >&2; exit 1");
        const perl = `#!/bin/sh\nPATH=/usr/bin:/bin exec perl -I "${folder}" "$@"\n`;
        Deno.writeTextFileSync(`${folder}/perl`, perl, { mode: 0o755 });
        assertEquals(await punchOnce(new HoleShell(guard)), "none");
      }),
  );
}

testWithTools(
  "HoleShell reports a program of many holes that was killed, and not one that hangs",
  ["perl"],
  () =>
    withScratch(async (folder) => {
      const path = `${folder}/disk`;
      Deno.writeFileSync(path, new Uint8Array(BLOCK));
      const guard = guardWithOnly(folder, ["perl"]);
      const shell = new HoleShell(guard);
      assertEquals(await shell.punch(path, [RANGE]), undefined);
      guard.shells[0]!.kill("SIGSTOP");
      let isReported = false;
      const punched = shell.punch(path, RANGES).finally(() => isReported = true);
      for (let turn = 0; turn < 20; turn++) await delay(5);
      assertEquals(isReported, false);
      guard.shells[0]!.kill("SIGKILL");
      assertEquals(await punched, "the program that makes holes was killed");
      assert(shell.isOver);
      await shell.end();
    }),
);

Deno.test("HoleShell refuses a path of two lines", async () => {
  const shell = new HoleShell(guardWithPath("/nowhere"));
  assertEquals(await shell.punch("/a\nb", [RANGE]), 'its path contains a line feed: "/a\\nb"');
  await shell.end();
});

for (
  const [what, program, fault] of [
    ["was killed", "kill -9 $$", "the program that makes holes was killed"],
    ["says nothing", "exit 4", "the program that makes holes ended with exit status 4"],
    ["says much", "echo '1 0 out'; printf '%s\\n' 'a \\n b' '2 0 err' >&2; exit 1", "a \\n b"],
  ]
) {
  Deno.test(`HoleShell returns the fault of a program that ${what}, and goes on`, () =>
    withScratch(async (folder) => {
      const shell = new HoleShell(guardWith(folder, program!));
      for (let hole = 0; hole < 3; hole++) assertEquals(await shell.punch("/nowhere", [RANGE]), fault);
      await shell.end();
    }));
}

Deno.test("HoleShell takes what xfs_io prints for a fault, whatever its exit status", () =>
  withScratch(async (folder) => {
    const stub = '#!/bin/sh\necho "fallocate: Operation not supported" >&2\n';
    Deno.writeTextFileSync(`${folder}/xfs_io`, stub, { mode: 0o755 });
    const fault = await punchOnce(new HoleShell(guardWithPath(folder)));
    assertEquals(fault, "fallocate: Operation not supported");
  }));

Deno.test("HoleShell names the package of a program that is missing", async () => {
  const fault = await punchOnce(new HoleShell(guardWithPath("/nowhere")));
  assertEquals(fault, 'Cannot run "fallocate": is it installed (package util-linux)?');
});

Deno.test("HoleShell that was killed reports that when its program has ended, not before", () =>
  withScratch(async (folder) => {
    const [reached, gate] = [`${folder}/reached`, `${folder}/gate`];
    Deno.writeTextFileSync(gate, "");
    const guard = guardWith(
      folder,
      `: >"${reached}"; while [ -e "${gate}" ]; do sleep 0.02; done; : >"${folder}/done"`,
    );
    const shell = new HoleShell(guard);
    let isReported = false;
    const punched = shell.punch("/nowhere", [RANGE]).finally(() => isReported = true);
    await until(() => exists(reached), "the program runs");
    guard.shells[0]!.kill("SIGKILL");
    await guard.shells[0]!.status;
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals([isReported, shell.isOver], [false, false]);
    Deno.removeSync(gate);
    assertEquals(await punched, "the program that makes holes was killed");
    assert(exists(`${folder}/done`));
    assert(shell.isOver);
    await shell.end();
  }));

Deno.test("HoleShell lets a hole end when signals end the server in order", () =>
  withScratch(async (folder) => {
    const guard = guardWith(folder, "for name in HUP INT TERM; do kill -$name $$ $PPID; done");
    const shell = new HoleShell(guard);
    assertEquals(await shell.punch("/nowhere", [RANGE]), undefined);
    assertEquals(shell.isOver, false);
    await shell.end();
  }));

Deno.test("HoleShell takes no answer but the one to its request", async () => {
  for (const answer of ["nonsense", "2 0 ", "1 0 \n1 0 ", "1 x "]) {
    // It goes on when its input has ended.
    const script = `read -r a; printf '%s\\n' "$0"; while :; do sleep 0.02; done <&-`;
    const shell = new HoleShell({ startShell: () => startShell(["-c", script, answer]) });
    const fault = await shell.punch("/nowhere", [RANGE]);
    assertEquals(
      fault,
      `unexpected output of the program that makes holes: ${JSON.stringify(`${answer}\n`)}`,
    );
    assert(shell.isOver);
    await shell.end();
  }
});

Deno.test("HoleShell that cannot start returns the reason", async () => {
  const script = "echo 'flock: failed to execute sh: No such file or directory' >&2; exit 69";
  const fault = await punchOnce(new HoleShell({ startShell: () => startShell(["-c", script]) }));
  assertEquals(fault, "flock: failed to execute sh: No such file or directory");
});

testWithTools(
  "HoleShell makes no hole when another server waits for its lock",
  ["flock"],
  () =>
    withScratch(async (storage) => {
      using guard = await HelperGuard.open(storage, () => {});
      using lock = Deno.openSync(`${guard.folder}/lock`, { read: true, write: true });
      assert(lock.tryLockSync(true));
      assertMatch((await punchOnce(new HoleShell(guard)))!, /^another server /);
    }),
);
