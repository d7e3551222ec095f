/** Confs that are valid, but hurt: what the program says before and while they do. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { runIscsi } from "../support/server_process.ts";
import { Appliance } from "./appliance.ts";

const OPEN = /Any machine that reaches .* can read and overwrite \[a\], and read \[b\]: set "networks"/g;

Deno.test("serve logs once that every machine may use targets, status shows it, and a reload ends it", async () => {
  const closed = "\n[c]\nsize = 1MB\nnetworks = 127.0.0.0/8\n";
  const open = `[a]\nsize = 1MB\n[b]\nsize = 1MB\nreadonly = y\n${closed}`;
  using appliance = Appliance.create(open);
  await using server = await appliance.serve();
  const show = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runIscsi(["status", "--conf", appliance.confPath, ...args]);
    assertEquals(code, 0, stderr);
    return stdout;
  };
  assertMatch(server.stderr, / iscsi: warning: Any machine that reaches .*$/m);
  assertMatch(JSON.parse(await show("--json")).warnings[0], OPEN);
  assertMatch(
    (await show()).replaceAll(/\s+/g, " "),
    /Warning Any machine that reaches .* \[a\], and read \[b\]: /,
  );
  // A change of something else repeats nothing.
  appliance.writeConf(`${open}comment = another\n`);
  assertEquals((await appliance.build()).code, 0);
  appliance.writeConf(`initiators = iqn.2011-07.com.example:a\n${open}`);
  const { code, stderr } = await appliance.build();
  assertEquals(code, 0, stderr);
  assertEquals(stderr.match(OPEN), null);
  await server.waitForLog("Conf reloaded: ");
  assertEquals(JSON.parse(await show("--json")).warnings, []);
  assertEquals(server.stderr.match(OPEN)?.length, 1);
});

Deno.test("a renamed target keeps its data by the line that check and build print", async () => {
  using appliance = Appliance.create("networks = 127.0.0.0/8\n[old]\nsize = 1MB 2MB\n");
  assertEquals((await appliance.build()).code, 0);
  const identities = `${appliance.storage}/.iscsi/identities.json`;
  const before = Deno.readTextFileSync(identities);
  const renamed = "networks = 127.0.0.0/8\n[new]\nsize = 1MB 2MB\n";
  appliance.writeConf(renamed);
  const checked = await runIscsi(["check", "--conf", appliance.confPath]);
  const built = await appliance.build("--dry-run");
  const warning =
    `${appliance.confPath}:4: warning: [new] gets empty disks, but unused "old", "old_1" have the same ` +
    'sizes: to keep the data, set "file=old" in [new]\n';
  assertEquals([checked.code, checked.stderr, built.code, built.stderr], [0, warning, 0, warning]);
  const line = /"(file=.*)" in/.exec(checked.stderr)?.[1];
  assert(line !== undefined);
  appliance.writeConf(`${renamed}${line}\n`);
  const { code, stdout, stderr } = await appliance.build();
  assertEquals([code, stderr.includes("warning")], [0, false]);
  assertMatch(stdout, /^keep .*\/old$/m);
  assertEquals(Deno.readTextFileSync(identities), before);
});
