import { assertEquals, assertStringIncludes } from "@std/assert";
import { reasonOf } from "../../lib/provision/provision_error.ts";

Deno.test("reasonOf() adds the remedy if one is known", () => {
  assertEquals(
    reasonOf(new Error("No space left on device (os error 28)")),
    "No space left on device (os error 28); free space or inodes (`df -i`) and run it again",
  );
  assertEquals(reasonOf(new Error("Input/output error (os error 5)")), "Input/output error (os error 5)");
  assertEquals(reasonOf("no error"), "no error");
});

Deno.test("reasonOf() has a remedy of its own for each error that the user can fix", () => {
  const remedies: readonly (readonly [errno: number, remedy: string])[] = [
    [1, "run it as root"],
    [13, "run it as root"],
    [18, "put it on the file system of the storage folder"],
    [21, "name a file"],
    [27, "the file system cannot hold a file this large"],
    [28, "free space or inodes (`df -i`)"],
    [30, "mount the file system for writing"],
    [40, "fix the circular symbolic links"],
    [98, "stop the program that listens there"],
    [122, "raise the quota"],
  ];
  for (const [errno, remedy] of remedies) {
    const reason = `Something failed (os error ${errno})`;
    assertStringIncludes(reasonOf(new Error(reason)), `${reason}; ${remedy}`);
  }
});

Deno.test("reasonOf() does not advise to have a program run with every right", async () => {
  const script = `import { reasonOf } from ${
    JSON.stringify(import.meta.resolve("../../lib/provision/provision_error.ts"))
  };
    for (const path of ["/proc/self/mem", "/proc/1", "/nowhere"]) {
      try { Deno.statSync(path); Deno.openSync(path); } catch (error) { console.log(reasonOf(error)); }
    }`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-read",
      `data:text/typescript,${encodeURIComponent(script)}`,
    ],
  }).output();
  const system = "files in /proc, /sys and /dev belong to the system; choose another path";
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  assertEquals(lines.slice(0, 2), [system, system]);
  assertEquals(lines[2]?.startsWith("No such file or directory"), true);
});

Deno.test("reasonOf() names the missing right, and the option of the compilation that gives it", () => {
  const cases = [
    ['Requires write access to "/a", run again with the --allow-write flag', "write", '"/a"', "--storage"],
    [
      'Requires read access to "/a, b", specify the required permissions during compilation using ' +
      "`deno compile --allow-read`",
      "read",
      '"/a, b"',
      "--storage or --conf",
    ],
    [
      'Requires net access to "[::]:3260", run again with the --allow-net flag',
      "net",
      '"[::]:3260"',
      "--listen",
    ],
  ] as const;
  for (const [message, right, what, option] of cases) {
    assertEquals(
      reasonOf(new Deno.errors.NotCapable(message)),
      `this program has no ${right} right to ${what}; compile it with ${option} for that`,
    );
  }
});
