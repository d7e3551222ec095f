import { statfsSync } from "node:fs";
import { assert, assertEquals } from "@std/assert";
import { basename, join } from "@std/path";
import { parseConfig } from "../../lib/config/parse_config.ts";
import { examine } from "../../lib/provision/examine/examine.ts";
import { provision } from "../../lib/provision/provision.ts";
import { type Entry, survey } from "../../lib/provision/survey.ts";
import { withHelperOutput } from "../support/helper_output.ts";
import { runScript } from "../support/run_script.ts";
import { runTool, runToolOk } from "../support/tools.ts";
import { configOf } from "./conf.ts";
import { withScratch, writeAt } from "./scratch.ts";

/** Returns the entries that a survey finds at names in a folder, each the file of a LUN. */
function entriesOf(folder: string, names: readonly string[]): Record<string, Entry> {
  const lines = names.flatMap((name, index) => [`[t${index}]`, "size=1MB", `file=${name}`]);
  const { places } = survey(configOf(`storage=${folder}`, ...lines));
  return Object.fromEntries([...places].map(([path, { entry }]) => [basename(path), entry]));
}

Deno.test("survey() finds the multipath map of a partition's disk, but no map for its own partitions", () =>
  withScratch((folder) => {
    const path = "8:1 1024 0  part  sda1 0 0 sda1\n";
    const disk = `8:0 4096 0  disk  sda 0 0 sda\n${path}253:1 4096 0  mpath  mpatha 0 0 dm-1\n`;
    const output: Readonly<Record<string, string>> = {
      "/dev/sda1": path,
      "--inverse /dev/sda1": "8:1 part /dev/sda1  \n8:0 disk /dev/sda 0x5 S\n",
      "/dev/sda": disk,
      "/dev/mapper/mpatha1": "253:2 1024 0  part  mpatha1 0 0 dm-2\n",
      "--inverse /dev/mapper/mpatha1":
        "253:2 part /dev/mapper/mpatha1  \n253:1 mpath /dev/mapper/mpatha  \n8:0 disk /dev/sda 0x5 S\n",
      "/dev/mapper/mpatha": "253:1 4096 0  mpath  mpatha 0 0 dm-1\n253:2 1024 0  part  mpatha1 0 0 dm-2\n",
    };
    withHelperOutput((words) => {
      const key = `${words.includes("--inverse") ? "--inverse " : ""}${words.at(-1)}`;
      return { stdout: output[key] ?? "" };
    }, () => {
      const entries = entriesOf(folder, ["/dev/sda1", "/dev/mapper/mpatha1"]);
      const mapOf = (name: string): unknown => ({ multipath: undefined, ...entries[name] }).multipath;
      assertEquals([mapOf("sda1"), mapOf("mpatha1")], ["mpatha", undefined]);
    });
    return Promise.resolve();
  }));

Deno.test("survey() distinguishes all kinds of entries", async () => {
  await withScratch(async (folder) => {
    Deno.writeTextFileSync(join(folder, "file"), "x".repeat(5000));
    Deno.mkdirSync(join(folder, "folder"));
    Deno.chmodSync(join(folder, "folder"), 0o1751);
    Deno.symlinkSync("file", join(folder, "link"));
    Deno.symlinkSync("nothing", join(folder, "dangling"));
    await runToolOk("mkfifo", [join(folder, "pipe")]);
    const hasDevice = (await runTool("mknod", [join(folder, "zero"), "c", "1", "5"])).code === 0;
    using _listener = Deno.listen({ transport: "unix", path: join(folder, "socket") });
    const names = ["file", "folder", "link", "dangling", "pipe", "socket", "missing"];
    const { file, link, ...others } = entriesOf(folder, names);
    const { dev, ino, blocks } = Deno.statSync(join(folder, "file"));
    const numbers = { device: dev, inode: ino! };
    assertEquals(file, { kind: "file", sizeBytes: 5000, allocatedBytes: blocks! * 512, ...numbers });
    assertEquals(link, file);
    assertEquals(others, {
      folder: { kind: "folder", mode: 0o1751 },
      dangling: { kind: "danglingLink", leadsTo: "nothing" },
      pipe: { kind: "special", name: "a named pipe" },
      socket: { kind: "special", name: "a socket" },
      missing: { kind: "missing" },
    });
    // To make one takes rights that a container may not have.
    if (hasDevice) {
      assertEquals(entriesOf(folder, ["zero"])["zero"], { kind: "special", name: "a character device" });
    }
  });
});

