import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import {
  findFormerStorages,
  findTwinStorages,
  type FormerStorage,
} from "../../lib/provision/former_storage.ts";
import { checkFiles } from "../../lib/provision/check_files.ts";
import { provision } from "../../lib/provision/provision.ts";
import { survey } from "../../lib/provision/survey.ts";
import { configOf } from "./conf.ts";
import { runToolOk } from "../support/tools.ts";
import { snapshot, withScratch } from "./scratch.ts";

/** The former storage folders within a scratch folder; the machine may have one in the default place. */
function formerIn(folder: string, storage: string): unknown[] {
  return findFormerStorages(join(folder, storage)).filter(({ path }) => path.startsWith(folder));
}

Deno.test("findFormerStorages() finds neighbours with disks that are still there", async () => {
  await withScratch(async (folder) => {
    const lines = ["[a]", "size=1MB 1MB", "[gone]", "size=1MB"];
    await provision(configOf(`storage=${folder}/old`, ...lines));
    Deno.removeSync(join(folder, "old/gone"));
    for (const [name, text] of [["damaged", "{"], ["empty", ""]] as const) {
      Deno.mkdirSync(join(folder, name, ".iscsi"), { recursive: true });
      Deno.writeTextFileSync(join(folder, name, ".iscsi/identities.json"), text);
    }
    Deno.writeTextFileSync(join(folder, "file"), "");
    const before = snapshot(folder);
    const old = [{ path: join(folder, "old"), files: ["a", "a_1"] }];
    assertEquals(formerIn(folder, "new"), old);
    assertEquals(formerIn(folder, "old"), []);
    assertEquals(formerIn(folder, "none/new"), []);
    // The folder above and one within were the storage folder before.
    assertEquals(formerIn(folder, "old/new"), old);
    assertEquals(formerIn(folder, "."), old);
    assertEquals(snapshot(folder), before);
    // A survey looks for them only where no identity is recorded.
    const found = (storage: string) =>
      survey(configOf(`storage=${folder}/${storage}`, ...lines)).formerStorages
        .filter(({ path }) => path.startsWith(folder));
    assertEquals([found("new"), found("old")], [old, []]);
  });
});

Deno.test("findTwinStorages() finds a copy of the storage folder, but no link to it and no other folder", () =>
  withScratch(async (folder) => {
    const build = async (storage: string): Promise<void> => {
      await provision(configOf(`storage=${storage}`, "[a]", "size=1MB", "[b]", "size=1MB"));
    };
    await build(join(folder, "one"));
    await build(join(folder, "other"));
    Deno.symlinkSync(join(folder, "one"), join(folder, "link"));
    const twins = async (): Promise<readonly FormerStorage[]> =>
      (await findTwinStorages(join(folder, "one"))).filter(({ path }) => path.startsWith(folder));
    assertEquals(await twins(), []);
    await runToolOk("cp", ["-a", join(folder, "one"), join(folder, "copy")]);
    Deno.removeSync(join(folder, "copy", "b"));
    assertEquals(await twins(), [{ path: join(folder, "copy"), files: ["a"] }]);
    const config = configOf(`storage=${folder}/copy`, "[a]", "size=1MB");
    for (const warnings of [(await provision(config)).warnings, await checkFiles(config)]) {
      assertEquals(
        warnings.filter(({ message }) => message.includes("have the identity of those of")).length,
        1,
      );
    }
  }));
