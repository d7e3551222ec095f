import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import {
  archive,
  type ArchivedFile,
  archivedFiles,
  readRelease,
  sums,
  writeFiles,
} from "../../dist/release.ts";
import { SHIPPED_FILES } from "../../lib/cli/shipped_files.ts";
import { withScratch } from "../provision/scratch.ts";
import { runToolOk } from "../support/tools.ts";

Deno.test("readRelease() takes bases by the machine that they are for, and machines", () => {
  const machineOf = (path: string): "aarch64" | undefined => path === "/arm" ? "aarch64" : undefined;
  assertEquals(readRelease([]), { machines: ["x86_64", "aarch64"], bases: {} });
  assertEquals(readRelease(["--base", "/arm", "--machine", "x86_64"], machineOf), {
    machines: ["x86_64"],
    bases: { aarch64: "/arm" },
  });
  const wrong: readonly (readonly [readonly string[], string])[] = [
    [["--bases", "/x"], 'Unknown option "--bases"'],
    [["--base"], "Missing value of --base"],
    [["--base", "/x"], 'Cannot use --base "/x"'],
    [["--machine", "m68k"], 'Unknown machine "m68k"'],
  ];
  for (const [args, part] of wrong) assertStringIncludes(String(readRelease(args, machineOf)), part);
});

Deno.test("an archive has every file that the program carries, the completions and the licences", () => {
  const paths = archivedFiles().map(({ path }) => path);
  assertEquals(paths.length, new Set(paths).size);
  const expected = [
    ...SHIPPED_FILES,
    ...[
      "LICENSE",
      "INSTALL",
      "licenses/README.txt",
      "licenses/deno.txt",
      "licenses/v8.txt",
      "licenses/icu.txt",
    ],
    ...["completions/iscsi.bash", "completions/iscsi.fish", "completions/_iscsi"],
  ];
  assertEquals(expected.filter((path) => !paths.includes(path)), []);
  const programs = archivedFiles().filter(({ mode }) => mode === 0o755).map(({ path }) => path);
  assertEquals(programs.toSorted(), ["init/openrc", "init/sysv", "libexec/iscsi", "ocf/iscsi"]);
});

Deno.test("archive() makes the same bytes of the same files, whatever their order, times and owners", () =>
  withScratch(async (folder) => {
    const files: readonly ArchivedFile[] = [
      { path: "one", mode: 0o644, content: { text: "1" } },
      { path: "two/three", mode: 0o755, content: { text: "3" } },
    ];
    const make = async (name: string, order: readonly ArchivedFile[], seconds: number): Promise<void> => {
      writeFiles(join(folder, name, "x"), order);
      for (const { path } of files) Deno.utimeSync(join(folder, name, "x", path), seconds, seconds);
      await archive(join(folder, name), "x", join(folder, `${name}.tar.gz`));
    };
    await make("first", files, 1);
    await make("second", files.toReversed(), 1_000_000_000);
    const [first, second] = (await sums(folder, ["first.tar.gz", "second.tar.gz"])).split("\n");
    assertEquals(first!.split(" ")[0], second!.split(" ")[0]);
    const listing = await runToolOk("tar", ["-tvzf", join(folder, "first.tar.gz")], { env: { TZ: "UTC" } });
    const rows = listing.trimEnd().split("\n").map((row) => row.split(/ +/));
    assert(rows.every(([, owner, , date]) => owner === "0/0" && date === "2000-01-01"), listing);
    assertEquals(rows.map(([mode, , , , , path]) => [path, mode]), [
      ["x/", "drwxr-xr-x"],
      ["x/one", "-rw-r--r--"],
      ["x/two/", "drwxr-xr-x"],
      ["x/two/three", "-rwxr-xr-x"],
    ]);
  }));

Deno.test("sums() are what sha256sum accepts", () =>
  withScratch(async (folder) => {
    Deno.writeTextFileSync(join(folder, "a"), "text");
    Deno.writeTextFileSync(join(folder, "SHA256SUMS"), await sums(folder, ["a"]));
    await runToolOk("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: folder });
  }));