Deno.test("survey() finds the nearest ancestor of a path, folder or not", async () => {
  await withScratch((folder) => {
    Deno.mkdirSync(join(folder, "folder"));
    Deno.writeTextFileSync(join(folder, "file"), "");
    Deno.symlinkSync("nothing", join(folder, "dangling"));
    Deno.symlinkSync("loop", join(folder, "loop"));
    const rows = [
      ["a", folder, true],
      ["folder/a", `${folder}/folder`, true],
      ["folder/none/none/a", `${folder}/folder`, true],
      ["file/a", `${folder}/file`, false],
      ["dangling/a", `${folder}/dangling`, false],
      ["loop/a", `${folder}/loop`, false],
    ] as const;
    const lines = rows.flatMap(([name], index) => [`[t${index}]`, "size=1MB", `file=${name}`]);
    const { places } = survey(configOf(`storage=${folder}`, ...lines));
    for (const [name, path, isFolder] of rows) {
      const { ancestor, fileSystem } = places.get(`${folder}/${name}`)!;
      assertEquals(ancestor, { path, isFolder }, name);
      assertEquals(fileSystem === undefined, !isFolder, name);
    }
    const { device, availableBytes } = places.get(`${folder}/a`)!.fileSystem!;
    assertEquals(device, Deno.statSync(folder).dev);
    const { bavail, bsize } = statfsSync(folder);
    assert(Math.abs(availableBytes - bavail * bsize) < 2 ** 30, `${availableBytes} bytes`);
  });
});

Deno.test("survey() finds the real paths of missing files", async () => {
  await withScratch((folder) => {
    Deno.mkdirSync(join(folder, "real"));
    Deno.writeTextFileSync(join(folder, "real/file"), "");
    Deno.symlinkSync("real", join(folder, "way"));
    Deno.symlinkSync("nothing", join(folder, "real/dangling"));
    Deno.symlinkSync("loop", join(folder, "real/loop"));
    const rows = [
      ["missing", "missing"],
      ["none/none", "missing"],
      ["file/below", "missing"],
      ["dangling", "danglingLink"],
      ["loop", "danglingLink"],
    ] as const;
    const lines = rows.flatMap(([name], index) => [`[t${index}]`, "size=1MB", `file=${folder}/way/${name}`]);
    const { places } = survey(configOf(`storage=${folder}`, ...lines));
    for (const [name, kind] of rows) {
      const { entry, realPath } = places.get(`${folder}/way/${name}`)!;
      assertEquals([entry.kind, realPath], [kind, `${folder}/real/${name}`]);
    }
  });
});

Deno.test("survey() finds the file system of a folder, and the folder of a device", async () => {
  await withScratch((folder) => {
    const { storage, places } = survey(configOf(`storage=${folder}`, "[a]", "size=1MB", "file=/dev/null"));
    assertEquals(storage.fileSystem?.device, Deno.statSync(folder).dev);
    assertEquals(places.get("/dev/null")!.ancestor, { path: "/dev", isFolder: true });
  });
});

