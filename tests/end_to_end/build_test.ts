/** `iscsi build` and `iscsi check` as a person runs them. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { iscsiCommand, runIscsi } from "../support/server_process.ts";
import { runAndHangUp, untilThere } from "../support/terminal.ts";
import { runToolOk, testWithTools } from "../support/tools.ts";
import { Appliance, XENSERVER, XENSERVER_BYTES } from "./appliance.ts";

/** Returns the output of `ls` and `stat` for the files, without the columns that change from day to day. */
function listStorage(appliance: Appliance): Promise<string> {
  return runToolOk("sh", ["-c", `ls -lsa --full-time . .iscsi && md5sum .iscsi/*`], {
    cwd: appliance.storage,
  });
}

Deno.test("build makes sparse files that take no space, and a second build changes nothing", async () => {
  using appliance = Appliance.create();
  const { code, stdout, stderr } = await appliance.build();
  assertEquals(code, 0, stderr);
  assertStringIncludes(stdout, `${appliance.storage}/xenserver_1`);
  for (
    const [name, bytes] of [["xenserver", XENSERVER_BYTES[0]], ["xenserver_1", XENSERVER_BYTES[1]]] as const
  ) {
    const { size, blocks } = Deno.statSync(`${appliance.storage}/${name}`);
    assertEquals({ size, blocks }, { size: bytes, blocks: 0 });
  }
  assertEquals(Deno.statSync(`${appliance.storage}/.iscsi`).mode! & 0o777, 0o700);
  const before = await listStorage(appliance);
  const again = await appliance.build();
  assertEquals(again.code, 0, again.stderr);
  assertStringIncludes(again.stdout, "Nothing to do");
  assertEquals(await listStorage(appliance), before);
});

Deno.test("build --dry-run prints the plan and touches nothing", async () => {
  using appliance = Appliance.create();
  const { code, stdout } = await appliance.build("--dry-run");
  assertEquals(code, 0);
  assertStringIncludes(stdout, `${appliance.storage}/xenserver`);
  assertEquals([...Deno.readDirSync(appliance.folder)].map(({ name }) => name), ["iscsi.conf"]);
});

Deno.test("build grows a file whose size was raised and keeps what is in it", async () => {
  using appliance = Appliance.create("[a]\nsize = 1MB\n");
  assertEquals((await appliance.build()).code, 0);
  const path = `${appliance.storage}/a`;
  const content = crypto.getRandomValues(new Uint8Array(1024));
  const file = Deno.openSync(path, { write: true });
  file.writeSync(content);
  file.close();
  appliance.writeConf("[a]\nsize = 2MB\n");
  assertEquals((await appliance.build()).code, 0);
  assertEquals(Deno.statSync(path).size, 2 * 1024 ** 2);
  assertEquals(Deno.readFileSync(path).subarray(0, 1024), content);
  appliance.writeConf("[a]\nsize = 1MB\n");
  const shrink = await appliance.build();
  assertEquals(shrink.code, 1, shrink.stdout);
  assert(shrink.stderr.includes("2 MB") && shrink.stderr.includes("1 MB"), shrink.stderr);
  assertEquals(Deno.statSync(path).size, 2 * 1024 ** 2);
});

Deno.test("check prints what would be exported and touches nothing", async () => {
  using appliance = Appliance.create();
  const { code, stdout, stderr } = await runIscsi(["check", "--conf", appliance.confPath]);
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, XENSERVER);
  assertStringIncludes(stdout, "750 GB");
  const json = JSON.parse((await runIscsi(["check", "--json", "--conf", appliance.confPath])).stdout);
  assertEquals(json.config.targets[0].logicalUnits.map(({ sizeBytes }: { sizeBytes: number }) => sizeBytes), [
    ...XENSERVER_BYTES,
  ]);
  assertEquals([...Deno.readDirSync(appliance.folder)].length, 1);
});

Deno.test("the exit codes tell usage, conf and failure apart", async () => {
  using appliance = Appliance.create("netwroks = 127.0.0.0/8\n[a]\nsize = 1XB\n");
  const codes: Readonly<Record<string, number>> = {
    "--version": 0,
    "--help": 0,
    "serve --help": 0,
    "frobnicate": 2,
    "build --frobnicate": 2,
    [`check --conf ${appliance.confPath}`]: 3,
    [`build --conf ${appliance.confPath}`]: 3,
    [`serve --conf ${appliance.confPath}`]: 3,
    [`check --conf ${appliance.folder}/absent`]: 1,
  };
  for (const [line, code] of Object.entries(codes)) {
    const result = await runIscsi(line.split(" "));
    assertEquals(result.code, code, `iscsi ${line}: ${result.stdout}${result.stderr}`);
    assertEquals(result.stderr === "", code === 0, line);
  }
});

/** Returns an appliance whose build is long enough to be interrupted. */
function manyTargets(): Appliance {
  const targets = Array.from({ length: 2_000 }, (_, index) => `[t${index}]\nsize = 1MB\n`);
  return Appliance.create(`networks = 127.0.0.0/8\n${targets.join("")}`);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} ends a build after the files that it has begun, and the next one does the rest`, async () => {
    using appliance = manyTargets();
    const { program, args } = iscsiCommand();
    await using build = new Deno.Command(program, {
      args: [...args, "build", "--conf", appliance.confPath],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const stderr = new Response(build.stderr).text();
    const steps = build.stdout.getReader();
    await steps.read();
    build.kill(signal);
    while (!(await steps.read()).done);
    assertEquals([(await build.status).code, await stderr], [
      130,
      "iscsi: Interrupted: run it again for the rest\n",
    ]);
    assertEquals((await appliance.build()).code, 0);
    assert(Deno.statSync(`${appliance.storage}/t1999`).isFile);
  });
}

Deno.test("build --json says that it was interrupted, and what it has done until then", async () => {
  using appliance = manyTargets();
  const { program, args } = iscsiCommand();
  await using build = new Deno.Command(program, {
    args: [...args, "build", "--json", "--conf", appliance.confPath],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const stdout = new Response(build.stdout).text();
  await untilThere(`${appliance.storage}/t0`);
  build.kill("SIGTERM");
  assertEquals((await build.status).code, 130);
  const { failure, changed, steps, live } = JSON.parse(await stdout);
  assertEquals([failure, changed, live], ["Interrupted: run it again for the rest", true, null]);
  const created = steps.filter(({ kind }: { kind: string }) => kind === "createFile");
  const files = [...Deno.readDirSync(appliance.storage)].filter(({ isFile }) => isFile);
  assertEquals(created.length, files.length);
});

testWithTools("a build whose terminal is closed ends as with Ctrl-C", ["script"], async () => {
  using appliance = manyTargets();
  const { program, args } = iscsiCommand();
  const command = [program, ...args, "build", "--conf", appliance.confPath];
  assertEquals((await runAndHangUp(command, { folder: appliance.folder, until: "create" })).code, 130);
  const { code, stdout } = await appliance.build();
  assertEquals(code, 0);
  assertStringIncludes(stdout, "confirm");
});

Deno.test("serve refuses a conf that was not built, and names the command", async () => {
  using appliance = Appliance.create();
  for (const prepare of ["nothing", "the folders"]) {
    if (prepare === "the folders") Deno.mkdirSync(`${appliance.storage}/.iscsi`, { recursive: true });
    const { code, stderr } = await runIscsi(["serve", "--conf", appliance.confPath]);
    assertEquals(code, 1, stderr);
    assertStringIncludes(stderr, "iscsi build");
  }
});
