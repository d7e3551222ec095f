import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { findFormerStorages } from "../../lib/provision/former_storage.ts";
import { provision } from "../../lib/provision/provision.ts";
import { survey } from "../../lib/provision/survey.ts";
import { configOf } from "./conf.ts";
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