Deno.test("survey() looks into files that no build has made, and into no others", async () => {
  await withScratch(async (folder) => {
    const [known, foreign] = [join(folder, "known"), join(folder, "foreign")];
    await provision(configOf(`storage=${folder}`, "[a]", "size=1MB", "file=known"));
    for (const path of [known, foreign]) {
      Deno.writeFileSync(path, new Uint8Array(2 ** 20));
      writeAt(path, 0, "vhdxfile");
    }
    const formats = Object.entries(entriesOf(folder, ["known", "foreign"])).map(([name, entry]) =>
      [name, entry.kind === "file" ? entry.format?.name : entry.kind] as const
    );
    assertEquals(Object.fromEntries(formats), { known: undefined, foreign: "a VHDX image" });
    writeAt(foreign, 0, "not that");
    writeAt(foreign, 2 ** 20 - 512, "conectix");
    const entry = entriesOf(folder, ["foreign"])["foreign"]!;
    assertEquals(entry.kind === "file" ? entry.format?.name : undefined, "a VHD image");
    Deno.truncateSync(foreign, 100);
    assertEquals("format" in entriesOf(folder, ["foreign"])["foreign"]!, false);
  });
});

Deno.test("survey() finds the program's own files under any name", async () => {
  await withScratch(async (folder) => {
    const s = join(folder, "s");
    const [file, secrets] = [join(folder, "conf"), join(folder, "secrets")];
    await provision(configOf(`storage=${s}`, "[a]", "size=1MB"));
    Deno.mkdirSync(join(s, ".iscsi/reservations"));
    const state = ["identities.json", "reservations/3.json"].map((name) => join(s, ".iscsi", name));
    Deno.writeTextFileSync(state[1]!, "{}");
    // Links to backing files, which are no files of the program's own.
    Deno.mkdirSync(join(s, ".iscsi/holes"));
    Deno.linkSync(join(s, "a"), join(s, ".iscsi/holes/a"));
    for (const path of [file, secrets]) Deno.writeTextFileSync(path, "x".repeat(512));
    const own: readonly (readonly [string, string])[] = [
      [file, "the conf"],
      [secrets, `the file of secrets "${secrets}"`],
      ...state.map((path) => [path, `"${path}", in which this program keeps its state`] as const),
    ];
    for (const [index, [path]] of own.entries()) Deno.linkSync(path, join(s, `link${index}`));
    const lines = [...own.keys()].flatMap((index) => [`[link${index}]`, "size=512"]);
    const source = { file, readFile: () => ({ text: "bob bobsecret1234", mode: 0o600 }) };
    const text = [`storage=${s}`, `secrets=${secrets}`, "[a]", "size=1MB", ...lines];
    const config = parseConfig(text.join("\n"), source).config!;
    assertEquals(
      examine(config, survey(config), { force: true }).problems.map(({ message }) => message),
      own.map(([, what], index) =>
        `Cannot use "${s}/link${index}" as a backing file: it is ${what}; set "file" to another path`
      ),
    );
    const program = configOf(`storage=${s}`, "[p]", "size=1GB", `file=${Deno.realPathSync(Deno.execPath())}`);
    assertEquals(examine(program, survey(program)).problems.map(({ message }) => message.split(": ")[1]), [
      'it is this program; set "file" to another path',
    ]);
  });
});

Deno.test("survey() finds none of the program's own files before they exist", async () => {
  await withScratch((folder) => {
    const { ownFiles } = survey(
      configOf(`storage=${folder}/none`, "secrets=/none/secrets", "[a]", "size=1MB"),
    );
    assertEquals([...ownFiles.values()], ["this program"]);
  });
});

Deno.test("survey() of a storage folder that is missing needs no right to the folder above it", () =>
  withScratch(async (folder) => {
    const storage = `${folder}/storage`;
    const script = `import { parseConfig } from "lib/config/parse_config.ts";
      import { findFolderProblem } from "lib/provision/examine/find_storage_problem.ts";
      import { survey } from "lib/provision/survey.ts";
      const { config } = parseConfig("storage=${storage}\\n[a]\\nsize=1MB", { file: "conf" });
      console.log(findFolderProblem(survey(config)));`;
    const rights = [`--allow-read=${storage}`, `--allow-write=${storage}`, "--allow-sys=statfs"];
    assertEquals(
      await runScript(script, { rights }),
      `Cannot use "${storage}" as a folder: it does not exist, and this program was compiled without the right to ` +
        `create it; run "mkdir ${storage}"\n`,
    );
  }));
